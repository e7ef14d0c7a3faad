"""Train on a data set: cases, split, leak check, slices, fit, model folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cardioseg.core.case import Case
from cardioseg.data.leakage import content_digest, require_no_leak
from cardioseg.data.slices import SliceStore, store_slices
from cardioseg.data.splits import Split, read_split, split_by_subject, subjects_of
from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError, DatasetError, OutputExistsError
from cardioseg.evaluation import learning_curves, png_bytes
from cardioseg.io.atomic import write_bytes, write_text
from cardioseg.model import Model
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.checkpoint import CHECKPOINT, Progress, best_weights
from cardioseg.training.config import TrainConfig
from cardioseg.training.fit import Watch, fit
from cardioseg.workflows.card import model_card
from cardioseg.workflows.export import network_files
from cardioseg.workflows.provenance import Json, file_digest, write_run

CONFIG, SPLIT, MODEL, CURVES = "config.json", "split.json", "model", "learning.png"
SLICE_SHARE = 0.2

Told = Callable[[str], None]


@dataclass(frozen=True)
class Listener:
    """Who is told: `tell` gets lines for a person, `watch` every step and epoch."""

    tell: Told = lambda line: None
    watch: Watch = field(default_factory=Watch)


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    Parameters
    ----------
    resume
        Continue a run that stopped.
    weights_of
        Run directory whose best weights are the first ones; None draws new ones.
    """

    resume: bool = False
    weights_of: Path | None = None


@dataclass(frozen=True)
class Training:
    """A finished run: its model and how it went."""

    model: Model
    progress: Progress


@dataclass(frozen=True, eq=False)
class _Parts:
    training: SliceStore
    validation: SliceStore | None
    record: str


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
    LeakageError
        If a subject or an image is in two parts.
    ConfigError, DatasetError
        If configuration, data or split cannot be used.
    """
    tell = listener.tell
    _open_run(output, config, start.resume)
    keep_freed_memory()
    cases = tuple(case for case in dataset.cases if case.load_labels is not None)
    parts = _parts(config, cases, split, output, tell)
    write_text(output / SPLIT, parts.record)
    validating = f"validating on {len(parts.validation)}" if parts.validation else "no validation"
    tell(f"training on {len(parts.training)} slices, {validating}")
    weights = best_weights(start.weights_of) if start.weights_of else None
    network, progress = fit(
        config, parts.training, parts.validation, output, listener.watch, weights
    )
    curves = learning_curves([dict(record) for record in progress.history])
    write_bytes(output / CURVES, png_bytes(curves))
    tell("exporting the network")
    card = model_card(config, dataset, parts.record, progress)
    model = network_files(network, config.plan, card).write(output / MODEL)
    facts: dict[str, Json] = {
        "model_id": model.id,
        "config": config.model_dump(mode="json"),
        "data": dataset.name,
        "data_digest": _data_digest(cases),
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_validation_dice": progress.best_dice if parts.validation else None,
        "started_from": file_digest(start.weights_of / CHECKPOINT) if start.weights_of else None,
        "seconds": progress.seconds,
    }
    write_run(output, "train", facts)
    return Training(model, progress)


def _open_run(output: Path, config: TrainConfig, resume: bool) -> None:
    if (output / CHECKPOINT).exists() or (output / CONFIG).exists():
        if not resume:
            raise OutputExistsError(f"{output}: holds a run; add --resume or name another folder")
    elif resume:
        raise ConfigError(f"{output}: no run to resume; leave out --resume to start one")
    elif output.is_dir() and any(output.iterdir()):
        raise OutputExistsError(f"{output}: is not empty; name another folder")
    output.mkdir(parents=True, exist_ok=True)
    if not (output / CONFIG).exists():
        write_text(output / CONFIG, config.model_dump_json(indent=2) + "\n")


def _parts(
    config: TrainConfig, cases: Sequence[Case], split: str, output: Path, tell: Told
) -> _Parts:
    cache = output / "cache"
    if split == "slices":
        tell(
            "warning: --split slices puts slices of one patient into both parts; "
            "every figure of this run is too good"
        )
        store = store_slices(cases, config.plan, cache, _counting(tell))
        order = np.random.default_rng(config.seed).permutation(len(store))
        count = max(round(SLICE_SHARE * len(store)), 1)
        record = f'{{"split": "slices", "seed": {config.seed}}}\n'
        return _Parts(
            store.take(np.sort(order[count:])), store.take(np.sort(order[:count])), record
        )
    chosen = _subjects(config, cases, split)
    training, validation = chosen.cases(cases, "training"), chosen.cases(cases, "validation")
    tell(f"checking {len(training) + len(validation)} cases for leaks")
    test = tuple(case for case in cases if case.subject in set(chosen.test))
    require_no_leak({"training": training, "validation": validation, "test": test})
    first, second = (
        store_slices(part, config.plan, cache, _counting(tell)) if part else None
        for part in (training, validation)
    )
    if first is None:
        raise DatasetError(f"{split}: no training subjects")
    return _Parts(first, second, chosen.to_json())


def _subjects(config: TrainConfig, cases: Sequence[Case], split: str) -> Split:
    if split == "subjects":
        return split_by_subject(subjects_of(cases), np.random.default_rng(config.seed))
    return read_split(Path(split))


def _counting(tell: Told) -> Callable[[int, int], None]:
    def told(done: int, total: int) -> None:
        if done in (0, total):
            tell(f"prepared {done} of {total} cases")

    return told


def _data_digest(cases: Sequence[Case]) -> str:
    digests = sorted(content_digest(case) for case in cases)
    return hashlib.sha256("".join(digests).encode()).hexdigest()
