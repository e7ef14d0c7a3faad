"""Training on several processes is training on one: shares, layers, losses, checkpoints, errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.networks import random_network
from tests.unit.test_training import (
    TRAINING,
    VALIDATION,
    StoppedError,
    changed,
    interrupt,
    records,
    rings,
    tensors,
)
from torch import nn

from cardioseg.data.augment import Augmentation, draw
from cardioseg.errors import ConfigError
from cardioseg.nets.loss import Loss, total_loss
from cardioseg.prepare.plan import NetworkPlan
from cardioseg.training.batches import batches
from cardioseg.training.config import TrainConfig
from cardioseg.training.distributed import ALONE, Processes, share, this_process
from cardioseg.training.fit import fit
from cardioseg.training.parallel import Gradients
from cardioseg.training.validation import validate
from cardioseg.training.whole_batch import Rows, WholeBatchNorm2d, WholeDropout2d, spread

ROOT = Path(__file__).resolve().parents[2]
BROKEN, STOPPED, BEGUN = "slice 7 is broken", "stopped-by-two", "begun-by-one"
TOLERANCE = 1e-4


def network_plan(convolution: str) -> NetworkPlan:
    return NetworkPlan(widths=(4, 8), classes=3, dropout=0.2, convolution=convolution)


def of(convolution: str, **values: object) -> TrainConfig:
    plan = changed().plan.model_copy(update={"network": network_plan(convolution)})
    # 16 slices in batches of 5: the last batch is one image, and one process of two has none.
    return changed(plan=plan, batch_size=5, epochs=3, learning_rate=1e-3, **values)


RUNS = {
    "dice": of("conventional"),
    "tversky": of(
        "separable",
        loss=Loss(region="tversky", boundary=0.01, class_weights=(1.0, 2.0, 3.0)),
        accumulate=2,
    ),
    "generalised": of("conventional", loss=Loss(pixel="focal", region="generalised_dice")),
}
RUNS["bfloat16"] = of("conventional", precision="bfloat16").model_copy(update={"epochs": 1})
RUNS[BEGUN] = RUNS["dice"]

THREE_HEARTS = rings(12, seed=3)
"""Validated by two processes: two volumes for one, one for the other, and no blood in the last."""
THREE_HEARTS.labels[8:] = np.minimum(THREE_HEARTS.labels[8:], 1)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The runs of a single process."""
    folder = tmp_path_factory.mktemp("one")
    for name in RUNS.keys() - {BEGUN}:
        (folder / name).mkdir()
        fit(RUNS[name], TRAINING, VALIDATION, folder / name)
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes left, and how torchrun ended."""
    folder = tmp_path_factory.mktemp("two")
    for name in (*RUNS, STOPPED, "broken"):
        (folder / name).mkdir()
    with pytest.raises(StoppedError):
        fit(RUNS[BEGUN], TRAINING, VALIDATION, folder / BEGUN, interrupt(2, 1))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), *sys.path])
    done = subprocess.run(
        [*launch, ROOT / "tests" / "two_processes.py", folder],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )
    assert (folder / "rank-1.json").is_file(), done.stderr
    return folder, done


def told_by(two):
    return [json.loads((two[0] / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def has_no_gradient(name: str, run: str) -> bool:
    """Whether batch norm takes out whatever this tensor says: its gradient is 0 but for rounding.

    That is the bias of each convolution but the head's, and where one input channel is all that a
    separable convolution has, its scale. Adam divides by the gradient's size and makes steps of
    rounding, other ones with other threads, too; the running statistics that follow count as well.
    """
    patterns = [r"(down\.\d|level)\.[04](\.1)?\.bias$", r"expand\.bias$", r"running_mean$"]
    if RUNS[run].plan.network.convolution == "separable":
        patterns += [r"down\.0\.0\.1\.weight$", r"down\.0\.1\.running_var$"]
    return any(re.search(pattern, name) for pattern in patterns)


def differences(first, second, run):
    """Largest difference of each tensor of network and average that has a gradient."""
    one, other = tensors(first), tensors(second)
    assert one.keys() == other.keys(), "a checkpoint has the same tensors whoever wrote it"
    return {
        name: float((one[name].double() - other[name].double()).abs().max())
        for name in one
        if name.startswith(("network.", "average.")) and not has_no_gradient(name, run)
    }


@pytest.mark.parametrize("name", ["dice", "tversky", "generalised"])
def test_two_processes_train_the_weights_of_one(one, two, name):
    found = differences(one / name, two[0] / name, name)
    assert max(found.values()) < TOLERANCE, found
    for alone, shared in zip(records(one / name), records(two[0] / name), strict=True):
        assert shared["loss"] == pytest.approx(alone["loss"], abs=TOLERANCE)
        assert shared["learning_rate"] == alone["learning_rate"]


def test_bfloat16_agrees_as_far_as_its_three_digits_go(one, two):
    alone, shared = (records(folder / "bfloat16")[0] for folder in (one, two[0]))
    assert shared["loss"] == pytest.approx(alone["loss"], rel=0.02)


def test_both_processes_end_with_the_same_weights_bit_for_bit(two):
    first, second = told_by(two)
    assert first["digests"] == second["digests"]
    assert len(set(first["digests"].values())) > 2


def test_a_run_goes_on_with_another_number_of_processes(one, two, tmp_path):
    folder, _ = two
    assert max(differences(one / "dice", folder / BEGUN, BEGUN).values()) < TOLERANCE
    assert len(records(folder / STOPPED)) == 1
    _, progress = fit(RUNS["dice"], TRAINING, VALIDATION, folder / STOPPED)
    assert progress.epoch == RUNS["dice"].epochs
    assert max(differences(one / "dice", folder / STOPPED, "dice").values()) < TOLERANCE


def test_validation_on_uneven_shares_is_that_of_one_process(two):
    alone = validate(
        random_network(network_plan("separable")), RUNS["dice"].plan.label_scheme, THREE_HEARTS
    )
    assert len(alone) == 3
    assert [each["validation"] for each in told_by(two)] == [alone, alone]


def test_the_first_process_is_heard_and_a_disagreement_ends_both(two):
    first, second = told_by(two)
    assert first["told"] == second["told"] == "of 0: é"
    assert first["disagreement"] == second["disagreement"]
    assert "start all with the same command" in first["disagreement"]


def test_a_process_that_fails_ends_the_others_with_its_words(two):
    _, done = two
    assert done.returncode != 0
    assert f"error: {BROKEN}" in done.stderr
    assert "Traceback" not in done.stderr.partition("elastic")[0]


def test_shares_are_in_order_and_miss_nothing():
    for count in range(12):
        for parts in range(1, 6):
            cuts = [range(count)[share(count, part, parts)] for part in range(parts)]
            assert [each for cut in cuts for each in cut] == list(range(count))
            assert max(map(len, cuts)) - min(map(len, cuts)) <= 1


def test_the_processes_have_the_images_of_one_between_them():
    config = replace_augmentation(RUNS["tversky"])
    alone, *shared = (
        list(batches(config, TRAINING, np.random.default_rng(5), each))
        for each in (ALONE, *(Processes(rank, 3) for rank in range(3)))
    )
    for whole, *parts in zip(alone, *shared, strict=True):
        assert sum(batch.weight for batch in whole) == pytest.approx(1)
        for batch, *own in zip(whole, *parts, strict=True):
            images = torch.cat([each.images for each in own])
            assert torch.allclose(images, batch.images, atol=1e-5)
            assert torch.equal(torch.cat([each.labels for each in own]), batch.labels)
            assert {each.whole for each in own} == {len(batch.images)}
    assert [len(batch.images) for batch in alone[0]] == [3, 2]
    assert [len(batch.images) for batch in alone[-1]] == [1], "no micro-batch is empty"


def replace_augmentation(config: TrainConfig) -> TrainConfig:
    """Everything that augmentation can do."""
    rich = Augmentation(flips=True, noise=0.1, gamma=0.3, blur=0.5, bias=0.3, curve=0.5)
    return config.model_copy(update={"augmentation": rich})


def test_a_part_of_a_draw_gives_the_images_of_the_whole():
    rng = np.random.default_rng(0)
    drawn = draw(
        replace_augmentation(RUNS["dice"]).augmentation, np.full((5, 2), 7.5), rng, (16, 16)
    )
    images, labels = torch.rand(5, 1, 16, 16), torch.randint(0, 3, (5, 16, 16))
    whole = drawn.sample(images, labels, (16, 16))[0]
    rows = slice(1, 4)
    part = drawn.part(rows).sample(images[rows], labels[rows], (16, 16))[0]
    assert torch.allclose(part, whole[rows], atol=1e-6)
    twice = drawn.part(rows).part(slice(1, 2)).sample(images[2:3], labels[2:3], (16, 16))[0]
    assert torch.allclose(twice, whole[2:3], atol=1e-6)
    nothing = replace(drawn, noise_sd=np.zeros(5, np.float32)).sample(images, labels, (16, 16))[0]
    assert not torch.allclose(nothing, whole, atol=1e-3), "the noise is there"


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_batch_norm_over_one_process_is_pytorchs(offset):
    torch.manual_seed(0)
    images = (torch.randn(3, 4, 6, 5) + offset).requires_grad_()
    twin = images.detach().clone().requires_grad_()
    ours, theirs = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
    ours = WholeBatchNorm2d(ours, ALONE)
    slope = torch.randn(3, 4, 6, 5)
    for layer, given in ((ours, images), (theirs, twin)):
        nn.init.constant_(layer.weight, 1.5)
        (layer(given) * slope).sum().backward()
    near = {"rtol": 1e-5, "atol": 1e-4 if offset else 1e-6}  # float32 at 300 has steps of 3e-5
    assert torch.allclose(ours(images), theirs(twin), **near)
    assert torch.allclose(images.grad, twin.grad, **near)
    assert torch.allclose(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-4)
    assert torch.allclose(ours.bias.grad, theirs.bias.grad, **near)
    for name, value in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[name], value, rtol=1e-5), name
    assert torch.allclose(ours.eval()(images), theirs.eval()(twin), **near)


def test_spreading_a_network_changes_no_name_and_no_parameter():
    network = random_network(network_plan("conventional")).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    parameters = list(network.parameters())
    spread(network, Processes(0, 2), Rows())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [id(each) for each in network.parameters()] == [id(each) for each in parameters]
    kinds = {type(module) for module in network.modules()}
    assert {WholeBatchNorm2d, WholeDropout2d} <= kinds
    assert not {nn.BatchNorm2d, nn.Dropout2d} & kinds


def test_dropout_draws_what_one_process_draws():
    images = torch.rand(5, 8, 3, 3) + 1
    torch.manual_seed(4)
    alone = nn.Dropout2d(0.4)(images)
    for rows in (slice(0, 3), slice(3, 5), slice(5, 5)):
        torch.manual_seed(4)
        own = WholeDropout2d(0.4, Rows(rows, 5))
        assert torch.equal(own(images[rows]), alone[rows])
        assert own.eval()(images) is images


@pytest.mark.parametrize(
    "loss",
    [
        Loss(),
        Loss(pixel="focal", class_weights=(1.0, 2.0, 3.0), region="generalised_dice"),
        Loss(class_weights=(1.0, 2.0, 3.0), region="tversky", boundary=0.1),
    ],
)
def test_a_loss_over_sums_of_others_is_that_of_the_whole_batch(loss):
    torch.manual_seed(0)
    logits, labels = torch.randn(3, 3, 8, 8), torch.randint(0, 3, (3, 8, 8))
    labels[2:] = 0  # what one part lacks, the other has
    sums: list[list[torch.Tensor]] = []
    for rows in (slice(0, 2), slice(2, 3), slice(3, 3)):
        kept: list[torch.Tensor] = []
        total_loss(
            loss, logits[rows], labels[rows], lambda own, kept=kept: kept.append(own) or own + 1
        )
        sums.append(kept)
    others = [b + c for _, b, c in zip(*sums, strict=True)]
    mine = total_loss(loss, logits[:2], labels[:2], lambda own: own + others.pop(0))
    assert float(mine) == pytest.approx(float(total_loss(loss, logits, labels)), rel=1e-5)


def test_accumulation_weighs_each_micro_batch_by_its_images():
    config = RUNS["tversky"].model_copy(update={"precision": "float32"})
    network = random_network(network_plan("separable"))  # in evaluation mode: nothing is drawn
    step = next(batches(config, TRAINING, np.random.default_rng(0), ALONE))
    assert [batch.weight for batch in step] == [0.6, 0.4]
    loss = Gradients(config, network, ALONE).of(step)
    found = [value.grad.clone() for value in network.parameters()]
    network.zero_grad()
    losses = [total_loss(config.loss, network(each.images), each.labels) for each in step]
    mean = 0.6 * losses[0] + 0.4 * losses[1]
    mean.backward()
    expected = [value.grad for value in network.parameters()]
    assert loss == pytest.approx(mean.item(), rel=1e-6)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, expected, strict=True))


def test_more_micro_batches_than_images_are_refused():
    with pytest.raises(ValueError, match="accumulate 6 is more than batch_size 5"):
        TrainConfig.model_validate({**RUNS["dice"].model_dump(), "accumulate": 6})


LAUNCHED = {
    "TORCHELASTIC_RUN_ID": "x",
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
}


def test_who_this_process_is_and_where_it_computes(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert this_process("auto", LAUNCHED) == Processes(3, 4, "cuda:1")
    assert this_process("cpu", LAUNCHED) == Processes(3, 4, "cpu")
    assert this_process("cuda", {}) == Processes(0, 1, "cuda:0")
    assert this_process("auto", {}) == ALONE, "without torchrun all is as on the CPU"
    assert this_process("auto", {"RANK": "1", "WORLD_SIZE": "2"}) == ALONE
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert this_process("auto", LAUNCHED).kind == "cpu"
    with pytest.raises(ConfigError, match="2 processes on this machine, and 1 GPUs"):
        this_process("cuda", LAUNCHED)
    with pytest.raises(ConfigError, match="no device 'tpu': choose one of auto, cpu, cuda"):
        this_process("tpu", {})


def test_what_does_not_share_its_work_refuses_to_run_several_times(monkeypatch, tmp_path):
    for name, value in LAUNCHED.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="start this command without torchrun"):
        fit(RUNS["dice"], TRAINING, None, tmp_path)
