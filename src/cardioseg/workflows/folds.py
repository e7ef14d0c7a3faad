"""k-fold cross-validation: every patient is predicted by a network that never saw them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from cardioseg.data.looks import Looks, digests
from cardioseg.data.splits import Split, folds, written_out
from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError
from cardioseg.evaluation import Report, combine
from cardioseg.inference.predictor import Predictor, load_model
from cardioseg.io.atomic import make_folder, write_text
from cardioseg.training.config import TrainConfig, recorded_in
from cardioseg.training.machine import settled
from cardioseg.workflows.evaluate import write_report
from cardioseg.workflows.parts import people_of
from cardioseg.workflows.provenance import RUN, Json, write_run
from cardioseg.workflows.study.measure import measure
from cardioseg.workflows.study.parts import HeldOut
from cardioseg.workflows.train import CONFIG, MODEL, Listener, Start, train

RECORD, REPORT = "folds.json", "report"
OUT_OF_FOLD = "out-of-fold"
_SILENT = Listener()


def cross_validate(
    config: TrainConfig,
    dataset: Dataset,
    count: int,
    output: Path,
    listener: Listener = _SILENT,
) -> Report:
    """Train one network a fold and measure each on the patients that it did not see.

    The held-out patients of a fold also validate its training: they choose the epoch, where a
    configuration keeps the best one rather than the last, and the temperature of the scores is
    fitted to them. So Dice and distances may be a little optimistic, and cross-entropy is. Subjects
    that share a scan, an image or a near copy of one stay in one fold.

    Parameters
    ----------
    config
        Trains every fold; its seed draws the folds.
    dataset
        Cases with labels.
    count
        Number of folds.
    output
        Gets fold-K (a training run, labels, one report a case), report/ and run.json. Called again
        with the same input it goes on where it stopped.
    listener
        Who is told how it goes.

    Raises
    ------
    ConfigError
        If `output` holds another cross-validation.
    DatasetError
        If there are fewer subjects than folds.
    """
    started = time.monotonic()
    config = settled(config, recorded_in(output / RECORD))
    cases, looks = dataset.labelled_cases, Looks()
    people = people_of(cases, listener.tell, looks)
    splits = _splits(config, people, count)
    data = digests(looks, cases)
    make_folder(output)
    _claim(output, config, splits, data)
    reports = []
    for number, split in enumerate(splits):
        listener.tell(f"fold {number + 1} of {count}")
        folder = output / f"fold-{number}"
        _train_fold(config, dataset, split, folder, listener)
        held_out = HeldOut(OUT_OF_FOLD, split.cases(cases, "validation"))
        reports.append(measure(_opener(folder / MODEL), held_out, folder / OUT_OF_FOLD))
    report = combine(reports)
    write_report(report, output / REPORT)
    facts: dict[str, Json] = {
        "config": config.model_dump(mode="json"),
        "folds": count,
        "data": dataset.name,
        **data,
    }
    write_run(output, "cross-validate", facts, started)
    return report


def _splits(
    config: TrainConfig, people: tuple[tuple[str, ...], ...], count: int
) -> tuple[Split, ...]:
    """Folds over people, written out as subjects: a person may be in the data under two names."""
    names = [group[0] for group in people]
    drawn = folds(names, count, np.random.default_rng(config.seed))
    return tuple(written_out(split, people) for split in drawn)


def _claim(
    output: Path, config: TrainConfig, splits: tuple[Split, ...], data: Mapping[str, str]
) -> None:
    """Record what is cross-validated here; refuse a folder that holds something else."""
    record = {
        "config": config.model_dump(mode="json"),
        "validation": [list(split.validation) for split in splits],
        **data,
    }
    path = output / RECORD
    if not path.exists():
        write_text(path, json.dumps(record, indent=1) + "\n")
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    # Earlier programs did not record the labels, nor every key of a configuration.
    known = {"labels_digest": data["labels_digest"], **found, "config": record["config"]}
    if recorded_in(path) != config or known != record:
        raise ConfigError(
            f"{output}: holds a cross-validation of another configuration, other images or labels, "
            "or another number of folds; name another folder"
        )


def _train_fold(
    config: TrainConfig, dataset: Dataset, split: Split, folder: Path, listener: Listener
) -> None:
    if (folder / RUN).is_file():  # written last: this fold is trained
        return
    parts = folder.with_name(f"{folder.name}.json")
    write_text(parts, split.to_json())
    start = Start(resume=(folder / CONFIG).is_file())
    train(config, dataset, str(parts), folder, start=start, listener=listener)


def _opener(model: Path) -> Callable[[], Predictor]:
    return lambda: load_model(model)
