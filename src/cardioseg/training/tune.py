"""The search: draw values, train, give up what does worse than most, go on after a stop."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.trial import TrialState
from pydantic import ValidationError

from cardioseg.errors import ConfigError, DivergenceError
from cardioseg.io.atomic import make_folder, write_text
from cardioseg.training.checkpoint import CHECKPOINT, Progress
from cardioseg.training.config import TrainConfig
from cardioseg.training.fit import LOG, Step, Watch
from cardioseg.training.override import Scalar, overridden
from cardioseg.training.space import Range, Space
from cardioseg.training.trials import NOTE, REDO_OF, chosen

CONFIG, LOCK = "config.json", "lock"
ASKED = "asked"
"""Attribute of a study: what it searches, so that nothing else is mixed into it."""

_CONFIGURATION, _ID = "configuration", "id"
_UNPRUNED = 0.25  # no trial is given up in this share of its epochs

Train = Callable[[TrainConfig, Path, Watch], Progress]
"""Trains one configuration in a folder; continues where the folder holds a checkpoint."""


@dataclass(frozen=True)
class Search:
    """What is searched, and for how long.

    Parameters
    ----------
    config
        The base; every key that the space does not name stays as it is.
    space
        The keys that vary.
    trials
        Trials in all, of this and of earlier sittings: complete and pruned ones count.
    startup_trials
        Complete trials before any is pruned.
    prune
        Whether to give up a trial whose best Dice so far is below the median of the others'.
    seed
        A trial's draw is a function of (seed, its place in the search, the trials before it).
    """

    config: TrainConfig
    space: Space
    trials: int = 20
    startup_trials: int = 5
    prune: bool = True
    seed: int = 0

    @property
    def pruner(self) -> BasePruner:
        """Decides after each validation whether a trial goes on."""
        if not self.prune:
            return NopPruner()
        return MedianPruner(self.startup_trials, math.ceil(self.config.epochs * _UNPRUNED))


@dataclass(frozen=True)
class TrialWatch:
    """Who is told: `step` of each step of the trial of that number, `finished` of its end."""

    step: Callable[[int, Step], None] = lambda number, step: None
    finished: Callable[[int], None] = lambda number: None


def bind(study: optuna.Study, asked: Mapping[str, str]) -> str:
    """Keep in the study what it searches; refuse a study that searches something else.

    Parameters
    ----------
    study
        As :func:`cardioseg.training.storage.open_study` opens it.
    asked
        What is searched, by name; `configuration` as JSON, whose new keys have their defaults.

    Returns
    -------
    str
        What tells this study from every other, whatever its name.

    Raises
    ------
    ConfigError
        If the study was begun with something else; it names what differs.
    """
    kept = study.user_attrs.get(ASKED)
    if kept is None and not study.get_trials(deepcopy=False):
        kept = {**asked, _ID: secrets.token_hex(16)}
        study.set_user_attr(ASKED, kept)
    # A study that an earlier version began does not tell the labels.
    told = {"labels": asked.get("labels"), **(kept or {})}
    differing = [name for name, value in asked.items() if not _is_same(name, told.get(name), value)]
    if kept is None or differing:
        raise ConfigError(
            f"study {study.study_name!r} was begun with another {' and '.join(differing)}; give "
            "the same, or begin another with --study and another output folder"
        )
    return str(kept[_ID])


def _is_same(name: str, kept: str | None, asked: str) -> bool:
    """Whether two values are one; a key that an older configuration lacks has its default there."""
    if name != _CONFIGURATION or kept is None or kept == asked:
        return kept == asked
    try:
        first, second = (TrainConfig.model_validate_json(text) for text in (kept, asked))
    except ValidationError:
        return False
    return first == second


def run_search(
    study: optuna.Study, search: Search, folder: Path, train: Train, watch: TrialWatch
) -> None:
    """Run trials until the study has as many as are wanted.

    Several processes may search one study. A trial that stopped from outside is marked failed, and
    another repeats its values and continues its checkpoint.

    Parameters
    ----------
    study
        As :func:`cardioseg.training.storage.open_study` opens it.
    search
        What is searched.
    folder
        Each trial has its own folder here, named by its number.
    train
        Trains one configuration.
    watch
        Told of every step and of every trial's end.
    """
    study.pruner = search.pruner
    make_folder(folder)
    while True:
        # Held while one process decides: two would both take up a stopped trial, or the last one.
        with FileLock(folder / LOCK):
            _take_up_stopped(study, folder)
            if _begun(study, folder) >= search.trials:
                return
            trial = study.ask()
            place = _settled(folder, trial)
            lock = FileLock(place / LOCK)
            lock.acquire(timeout=0)
        try:
            _try(trial, search, place, train, watch)
        finally:
            lock.release()
        # The answer of a search is values, not weights: twenty checkpoints are gigabytes.
        (place / CHECKPOINT).unlink(missing_ok=True)
        watch.finished(trial.number)


def _try(trial: optuna.Trial, search: Search, place: Path, train: Train, watch: TrialWatch) -> None:
    """One trial, from its draw to its end in the study; Ctrl-C leaves it to be taken up."""
    study = trial.study
    # A sampler seeded alike in each sitting would draw the first sitting's values again.
    seed = int(np.random.default_rng([search.seed, _place_in_search(trial)]).integers(2**31))
    study.sampler = TPESampler(seed=seed)
    params = {path: _suggested(trial, path, search.space) for path in search.space.parameters}
    try:
        config = overridden(search.config, chosen(params, search.space))
    except ConfigError as error:  # each value is allowed, but not all of them together
        trial.set_user_attr(NOTE, str(error))
        study.tell(trial, state=TrialState.PRUNED)
        return
    for epoch, dice in _validated(place):
        trial.report(dice, epoch)

    def judge(record: Mapping[str, float]) -> None:
        if "dice" in record:
            trial.report(record["dice"], int(record["epoch"]))
            if record["epoch"] < config.epochs and trial.should_prune():
                raise optuna.TrialPruned

    write_text(place / CONFIG, config.model_dump_json(indent=2) + "\n")
    told = Watch(step=lambda step: watch.step(trial.number, step), epoch=judge)
    try:
        progress = train(config, place, told)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except DivergenceError as error:  # values that can't be trained with are an answer, too
        trial.set_user_attr(NOTE, str(error))
        study.tell(trial, state=TrialState.PRUNED)
    except Exception as error:
        trial.set_user_attr(NOTE, f"{type(error).__name__}: {error}")
        study.tell(trial, state=TrialState.FAIL)
        raise
    else:
        study.tell(trial, progress.best_dice)


def _place_in_search(trial: optuna.Trial) -> int:
    """Its number without trials that were stopped: a search with a stop draws as one without."""
    trials = trial.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return trial.number - sum(each.number < trial.number for each in trials)


def _suggested(trial: optuna.Trial, path: str, space: Space) -> Scalar:
    parameter = space.parameters[path]
    if not isinstance(parameter, Range):
        drawn = trial.suggest_categorical(path, tuple(parameter.labelled))
        return cast("Scalar", drawn)  # no choice is none
    if parameter.is_whole:
        low, high, step = (int(n) for n in (parameter.low, parameter.high, parameter.step or 1))
        return trial.suggest_int(path, low, high, step=step, log=parameter.log)
    return trial.suggest_float(
        path, parameter.low, parameter.high, step=parameter.step, log=parameter.log
    )


def _take_up_stopped(study: optuna.Study, folder: Path) -> None:
    """Mark what stopped from outside as failed, and queue its values again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        place = _place(folder, trial.number)
        if place.is_dir() and not _is_alive(place):
            study.tell(trial.number, state=TrialState.FAIL)
            study.enqueue_trial(trial.params, user_attrs={REDO_OF: trial.number})
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)):
        # Left where the process ended between telling the result and removing it.
        (_place(folder, trial.number) / CHECKPOINT).unlink(missing_ok=True)


def _begun(study: optuna.Study, folder: Path) -> int:
    """Trials that are finished, or run in this folder; of other folders nobody knows here."""
    return sum(
        trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        or (trial.state == TrialState.RUNNING and _place(folder, trial.number).is_dir())
        for trial in study.get_trials(deepcopy=False)
    )


def _settled(folder: Path, trial: optuna.Trial) -> Path:
    """The trial's folder; that of the trial which it repeats, if it lies here."""
    place = _place(folder, trial.number)
    repeated = trial.user_attrs.get(REDO_OF)
    if repeated is not None and _place(folder, int(repeated)).is_dir():
        _place(folder, int(repeated)).rename(place)
    make_folder(place)
    return place


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}"


def _is_alive(place: Path) -> bool:
    """Whether a process works there: the system frees a lock when its process ends, however."""
    lock = FileLock(place / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _validated(place: Path) -> list[tuple[int, float]]:
    """Epoch and Dice of each validation that an earlier sitting left."""
    if not (place / CHECKPOINT).is_file() or not (place / LOG).is_file():
        return []
    records = [json.loads(line) for line in (place / LOG).read_text().splitlines()]
    return [(record["epoch"], record["dice"]) for record in records if "dice" in record]
