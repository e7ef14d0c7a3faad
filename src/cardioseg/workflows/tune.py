"""Search a configuration's values on a data set: trials, a table, pictures, the best as TOML."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
from filelock import FileLock

from cardioseg.core.case import Case
from cardioseg.data.looks import Looks, data_digest, labels_digest
from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError, DatasetError, OutputExistsError
from cardioseg.io.atomic import is_leftover, make_folder, write_text
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.checkpoint import Progress
from cardioseg.training.config import TrainConfig
from cardioseg.training.fit import Step, Watch, fit
from cardioseg.training.storage import kept_in, masked, open_study, sqlite_url
from cardioseg.training.tune import Search, TrialWatch, bind, run_search
from cardioseg.workflows.origin import SPLIT
from cardioseg.workflows.parts import Parts, Told, prepared_parts
from cardioseg.workflows.provenance import Json
from cardioseg.workflows.search_results import Found, found_so_far, told_line, write_results
from cardioseg.workflows.train import CACHE

_GRID = {"plan.size", "plan.spacing_mm", "plan.whole_slices", "plan.plane"}
"""Keys that set what validation sees."""

SEARCH, TRIALS, STUDY, LOCK = "search.json", "trials", "study.db", "lock"
_SQLITE_BESIDE = (f"{STUDY}-journal", f"{STUDY}-wal", f"{STUDY}-shm")


@dataclass(frozen=True)
class TuneListener:
    """Who is told: `tell` gets lines for a person, `show` trials done, of how many, and a note."""

    tell: Told = lambda line: None
    show: Callable[[int, int, str], None] = lambda done, total, note: None


@dataclass(frozen=True)
class Place:
    """Where a search is kept.

    Parameters
    ----------
    output
        Folder for trials and results.
    storage
        URL of the study's storage; none keeps it in `output`/study.db.
    study
        Name of the study in the storage.
    """

    output: Path
    storage: str | None = None
    study: str = "tune"


def tune(
    search: Search,
    dataset: Dataset,
    split: str,
    place: Place,
    listener: TuneListener = TuneListener(),
) -> Found:
    """Search, or go on searching, until the study has as many trials as are wanted.

    Parameters
    ----------
    search
        What is searched.
    dataset
        Cases with labels.
    split
        As :func:`cardioseg.workflows.train.train`; drawn by the base configuration's seed.
    place
        Where the search is kept. Its folder gets best.toml, trials.csv, history.png,
        importance.png, run.json, split.json, a folder for each trial and the prepared slices.
        They are written anew after every trial.
    listener
        Who is told how it goes.

    Raises
    ------
    OutputExistsError
        If the output folder holds something else.
    ConfigError, DatasetError, LeakageError
        If configuration, space, storage, data or split cannot be used.
    """
    output, started = place.output, time.monotonic()
    search.space.check(search.config)
    _require_search_folder(output)
    keep_freed_memory()
    cases = dataset.labelled_cases
    if grids := sorted(_GRID & set(search.space.parameters)):
        listener.tell(
            f"warning: {', '.join(grids)}: each trial's Dice is of its own slices; one that sees "
            "less of the heart may look better than it is"
        )
    training = _Training(search.config, cases, split, output / CACHE, listener.tell)
    parts = training.parts(search.config)
    digest = data_digest(training.looks, cases)
    asked = {
        "configuration": search.config.model_dump_json(),
        "space": search.space.to_json(),
        "data": digest,
        "labels": labels_digest(training.looks, cases),
        "split": parts.record,
    }
    url = place.storage or sqlite_url(output / STUDY)
    with FileLock(output / LOCK):
        study = open_study(url, place.study)
        _mark(output, bind(study, asked))
        write_text(output / SPLIT, parts.record)
    facts: dict[str, Json] = {
        "data": dataset.name,
        "data_digest": digest,
        "storage": masked(url),
    }

    def finished(number: int) -> None:
        with FileLock(output / LOCK):
            found = write_results(study, search, output, facts, started)
        listener.tell(told_line(found.trials[number]))

    bar = _Bar(study, search, listener)
    with kept_in(url):
        run_search(study, search, output / TRIALS, training, TrialWatch(bar.step, finished))
    with kept_in(url), FileLock(output / LOCK):
        found = write_results(study, search, output, facts, started)
    listener.show(found.done, search.trials, "")
    return found


class _Training:
    """Trains a trial; slices are prepared once for each way of preparing that the space has."""

    def __init__(
        self, base: TrainConfig, cases: tuple[Case, ...], split: str, cache: Path, tell: Told
    ) -> None:
        self._base, self._cases, self._split, self._cache = base, cases, split, cache
        self._tell = tell
        self.looks = Looks()
        self._prepared: dict[str, Parts] = {}

    def parts(self, config: TrainConfig) -> Parts:
        """A trial's slices. The base's seed draws the split, whatever the trial's seed is."""
        key = f"{config.slice_step} {config.plan.model_dump_json(exclude={'network'})}"
        if key not in self._prepared:
            config = config.model_copy(update={"seed": self._base.seed})
            parts = prepared_parts(
                config, self._cases, self._split, self._cache, self._tell, self.looks
            )
            if parts.validation is None:
                raise DatasetError(
                    f"{self._split}: no validation subjects, and validation is what a search "
                    "chooses by; name some"
                )
            self._prepared[key] = parts
        return self._prepared[key]

    def __call__(self, config: TrainConfig, folder: Path, watch: Watch) -> Progress:
        parts = self.parts(config)
        _, progress = fit(config, parts.training, parts.validation, folder, watch)
        return progress


class _Bar:
    """The bar's numbers: a study on a server is asked once a trial, not at every step."""

    def __init__(self, study: optuna.Study, search: Search, listener: TuneListener) -> None:
        self._study, self._search, self._listener = study, search, listener
        self._number, self._done, self._best = -1, 0, ""

    def step(self, number: int, step: Step) -> None:
        if number != self._number:
            found = found_so_far(self._study, self._search)
            self._number, self._done = number, found.done
            self._best = f", best {found.best.dice:.4f}" if found.best else ""
        note = f"trial {number}, epoch {step.epoch}/{step.epochs}, loss {step.loss:.3f}{self._best}"
        self._listener.show(self._done, self._search.trials, note)


def _require_search_folder(output: Path) -> None:
    here = output.iterdir() if output.is_dir() else ()
    there = {each.name for each in here if not is_leftover(each)}
    # A search that stopped while slices were prepared has no more than these.
    if SEARCH not in there and there - {CACHE, LOCK, STUDY, *_SQLITE_BESIDE}:
        raise OutputExistsError(f"{output}: is not empty and no search; name another folder")
    make_folder(output)


def _mark(output: Path, identity: str) -> None:
    """Bind the folder to the study: trials' folders are named by the numbers of one study."""
    path = output / SEARCH
    if not path.is_file():
        write_text(path, json.dumps({"format_version": 1, "study": identity}) + "\n")
    elif json.loads(path.read_text()).get("study") != identity:
        raise ConfigError(
            f"{output}: belongs to another search; give its --storage and --study, or name "
            "another folder"
        )
