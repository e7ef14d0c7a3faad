"""Training: it learns, it resumes bit for bit, and it refuses what it cannot continue."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cardioseg.data.augment import Augmentation
from cardioseg.data.slices import SliceEntry, SliceStore
from cardioseg.errors import ConfigError, DivergenceError
from cardioseg.evaluation.overlap import dice
from cardioseg.nets.loss import Loss
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.training.batches import patch_centres
from cardioseg.training.checkpoint import CHECKPOINT, best_weights, recorded_config
from cardioseg.training.config import TrainConfig
from cardioseg.training.fit import LOG, Setup, Watch, _learning_rate, fit
from cardioseg.training.machine import settled, why_slower
from cardioseg.training.native import kernels_problem
from cardioseg.training.parallel import Gradients
from cardioseg.training.validation import validate

CONFIG = TrainConfig(
    plan=Plan(
        spacing_mm=2.0,
        size=(32, 32),
        network=NetworkPlan(widths=(4, 8), classes=3, dropout=0.2),
        scheme="myocardium_blood",
    ),
    patch=(16, 16),
    augmentation=Augmentation(flips=True, noise=0.05, gamma=0.2, blur=0.2),
    optimiser="adamw",
    learning_rate=1e-2,
    weight_decay=0.01,
    schedule="one_cycle",
    batch_size=4,
    epochs=5,
    average_decay=0.9,
    validate_every=2,
)


def rings(count, seed):
    """Slices of a bright disc in a grey ring, as a heart is; four slices a subject."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:32, :32]
    images, labels, entries = [], [], []
    for index in range(count):
        row, column = rng.uniform(12, 20, 2)
        distance = np.hypot(rows - row, columns - column)
        label = np.where(distance < 4, 2, np.where(distance < 7, 1, 0)).astype(np.uint8)
        image = np.array([0.1, 0.4, 0.9])[label] + rng.normal(0, 0.05, label.shape)
        subject = f"p{index // 4}"
        images.append(image.astype(np.float16))
        labels.append(label)
        entries.append(SliceEntry(subject, subject, index % 4, (row, column)))
    return SliceStore(np.stack(images), np.stack(labels), tuple(entries))


TRAINING, VALIDATION = rings(16, seed=1), rings(8, seed=2)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads wait for each other longer than such small networks take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class StoppedError(Exception):
    """Stands for Ctrl-C or a power cut."""


def interrupt(epoch, step):
    """Stop in the middle of an epoch."""

    def told(now):
        if (now.epoch, now.step) == (epoch, step):
            raise StoppedError

    return Watch(step=told)


def records(folder):
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return [{k: v for k, v in line.items() if "seconds" not in k} for line in lines]


def tensors(folder):
    with safe_open(folder / CHECKPOINT, framework="pt") as stored:
        return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118


def changed(**values):
    return CONFIG.model_copy(update=values)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    network, progress = fit(CONFIG, TRAINING, VALIDATION, folder)
    return folder, network, progress


def test_patches_anywhere_reach_the_whole_slice_and_patches_near_the_heart_do_not():
    rng = np.random.default_rng(0)
    chosen = np.zeros(400, int)
    row, _ = TRAINING.entries[0].centre
    near = patch_centres(changed(patch_anywhere=0.0), TRAINING, chosen, rng)[:, 0]
    anywhere = patch_centres(changed(patch_anywhere=1.0), TRAINING, chosen, rng)[:, 0]
    some = patch_centres(changed(patch_anywhere=0.25), TRAINING, chosen, rng)[:, 0]
    assert np.abs(near - row).max() <= 0.25 * 16
    assert anywhere.min() < 2
    assert anywhere.max() > 29
    assert 0 < np.mean(np.abs(some - row) > 0.25 * 16) < 0.4


def test_bfloat16_learns_and_its_weights_stay_float32(tmp_path):
    config = changed(precision="bfloat16", epochs=30, learning_rate=2e-2)
    network, progress = fit(config, TRAINING, VALIDATION, tmp_path)
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    (tmp_path / "float32").mkdir()
    full = changed(epochs=30, learning_rate=2e-2)
    plain = fit(full, TRAINING, VALIDATION, tmp_path / "float32")[1]
    assert progress.history[0]["loss"] != plain.history[0]["loss"]
    assert progress.best_dice == pytest.approx(plain.best_dice, abs=0.1)


@pytest.mark.parametrize(
    ("features", "precision"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bfloat16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bfloat16"),
        ({"avx512_bf16": False, "avx512_f": True}, "float32"),
        ({}, "float32"),
    ],
)
def test_auto_is_bfloat16_only_where_the_processor_has_it(features, precision, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features, raising=False)
    assert settled(changed(precision="auto")).precision == precision
    assert settled(changed(precision="bfloat16")).precision == "bfloat16"
    assert settled(changed(precision="float32")).precision == "float32"


def test_a_torch_that_does_not_tell_the_features_trains_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert settled(changed(precision="auto")).precision == "float32"


def test_the_checkpoint_says_what_was_used_and_another_machine_goes_on_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    config = changed(precision="auto", epochs=3)
    with pytest.raises(StoppedError):
        fit(config, TRAINING, VALIDATION, tmp_path, interrupt(2, 1))
    assert recorded_config(tmp_path).precision == "bfloat16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    fit(config, TRAINING, VALIDATION, tmp_path)
    assert recorded_config(tmp_path).precision == "bfloat16"
    (tmp_path / "whole").mkdir()
    fit(changed(precision="bfloat16", epochs=3), TRAINING, VALIDATION, tmp_path / "whole")
    expected, found = tensors(tmp_path / "whole"), tensors(tmp_path)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def native(kernels="native", **values):
    """The configuration with widths that the compiled kernels take."""
    network = NetworkPlan(widths=(8, 16), classes=3, dropout=0.2)
    plan = CONFIG.plan.model_copy(update={"network": network})
    return changed(plan=plan, kernels=kernels, **values)


def no_kernels(monkeypatch):
    monkeypatch.setattr("cardioseg.training.machine.kernels_problem", lambda: "no compiler")


def test_auto_takes_the_kernels_where_network_machine_and_device_allow(monkeypatch):
    monkeypatch.setattr("cardioseg.training.machine.kernels_problem", str)
    assert settled(native("auto")).kernels == "native"
    assert settled(native("auto"), kind="cuda").kernels == "torch"
    assert settled(changed(kernels="auto")).kernels == "torch", "widths of 4 and 8"
    no_kernels(monkeypatch)
    assert settled(native("auto")).kernels == "torch"
    assert settled(native("auto"), native()).kernels == "native", "a run goes on as it began"
    assert settled(native("auto"), CONFIG).kernels == "torch", "so do runs from before kernels"


def test_who_could_train_faster_is_told_how(monkeypatch):
    no_kernels(monkeypatch)
    asked = native("auto")
    assert why_slower(asked, settled(asked)) == "no compiler"
    assert not why_slower(asked, settled(asked, kind="cuda"), "cuda")
    assert not why_slower(native("torch"), native("torch")), "it was not asked for"
    assert not why_slower(changed(kernels="auto"), CONFIG), "no compiler would help"


def test_kernels_that_do_not_take_the_network_are_refused():
    told = changed(kernels="native").model_dump()
    with pytest.raises(ValueError, match="multiples of 8"):
        TrainConfig.model_validate(told)


@pytest.mark.skipif(bool(kernels_problem()), reason=kernels_problem())
def test_a_training_by_the_kernels_learns_resumes_to_the_bit_and_says_so(tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    _, progress = fit(native(epochs=15), TRAINING, VALIDATION, whole)
    assert progress.best_dice > 0.7
    with pytest.raises(StoppedError):
        fit(native("auto", epochs=15), TRAINING, VALIDATION, stopped, interrupt(3, 1))
    no_kernels(monkeypatch)  # `auto` would take PyTorch's now
    fit(native("auto", epochs=15), TRAINING, VALIDATION, stopped)
    assert recorded_config(stopped).kernels == "native"
    expected, found = tensors(whole), tensors(stopped)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_interrupted_twice_is_uninterrupted_bit_for_bit(uninterrupted, tmp_path):
    whole, network, _ = uninterrupted
    for stop in ((2, 1), (4, 3)):
        with pytest.raises(StoppedError):
            fit(CONFIG, TRAINING, VALIDATION, tmp_path, interrupt(*stop))
        torch.rand(100)  # what else the process did with the global generator
    resumed, progress = fit(CONFIG, TRAINING, VALIDATION, tmp_path)
    assert progress.epoch == CONFIG.epochs
    expected, found = tensors(whole), tensors(tmp_path)
    assert expected.keys() == found.keys()
    different = [name for name in expected if not torch.equal(expected[name], found[name])]
    assert different == []
    assert records(tmp_path) == records(whole)
    answers = network.state_dict().items()
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in answers)


def test_the_log_has_one_line_an_epoch_and_dice_where_validated(uninterrupted):
    folder, _, progress = uninterrupted
    lines = records(folder)
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5]
    assert [line["epoch"] for line in lines if "dice" in line] == [2, 4, 5]
    assert {"dice myocardium", "dice blood pool"} <= lines[-1].keys()
    assert progress.best_dice == max(line.get("dice", -1) for line in lines)
    first = json.loads((folder / LOG).read_text().splitlines()[0])
    assert first["seconds"] > 0
    assert first["cpu_seconds"] > 0


def test_a_finished_run_is_not_trained_again_and_its_log_is_mended(uninterrupted):
    folder, network, _ = uninterrupted
    log = (folder / LOG).read_text()
    (folder / LOG).write_text(log[: log.rindex("\n", 0, -1)])
    again, _ = fit(CONFIG, TRAINING, VALIDATION, folder, interrupt(1, 1))
    assert (folder / LOG).read_text() == log
    answers = network.state_dict().items()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in answers)


def test_nothing_but_safetensors_and_json_is_written(uninterrupted):
    folder, _, _ = uninterrupted
    assert sorted(path.name for path in folder.iterdir()) == [CHECKPOINT, LOG]
    assert {name.split(".")[0] for name in tensors(folder)} == {
        "network",
        "average",
        "best",
        "optimiser",
    }


def test_another_seed_is_another_run(uninterrupted, tmp_path):
    whole, _, _ = uninterrupted
    fit(changed(seed=1, epochs=1), TRAINING, VALIDATION, tmp_path)
    assert records(tmp_path)[0]["loss"] != records(whole)[0]["loss"]


def test_the_configured_loss_is_the_one_that_is_trained(uninterrupted, tmp_path):
    whole, _, _ = uninterrupted
    fit(changed(loss=Loss(region="tversky"), epochs=5), TRAINING, VALIDATION, tmp_path)
    assert records(tmp_path)[0]["loss"] != records(whole)[0]["loss"]


def test_the_loss_falls_and_a_toy_problem_is_solved(tmp_path):
    easy = changed(
        plan=CONFIG.plan.model_copy(update={"network": NetworkPlan(widths=(8, 16), classes=3)}),
        augmentation=Augmentation(),
        epochs=20,
        average_decay=0.0,
        validate_every=10,
    )
    network, progress = fit(easy, TRAINING, VALIDATION, tmp_path)
    losses = [record["loss"] for record in progress.history]
    assert losses[-1] < 0.3 * losses[0]
    assert progress.best_dice > 0.85
    assert not network.training
    scores = validate(network, easy.plan.label_scheme, VALIDATION)
    assert scores["dice"] == pytest.approx(progress.best_dice)


def test_a_loss_that_is_no_number_ends_the_training_with_the_last_good_checkpoint(
    tmp_path, monkeypatch
):
    steps = iter([0.5] * 4 + [math.nan])
    monkeypatch.setattr(Gradients, "of", lambda self, batch: next(steps))
    with pytest.raises(DivergenceError, match="epoch 2, step 1: the loss is nan; train with a low"):
        fit(changed(batch_size=len(TRAINING) // 4), TRAINING, VALIDATION, tmp_path)
    (line,) = (tmp_path / LOG).read_text().splitlines()
    assert json.loads(line)["loss"] == 0.5


def test_weights_that_are_not_finite_are_not_kept(tmp_path, monkeypatch):
    right, is_infinite = Gradients.of, iter([False] * 3 + [True])  # the last step of epoch 2

    def of(self, batch):
        loss = right(self, batch)
        if next(is_infinite):
            next(self._forward.parameters()).grad.fill_(math.inf)
        return loss

    monkeypatch.setattr(Gradients, "of", of)
    with pytest.raises(DivergenceError, match="epoch 2: the weights are not finite; train with"):
        fit(changed(batch_size=len(TRAINING) // 2), TRAINING, VALIDATION, tmp_path)
    assert len(records(tmp_path)) == 1


def test_a_tall_volume_is_validated_a_few_slices_at_a_time():
    sizes = []

    class Counting(torch.nn.Module):
        def forward(self, images):
            sizes.append(len(images))
            return torch.nn.functional.one_hot((images[:, 0] > 0.65).long() * 2, 3).movedim(3, 1)

    tall = rings(40, 1)
    tall = SliceStore(
        tall.images,
        tall.labels,
        tuple(replace(e, case="tall", subject="tall") for e in tall.entries),
    )
    scores = validate(Counting(), CONFIG.plan.label_scheme, tall)
    assert max(sizes) <= 16 < sum(sizes)
    blood = tall.images.astype(np.float32) > 0.65
    assert scores["dice"] == pytest.approx(dice(blood, np.asarray(tall.labels) == 2) / 2)


def test_early_stopping_counts_validations_without_a_better_dice(tmp_path):
    hopeless = changed(learning_rate=1e-12, epochs=50, patience=2, validate_every=1)
    hopeless = hopeless.model_copy(update={"average_decay": 0.0, "schedule": "constant"})
    # Labels that are nowhere: Dice stays 0, and the first validation is the best.
    empty = SliceStore(VALIDATION.images, np.zeros_like(VALIDATION.labels), VALIDATION.entries)
    _, progress = fit(hopeless, TRAINING, empty, tmp_path)
    assert (progress.epoch, progress.best_epoch, progress.stale) == (3, 1, 2)
    _, again = fit(hopeless, TRAINING, empty, tmp_path)
    assert again.epoch == 3, "resuming a run that stopped early trains no further"


def test_the_best_weights_are_kept_and_not_the_last(tmp_path):
    config = changed(epochs=3, validate_every=1)
    best, progress = fit(config, TRAINING, VALIDATION, tmp_path)
    kept = tensors(tmp_path)
    same = torch.equal(kept["best.head.weight"], kept["average.head.weight"])
    assert same == (progress.best_epoch == 3)
    assert torch.equal(kept["best.head.weight"], best.head.weight)


def test_every_better_network_is_told_and_the_last_of_them_is_the_answer(tmp_path):
    told = {}

    def improved(epoch, network):
        told[epoch] = {name: value.clone() for name, value in network.state_dict().items()}

    config = changed(epochs=6, validate_every=1)
    best, progress = fit(config, TRAINING, VALIDATION, tmp_path, Watch(improved=improved))
    dice = [record["dice"] for record in progress.history]
    rising = [n for n in range(1, 7) if dice[n - 1] > max(dice[: n - 1], default=-1)]
    assert sorted(told) == rising
    answer = best.state_dict()
    assert all(torch.equal(value, answer[name]) for name, value in told[rising[-1]].items())


def test_without_validation_all_epochs_run_and_the_last_average_is_kept(uninterrupted, tmp_path):
    network, progress = fit(CONFIG, TRAINING, None, tmp_path)
    assert (progress.epoch, progress.best_epoch, progress.best_dice) == (5, 5, -1)
    assert not any("dice" in line for line in records(tmp_path))
    kept = tensors(tmp_path)
    assert torch.equal(kept["best.head.weight"], kept["average.head.weight"])
    assert torch.equal(kept["best.head.weight"], network.head.weight)
    trained, alone = tensors(uninterrupted[0]), "network.head.weight"
    assert torch.equal(kept[alone], trained[alone]), "validation must not change training"


def test_a_run_starts_with_the_best_weights_of_another(uninterrupted, tmp_path):
    whole, network, _ = uninterrupted
    start = best_weights(whole)
    still = changed(learning_rate=1e-12, epochs=1, average_decay=0.0, schedule="constant")
    still = still.model_copy(update={"optimiser": "adam", "weight_decay": 0.0})
    begun, _ = fit(still, TRAINING, None, tmp_path, setup=Setup(start))
    assert torch.allclose(begun.head.weight, network.head.weight, atol=1e-6)


def test_weights_of_another_network_are_refused(uninterrupted, tmp_path):
    wider = CONFIG.plan.model_copy(update={"network": NetworkPlan(widths=(8, 16), classes=3)})
    with pytest.raises(ConfigError, match=r"of another network than plan\.network"):
        fit(
            changed(plan=wider),
            TRAINING,
            None,
            tmp_path,
            setup=Setup(best_weights(uninterrupted[0])),
        )
    with pytest.raises(ConfigError, match="name the directory of a training run"):
        best_weights(tmp_path)


def test_a_checkpoint_of_another_configuration_is_refused(uninterrupted):
    folder, _, _ = uninterrupted
    with pytest.raises(ConfigError, match=r"another configuration; resume with .*config\.json"):
        fit(changed(batch_size=5), TRAINING, VALIDATION, folder)


def test_a_checkpoint_from_before_a_key_existed_is_continued(uninterrupted, tmp_path):
    whole, _, _ = uninterrupted
    with safe_open(whole / CHECKPOINT, framework="pt") as stored:
        metadata = stored.metadata()
    older = json.loads(metadata["config"])
    del older["loss"], older["slice_step"]
    save_file(
        tensors(whole), tmp_path / CHECKPOINT, metadata={**metadata, "config": json.dumps(older)}
    )
    _, progress = fit(CONFIG, TRAINING, VALIDATION, tmp_path, interrupt(1, 1))
    assert progress.epoch == CONFIG.epochs
    with pytest.raises(ConfigError, match="another configuration"):
        fit(changed(loss=Loss(region="tversky")), TRAINING, VALIDATION, tmp_path)


def truncated(folder):
    data = (folder / CHECKPOINT).read_bytes()
    (folder / CHECKPOINT).write_bytes(data[: len(data) // 2])


def emptied(folder):
    (folder / CHECKPOINT).write_bytes(b"")


def of_something_else(folder):
    save_file({"a": torch.zeros(1)}, folder / CHECKPOINT)


@pytest.mark.parametrize("damage", [truncated, emptied, of_something_else])
def test_a_damaged_checkpoint_is_refused_by_its_path(uninterrupted, tmp_path, damage):
    whole, _, _ = uninterrupted
    (tmp_path / CHECKPOINT).write_bytes((whole / CHECKPOINT).read_bytes())
    damage(tmp_path)
    with pytest.raises(ConfigError, match=r"checkpoint\.safetensors: .*start anew"):
        fit(CONFIG, TRAINING, VALIDATION, tmp_path)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", {0.0: 1, 0.5: 1, 1.0: 1}),
        ("cosine", {0.0: 1, 0.25: 0.85355, 0.5: 0.5, 1.0: 0}),
        ("one_cycle", {0.0: 0.01, 0.05: 0.5, 0.1: 1, 0.55: 0.5, 1.0: 0}),
    ],
)
def test_the_schedules_have_their_values(schedule, expected):
    config = changed(schedule=schedule, learning_rate=0.02)
    for done, share in expected.items():
        assert _learning_rate(config, done) == pytest.approx(0.02 * share, abs=1e-6)


def test_each_orthogonal_plane_is_validated_as_a_volume_of_its_own():
    """Two pixels in each plane: axial all right, coronal half right, sagittal missed."""
    reference = np.zeros((3, 4, 4), np.uint8)
    reference[:, 0, :2] = 1
    predicted = np.zeros_like(reference)
    predicted[0, 0, :2] = predicted[1, 0, 1:3] = 1
    predicted[2, 3, :2] = 1
    entries = tuple(
        SliceEntry("p", "p", 0, (0, 0), plane) for plane in ("axial", "coronal", "sagittal")
    )
    store = SliceStore(np.zeros((3, 4, 4), np.float16), reference, entries)
    found = validate(Answer(predicted), CONFIG.plan.label_scheme, store)
    assert found["dice myocardium"] == pytest.approx((1 + 0.5 + 0) / 3)


class Answer(torch.nn.Module):
    """A network that answers given labels, slice by slice."""

    def __init__(self, labels):
        super().__init__()
        self.labels, self.position = torch.from_numpy(labels).long(), 0

    def forward(self, images):
        chosen = self.labels[self.position : self.position + len(images)]
        self.position += len(images)
        return torch.nn.functional.one_hot(chosen, 3).movedim(-1, 1).float()


def test_validation_averages_frames_then_patients_then_structures():
    """Patient p has two frames with Dice 1 and 0, patient q one with 0.5; blood is nowhere."""
    reference = np.zeros((3, 4, 4), np.uint8)
    reference[:, 0, :2] = 1
    predicted = np.zeros_like(reference)
    predicted[0, 0, :2] = 1  # p, first frame: all of it
    predicted[1, 3, :2] = 1  # p, second frame: elsewhere
    predicted[2, 0, 1:3] = 1  # q: one pixel of two
    entries = tuple(
        SliceEntry(case, subject, 0, (0, 0))
        for case, subject in (("p1", "p"), ("p2", "p"), ("q", "q"))
    )
    store = SliceStore(np.zeros((3, 4, 4), np.float16), reference, entries)
    found = validate(Answer(predicted), CONFIG.plan.label_scheme, store)
    assert found == {"dice": pytest.approx(0.5), "dice myocardium": pytest.approx(0.5)}
    nothing = SliceStore(store.images, np.zeros_like(reference), entries)
    assert validate(Answer(nothing.labels), CONFIG.plan.label_scheme, nothing) == {"dice": 0.0}


def test_a_run_depends_on_its_seed_alone(tmp_path):
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
        torch.rand(3)
        fit(changed(epochs=1), TRAINING, VALIDATION, folder)
    first, second = (tensors(folder) for folder in folders)
    assert all(torch.equal(first[name], second[name]) for name in first)
