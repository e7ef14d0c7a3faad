"""Train on a data set: cases, split, leak check, slices, fit, model folder."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cardioseg.data.looks import Looks, digests
from cardioseg.data.slices import SliceStore
from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError, OutputExistsError
from cardioseg.evaluation import learning_curves, png_bytes
from cardioseg.io.atomic import is_empty, make_folder, write_bytes, write_text
from cardioseg.model import Model
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.checkpoint import CHECKPOINT, Progress, best_weights, weights_digest
from cardioseg.training.config import TrainConfig, recorded_in
from cardioseg.training.distributed import ALONE, Processes, joined, told
from cardioseg.training.fit import Setup, Watch, fit
from cardioseg.training.machine import settled, why_slower
from cardioseg.training.repeat import machine
from cardioseg.training.temperature import calibrate
from cardioseg.training.validation import subject_dice
from cardioseg.workflows.card import Outcome, model_card
from cardioseg.workflows.export import network_files
from cardioseg.workflows.origin import Beginning, begin
from cardioseg.workflows.parts import Parts, Told, opened_parts, prepared_parts
from cardioseg.workflows.provenance import Json, write_run

if TYPE_CHECKING:
    from torch import nn

CONFIG, MODEL, CURVES = "config.json", "model", "learning.png"
CACHE = "cache"

CHECK_SLICES = 32
"""Prepared slices on which half-precision weights must give the labels of the full ones."""


@dataclass(frozen=True)
class Listener:
    """Who is told: `tell` gets lines for a person, `watch` every step and epoch."""

    tell: Told = lambda line: None
    watch: Watch = field(default_factory=Watch)


@dataclass(frozen=True)
class Start:
    """Where a run begins, and in which processes.

    Parameters
    ----------
    resume
        Continue a run that stopped.
    weights_of
        Run directory whose best weights are the first ones; None draws new ones.
    processes
        Which of the processes that train together this one is: the first calls :func:`train`, the
        others :func:`assist`.
    """

    resume: bool = False
    weights_of: Path | None = None
    processes: Processes = ALONE


@dataclass(frozen=True)
class Training:
    """A finished run: its model and how it went."""

    model: Model
    progress: Progress


def train(
    config: TrainConfig,
    dataset: Dataset,
    split: str,
    output: Path,
    *,
    start: Start = Start(),
    listener: Listener = Listener(),
) -> Training:
    """Train one network and write its model folder.

    Parameters
    ----------
    config
        Everything that decides the run.
    dataset
        Cases with labels.
    split
        `subjects`: a fifth of the subjects validate, drawn by the config's seed; `slices`: a fifth
        of the slices do, which leaks; else the path of a JSON file with the subjects of each part.
        If its validation is empty, all epochs run and the last weights are kept.
    output
        Run directory: config.json, split.json, log.jsonl, learning.png, checkpoint, run.json
        and model/.
    start
        Anew, from another run's weights, or on from where this run stopped.
    listener
        Who is told how it goes.

    Raises
    ------
    OutputExistsError
        If `output` holds a run and `start` does not resume it.
    ProcessError
        If another process that trains with this one ends early.
    LeakageError
        If a subject, a scan, an image or a near copy of one is in two parts, or the run whose
        weights are the first has trained on who validates here.
    ConfigError, DatasetError
        If configuration, data or split cannot be used, or are not those that a run which goes on
        began with.
    """
    tell, started = listener.tell, time.monotonic()
    asked, recorded = config, recorded_in(output / CONFIG)
    config = settled(asked, recorded, start.processes.kind)
    _require_place(output, start.resume)
    _require_same_config(output, config, recorded)
    if recorded is None and (slower := why_slower(asked, config, start.processes.kind)):
        tell(f"training without compiled kernels: {slower}")
    keep_freed_memory()
    cases, looks = dataset.labelled_cases, Looks()
    parts = prepared_parts(config, cases, split, output / CACHE, tell, looks)
    data = digests(looks, cases)
    beginning = Beginning(dataset, data["labels_digest"], parts.record, start.weights_of)
    started_from = begin(output, beginning, start.resume)
    if not (output / CONFIG).exists():
        write_text(output / CONFIG, config.model_dump_json(indent=2) + "\n")
    validating = f"validating on {len(parts.validation)}" if parts.validation else "no validation"
    tell(f"training on {len(parts.training)} slices, {validating}")
    with joined(start.processes):
        told(start.processes, parts.to_json())
        network, progress = _fit(config, parts, output, start, listener.watch)
    curves = learning_curves([dict(record) for record in progress.history])
    write_bytes(output / CURVES, png_bytes(curves))
    tell("calibrating and exporting the network")
    outcome = _outcome(config, network, progress, parts.validation)
    learnt: dict[str, object] = {"smallest_window": config.patch}
    if outcome.calibration:
        learnt["temperature"] = outcome.temperature
    plan = config.plan.model_copy(update=learnt)
    card = model_card(config, dataset, parts.record, outcome)
    files = network_files(network, plan, card, _check_slices(parts.validation or parts.training))
    model = files.write(output / MODEL)
    facts: dict[str, Json] = {
        "model_id": model.id,
        "plan_sha256": model.plan.digest,
        "weights_sha256": weights_digest(output),
        **machine(start.processes),
        "config": config.model_dump(mode="json"),
        "data": dataset.name,
        **data,
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_validation_dice": progress.best_dice if parts.validation else None,
        "calibration": asdict(outcome.calibration) if outcome.calibration else None,
        "started_from": started_from,
        "seconds": progress.seconds,
    }
    write_run(output, "train", facts, started)
    return Training(model, progress)


def assist(config: TrainConfig, output: Path, start: Start) -> None:
    """Train with the first process, which prepares the slices and writes all there is to write.

    Parameters
    ----------
    config, output, start
        As :func:`train` has them in the first process; `output` is a folder that both see.

    Raises
    ------
    ProcessError
        If another process ends early.
    ConfigError, DatasetError
        If what the first process prepared cannot be used here.
    """
    keep_freed_memory()
    with joined(start.processes):
        parts = opened_parts(output / CACHE, told(start.processes))
        # The first process has settled what its machine is good at, and written it down.
        config = settled(config, recorded_in(output / CONFIG), start.processes.kind)
        _fit(config, parts, output, start, Watch())


def _fit(
    config: TrainConfig, parts: Parts, output: Path, start: Start, watch: Watch
) -> tuple[nn.Module, Progress]:
    weights = best_weights(start.weights_of) if start.weights_of else None
    setup = Setup(weights, start.processes)
    return fit(config, parts.training, parts.validation, output, watch, setup)


def _outcome(
    config: TrainConfig, network: nn.Module, progress: Progress, validation: SliceStore | None
) -> Outcome:
    if validation is None:
        return Outcome(progress, {}, None)
    dice = subject_dice(network, config.plan.label_scheme, validation)
    return Outcome(progress, dice, calibrate(network, config.plan.spacing_mm, validation))


def _check_slices(store: SliceStore) -> NDArray[np.float32]:
    """Slices spread evenly over the store, (N, 1, rows, columns)."""
    count = min(CHECK_SLICES, len(store))
    positions = np.linspace(0, len(store) - 1, count).round().astype(np.intp)
    return store.images[positions].astype(np.float32)[:, None]


def _require_place(output: Path, resume: bool) -> None:
    """Refuse a folder with another run or other files; slices that were prepared may be there."""
    if (output / CHECKPOINT).exists() or (output / CONFIG).exists():
        if not resume:
            raise OutputExistsError(f"{output}: holds a run; add --resume or name another folder")
    elif resume:
        raise ConfigError(f"{output}: no run to resume; leave out --resume to start one")
    elif not (is_empty(output) or _holds_only_slices(output)):
        raise OutputExistsError(f"{output}: is not empty; name another folder")
    make_folder(output)


def _holds_only_slices(folder: Path) -> bool:
    return folder.is_dir() and {each.name for each in folder.iterdir()} == {CACHE}


def _require_same_config(output: Path, config: TrainConfig, recorded: TrainConfig | None) -> None:
    """Also of a run that stopped before its first checkpoint, which would tell."""
    if recorded is not None and settled(recorded, recorded) != config:
        raise ConfigError(
            f"{output}: began with another configuration; resume with the one in "
            f"{output / CONFIG}, or start anew in another folder"
        )
