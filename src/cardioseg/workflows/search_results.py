"""What a search leaves: the best configuration as TOML, a table, pictures, a record."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
import tomli_w

from cardioseg.evaluation import png_bytes
from cardioseg.evaluation.search_charts import TrialCurve, history_figure, importance_figure
from cardioseg.io.atomic import write_bytes, write_text
from cardioseg.training.config import TrainConfig
from cardioseg.training.override import overridden
from cardioseg.training.trials import State, Trial, best_of, importances, trials_of
from cardioseg.training.tune import Search
from cardioseg.workflows.provenance import Json, write_run

BEST, TABLE, HISTORY, IMPORTANCE = "best.toml", "trials.csv", "history.png", "importance.png"


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

    @property
    def done(self) -> int:
        """Trials that count: complete and pruned ones."""
        return self.count("complete") + self.count("pruned")

    def count(self, state: State) -> int:
        """Trials in that state."""
        return sum(each.state == state for each in self.trials)


def found_so_far(study: optuna.Study, search: Search) -> Found:
    """What a study holds now."""
    trials = trials_of(study, search.space)
    best = best_of(trials)
    return Found(trials, best, overridden(search.config, best.values) if best else None)


def write_results(
    study: optuna.Study,
    search: Search,
    output: Path,
    facts: Mapping[str, Json],
    started: float,
) -> Found:
    """Write best.toml, trials.csv, history.png, importance.png and run.json.

    Parameters
    ----------
    study, search
        The study, and what is searched.
    output
        Folder.
    facts
        What run.json says beside the search itself.
    started
        `time.monotonic()` when this sitting began.
    """
    found = found_so_far(study, search)
    trials = found.trials
    write_text(output / TABLE, _table(trials, search))
    if found.best and found.config:
        write_text(output / BEST, _toml(found.best, found.config))
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
    told: dict[str, Json] = {**facts, **_facts(found, search), "importance": dict(shares)}
    write_run(output, "tune", told, started)
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
        "complete": found.count("complete"),
        "pruned": found.count("pruned"),
        "failed": found.count("failed"),
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


def told_line(trial: Trial) -> str:
    """A trial in one line, for a person."""
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
