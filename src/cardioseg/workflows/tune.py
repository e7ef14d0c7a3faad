"""Search a configuration's values on a data set: trials, a table, pictures, the best as TOML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
import tomli_w
from filelock import FileLock

from cardioseg.core.case import Case
from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError, OutputExistsError
from cardioseg.evaluation import png_bytes
from cardioseg.evaluation.search_charts import TrialCurve, history_figure, importance_figure
from cardioseg.io.atomic import write_bytes, write_text
from cardioseg.prepare.plan import Plan
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.checkpoint import Progress
from cardioseg.training.config import TrainConfig
from cardioseg.training.fit import Step, Watch, fit
from cardioseg.training.override import overridden
from cardioseg.training.storage import masked, open_study, sqlite_url
from cardioseg.training.trials import Trial, best_of, importances, trials_of
from cardioseg.training.tune import Search, TrialWatch, bind, run_search
from cardioseg.workflows.parts import Parts, Told, data_digest, labelled_cases, prepared_parts
from cardioseg.workflows.provenance import Json, write_run
from cardioseg.workflows.train import CACHE, SPLIT

SEARCH, TRIALS, STUDY, LOCK = "search.json", "trials", "study.db", "lock"
BEST, TABLE, HISTORY, IMPORTANCE = "best.toml", "trials.csv", "history.png", "importance.png"


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


@dataclass(frozen=True)
class Found:
    """What a search has found so far.

    Parameters
    ----------
    trials
        All trials, by number.
    best
        The complete trial with the highest validation Dice, if there is one.
    config
        Its configuration.
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    config: TrainConfig | None

    def count(self, state: str) -> int:
        """Trials in that state."""
        return sum(each.state == state for each in self.trials)


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
    output = place.output
    search.space.check(search.config, "search space")
    _require_search_folder(output)
    keep_freed_memory()
    cases = labelled_cases(dataset)
    training = _Training(search.config, cases, split, output / CACHE, listener.tell)
    parts = training.parts(search.config.plan)
    digest = data_digest(cases)
    asked = {
        "configuration": search.config.model_dump_json(),
        "space": search.space.to_json(),
        "data": digest,
        "split": parts.record,
    }
    with FileLock(output / LOCK):
        study = open_study(place.storage or sqlite_url(output / STUDY), place.study)
        _mark(output, bind(study, asked))
        write_text(output / SPLIT, parts.record)
    facts: dict[str, Json] = {
        "data": dataset.name,
        "data_digest": digest,
        "storage": masked(place.storage or sqlite_url(output / STUDY)),
    }

    def finished(number: int) -> None:
        with FileLock(output / LOCK):
            found = _write_results(study, search, output, facts)
        listener.tell(_line(found.trials[number]))

    bar = _Bar(study, search, listener)
    run_search(study, search, output / TRIALS, training, TrialWatch(bar.step, finished))
    with FileLock(output / LOCK):
        return _write_results(study, search, output, facts)


class _Training:
    """Trains a trial; slices are prepared once for each way of preparing that the space has."""

    def __init__(
        self, base: TrainConfig, cases: tuple[Case, ...], split: str, cache: Path, tell: Told
    ) -> None:
        self._base, self._cases, self._split, self._cache = base, cases, split, cache
        self._tell = tell
        self._prepared: dict[str, Parts] = {}

    def parts(self, plan: Plan) -> Parts:
        """The slices by that plan. The base's seed draws the split, whatever a trial's seed is."""
        key = plan.model_dump_json(exclude={"network"})
        if key not in self._prepared:
            config = self._base.model_copy(update={"plan": plan})
            self._prepared[key] = prepared_parts(
                config, self._cases, self._split, self._cache, self._tell
            )
        return self._prepared[key]

    def __call__(self, config: TrainConfig, folder: Path, watch: Watch) -> Progress:
        parts = self.parts(config.plan)
        _, progress = fit(config, parts.training, parts.validation, folder, watch)
        return progress


class _Bar:
    """The bar's numbers: a study on a server is asked once a trial, not at every step."""

    def __init__(self, study: optuna.Study, search: Search, listener: TuneListener) -> None:
        self._study, self._search, self._listener = study, search, listener
        self._number, self._done, self._best = -1, 0, ""

    def step(self, number: int, step: Step) -> None:
        if number != self._number:
            trials = trials_of(self._study, self._search.space)
            best = best_of(trials)
            self._number = number
            self._done = sum(each.state in ("complete", "pruned") for each in trials)
            self._best = f", best {best.dice:.4f}" if best else ""
        note = f"trial {number}, epoch {step.epoch}/{step.epochs}, loss {step.loss:.3f}{self._best}"
        self._listener.show(self._done, self._search.trials, note)


def _require_search_folder(output: Path) -> None:
    there = {each.name for each in output.iterdir()} if output.is_dir() else set()
    # A search that stopped while slices were prepared has no more than these.
    if SEARCH not in there and there - {CACHE, LOCK, STUDY}:
        raise OutputExistsError(f"{output}: is not empty and no search; name another folder")
    output.mkdir(parents=True, exist_ok=True)


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


def _write_results(
    study: optuna.Study, search: Search, output: Path, facts: Mapping[str, Json]
) -> Found:
    trials = trials_of(study, search.space)
    best = best_of(trials)
    config = overridden(search.config, best.values) if best else None
    found = Found(trials, best, config)
    write_text(output / TABLE, _table(trials, search))
    if best and config:
        write_text(output / BEST, _toml(best, config))
    curves = [
        TrialCurve(each.number, each.state == "complete", each.curve)
        for each in trials
        if each.state in ("complete", "pruned") and each.curve
    ]
    write_bytes(output / HISTORY, png_bytes(history_figure(curves)))
    shares = importances(study)
    if shares:
        figure = importance_figure(shares, found.count("complete"))
        write_bytes(output / IMPORTANCE, png_bytes(figure))
    write_run(output, "tune", {**facts, **_facts(found, search), "importance": dict(shares)})
    return found


def _facts(found: Found, search: Search) -> dict[str, Json]:
    best = found.best
    return {
        "config": search.config.model_dump(mode="json"),
        "space": json.loads(search.space.to_json()),
        "sampler_seed": search.seed,
        "trials_wanted": search.trials,
        "prune": search.prune,
        "startup_trials": search.startup_trials,
        **{state: found.count(state) for state in ("complete", "pruned", "failed")},
        "best_trial": best.number if best else None,
        "best_validation_dice": best.dice if best else None,
        "best_values": json.loads(json.dumps(best.values)) if best else None,
        "chosen_by": "mean validation Dice on prepared slices; optimistic, since it chose",
    }


def _table(trials: tuple[Trial, ...], search: Search) -> str:
    """The trials as CSV: an empty cell where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    keys = list(search.space.parameters)
    head = ["trial", "state", "validation_dice", "best_epoch", "last_epoch", "seconds"]
    writer.writerow([*head, *keys, "note"])
    for each in trials:
        known = (each.dice, each.best_epoch, max(each.curve, default=None), each.seconds)
        values = [each.values.get(key) for key in keys]
        writer.writerow([each.number, each.state, *known, *values, each.note])
    return text.getvalue()


def _toml(best: Trial, config: TrainConfig) -> str:
    """The best configuration, and where it is from. TOML has no none: such keys are left out."""
    return (
        f"# Trial {best.number} of a search, mean validation Dice {best.dice:.4f}. That figure "
        "chose these values: it is optimistic.\n"
        "# Train with it: cardioseg train --config best.toml\n"
        + tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
    )


def _line(trial: Trial) -> str:
    dice = "no validation" if trial.dice is None else f"validation Dice {trial.dice:.4f}"
    end = (
        f"pruned after epoch {max(trial.curve, default=0)}"
        if trial.state == "pruned"
        else "complete"
    )
    values = ", ".join(f"{key} {_short(value)}" for key, value in trial.values.items())
    note = f" ({trial.note})" if trial.note else ""
    return f"trial {trial.number}: {dice}, {end}; {values}{note}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
