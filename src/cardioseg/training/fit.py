"""The training loop, on one page; each epoch is a function of (seed, epoch), so it can resume.

Several processes run it in step: each has a share of every batch, and the first one writes.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cardioseg.data.slices import SliceStore
from cardioseg.errors import ConfigError, DivergenceError
from cardioseg.io.atomic import write_text
from cardioseg.nets.unet import UNet
from cardioseg.training.batches import batches
from cardioseg.training.checkpoint import (
    CHECKPOINT,
    Learner,
    Progress,
    load_checkpoint,
    recorded_config,
    save_checkpoint,
)
from cardioseg.training.config import TrainConfig
from cardioseg.training.distributed import (
    ALONE,
    Processes,
    require_agreement,
    require_one_process,
    summed,
)
from cardioseg.training.machine import settled
from cardioseg.training.parallel import Gradients
from cardioseg.training.validation import validate

LOG = "log.jsonl"
_WARM_UP = 0.1


@dataclass(frozen=True)
class Step:
    """Where a run is, for a progress bar: epoch and step of how many, the running loss."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Watch:
    """Who is told of every step, of every epoch's record, and of every better network.

    `improved` gets the epoch and its network before the checkpoint says so: what it writes is
    there, or the epoch is trained again.
    """

    step: Callable[[Step], None] = lambda step: None
    epoch: Callable[[Mapping[str, float]], None] = lambda record: None
    improved: Callable[[int, nn.Module], None] = lambda epoch, network: None


@dataclass(frozen=True)
class Setup:
    """What a training begins with and where it runs.

    Parameters
    ----------
    weights
        The first weights, as :func:`cardioseg.training.checkpoint.best_weights` reads them; None
        draws new ones.
    processes
        Which of how many processes this one is. All call :func:`fit` with the same arguments.
    """

    weights: Mapping[str, Tensor] | None = None
    processes: Processes = ALONE


def fit(
    config: TrainConfig,
    training: SliceStore,
    validation: SliceStore | None,
    folder: Path,
    watch: Watch = Watch(),
    setup: Setup = Setup(),
) -> tuple[nn.Module, Progress]:
    """Train a network; continue if `folder` holds a checkpoint.

    Parameters
    ----------
    config
        Everything that decides the run.
    training, validation
        Prepared slices of either part. Without validation the last weights are kept.
    folder
        Where the checkpoint and log.jsonl (one record an epoch) go.
    watch
        Told of every step and epoch, in each process.
    setup
        First weights and processes. Checkpoints are the same whatever the number of processes, and
        a run may go on with another one.

    Returns
    -------
    tuple
        The network with the best validated weights, in evaluation mode, and the progress.

    Raises
    ------
    ConfigError
        If the checkpoint is damaged or of another configuration, the first weights are of another
        network, or processes do not agree on where to start.
    DivergenceError
        If the loss is not a number, or weights are not finite; the checkpoint is that of the epoch
        before.
    ProcessError
        If another process ends early.
    """
    processes = setup.processes
    if processes.count == 1:
        require_one_process()
    config = settled(config, recorded_config(folder), processes.kind)
    learner = _new_learner(config, setup)
    told = config.model_dump_json()
    progress = Progress()
    if (folder / CHECKPOINT).is_file():
        progress = load_checkpoint(folder, learner, told)
        if processes.is_first:
            _write_log(folder, progress)  # its last line is lost if it stopped right before it
    require_agreement(processes, f"{told} {progress.epoch}")
    gradients = Gradients(config, learner.network, processes)
    while progress.epoch < config.epochs and not _is_stale(config, progress):
        started, started_cpu = time.monotonic(), time.process_time()
        loss, rate = _train_epoch(config, learner, gradients, training, progress.epoch, watch)
        progress = replace(progress, epoch=progress.epoch + 1)
        progress = _after_epoch(config, learner, validation, progress, processes)
        seconds = time.monotonic() - started
        record = {"epoch": progress.epoch, "loss": loss, "learning_rate": rate, "seconds": seconds}
        record["cpu_seconds"] = _over_processes(processes, time.process_time() - started_cpu)
        history = (*progress.history[:-1], {**record, **progress.history[-1]})
        progress = replace(progress, seconds=progress.seconds + seconds, history=history)
        if progress.best_epoch == progress.epoch:
            watch.improved(progress.epoch, learner.best)
        if processes.is_first:
            save_checkpoint(folder, learner, progress, told)
            _write_log(folder, progress)
        watch.epoch(history[-1])
    return learner.best.eval(), progress


def _new_learner(config: TrainConfig, setup: Setup) -> Learner:
    torch.manual_seed(config.seed)
    network = UNet(config.plan.network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    if setup.weights is not None:
        _start_with(network, setup.weights)
    best = copy.deepcopy(network).requires_grad_(False)  # stays on the CPU, where it is exported
    network.to(setup.processes.device)
    if config.optimiser == "adam":
        optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    else:
        optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
    average = copy.deepcopy(network).requires_grad_(False)
    return Learner(network, average, best, optimiser)


def _start_with(network: UNet, weights: Mapping[str, Tensor]) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(
            "the weights to start with are of another network than plan.network; "
            f"take over its widths, convolution and classes: {error}"
        ) from error


def _train_epoch(
    config: TrainConfig,
    learner: Learner,
    gradients: Gradients,
    store: SliceStore,
    epoch: int,
    watch: Watch,
) -> tuple[float, float]:
    """One pass over the slices; the mean loss and the last learning rate."""
    rng = np.random.default_rng([config.seed, epoch])
    torch.manual_seed(int(rng.integers(0, 2**63)))
    learner.network.train()
    steps = math.ceil(len(store) / config.batch_size)
    total, rate = 0.0, 0.0
    for step, batch in enumerate(batches(config, store, rng, gradients.processes)):
        rate = _learning_rate(config, (epoch + step / steps) / config.epochs)
        for group in learner.optimiser.param_groups:
            group["lr"] = rate
        learner.optimiser.zero_grad(set_to_none=True)
        total += gradients.of(batch)
        if not math.isfinite(total):
            raise _diverged(f"epoch {epoch + 1}, step {step + 1}: the loss is {total}", rate)
        learner.optimiser.step()
        _average(learner, config.average_decay, epoch * steps + step)
        watch.step(Step(epoch + 1, config.epochs, step + 1, steps, total / (step + 1)))
    if not all(bool(weights.isfinite().all()) for weights in learner.network.parameters()):
        raise _diverged(f"epoch {epoch + 1}: the weights are not finite", rate)
    return total / steps, rate


def _diverged(what: str, rate: float) -> DivergenceError:
    return DivergenceError(
        f"{what}; train with a lower learning_rate than {rate:.2g}, in another folder"
    )


def _learning_rate(config: TrainConfig, done: float) -> float:
    """Learning rate when a share `done` of the run is behind."""
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "one_cycle":
        if done < _WARM_UP:
            return config.learning_rate * max(done / _WARM_UP, 0.01)
        done = (done - _WARM_UP) / (1 - _WARM_UP)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


@torch.no_grad()
def _average(learner: Learner, decay: float, step: int) -> None:
    """Move the average towards the network; young averages move faster."""
    share = 1 - min(decay, (1 + step) / (10 + step)) if decay else 1.0
    pairs = zip(
        learner.average.state_dict().values(), learner.network.state_dict().values(), strict=True
    )
    for kept, new in pairs:
        if kept.is_floating_point():
            kept.lerp_(new, share)
        else:
            kept.copy_(new)


def _after_epoch(
    config: TrainConfig,
    learner: Learner,
    store: SliceStore | None,
    progress: Progress,
    processes: Processes,
) -> Progress:
    """Validate if it is due, keep the best weights, and begin the epoch's record."""
    if store is None:
        learner.best.load_state_dict(learner.average.state_dict())
        history = (*progress.history, {})
        return replace(progress, history=history, best_epoch=progress.epoch)
    due = progress.epoch % config.validate_every == 0 or progress.epoch == config.epochs
    if not due:
        return replace(progress, history=(*progress.history, {}))
    scores = validate(learner.average, config.plan.label_scheme, store, processes)
    dice = scores["dice"]
    progress = replace(progress, history=(*progress.history, scores), stale=progress.stale + 1)
    if dice > progress.best_dice:
        learner.best.load_state_dict(learner.average.state_dict())
        progress = replace(progress, best_dice=dice, best_epoch=progress.epoch, stale=0)
    return progress


def _over_processes(processes: Processes, seconds: float) -> float:
    return float(summed(processes, torch.tensor(seconds, dtype=torch.float64)))


def _write_log(folder: Path, progress: Progress) -> None:
    write_text(folder / LOG, "".join(json.dumps(line) + "\n" for line in progress.history))


def _is_stale(config: TrainConfig, progress: Progress) -> bool:
    return bool(config.patience) and progress.stale >= config.patience
