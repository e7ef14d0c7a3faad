"""The trials of a study as plain values, and what they say of the keys that were searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import optuna
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial, TrialState

from cardioseg.training.override import Scalar, Value
from cardioseg.training.space import Choices, Space

State = Literal["complete", "pruned", "failed", "running", "waiting"]

REDO_OF, NOTE = "redo_of", "note"
"""Attributes of a trial: the number of the one that it repeats; what went wrong."""

MINIMUM_FOR_IMPORTANCE = 4
"""Fewer complete trials say nothing of importance."""

_STATES: Mapping[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True)
class Trial:
    """One trial.

    Parameters
    ----------
    number
        Its number in the study, from 0.
    state
        `complete`, `pruned`, `failed` (stopped from outside; another trial repeats it), `running`
        or `waiting`.
    values
        Dotted path and value of each key that was searched.
    curve
        Epoch and mean validation Dice of each validation.
    seconds
        How long it took; of a repeated trial, since it was taken up again.
    note
        What went wrong, or which trial this one repeats.
    """

    number: int
    state: State
    values: Mapping[str, Value]
    curve: Mapping[int, float]
    seconds: float | None = None
    note: str = ""

    @property
    def dice(self) -> float | None:
        """Best validation Dice; None where nothing was validated."""
        return max(self.curve.values(), default=None)

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the best validation Dice."""
        return max(self.curve, key=lambda epoch: self.curve[epoch], default=None)


def trials_of(study: optuna.Study, space: Space) -> tuple[Trial, ...]:
    """Every trial of a study, by number."""
    return tuple(_trial(each, space) for each in study.get_trials(deepcopy=False))


def best_of(trials: tuple[Trial, ...]) -> Trial | None:
    """The complete trial with the highest validation Dice; the first of equals."""
    complete = [each for each in trials if each.state == "complete" and each.dice is not None]
    return max(complete, key=lambda each: each.dice or 0.0, default=None)


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each key in what sets the best trials apart, highest first; sums to 1.

    Empty where there are fewer than four complete trials, or none differ.

    References
    ----------
    S. Watanabe et al., PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
    subspaces, IJCAI 2023, DOI 10.24963/ijcai.2023/488.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < MINIMUM_FOR_IMPORTANCE or len({each.value for each in complete}) < 2:
        return {}
    return {name: float(share) for name, share in get_param_importances(study).items()}


def chosen(params: Mapping[str, Scalar], space: Space) -> dict[str, Value]:
    """The values of a trial's parameters: a list is kept as text in a study."""
    values: dict[str, Value] = {}
    for path, told in params.items():
        parameter = space.parameters[path]
        values[path] = parameter.labelled[told] if isinstance(parameter, Choices) else told
    return values


def _trial(trial: FrozenTrial, space: Space) -> Trial:
    repeats = trial.user_attrs.get(REDO_OF)
    note = str(trial.user_attrs.get(NOTE, "")) or (
        "" if repeats is None else f"repeats trial {repeats}"
    )
    return Trial(
        number=trial.number,
        state=_STATES[trial.state],
        values=chosen(trial.params, space),
        curve=dict(sorted(trial.intermediate_values.items())),
        seconds=trial.duration.total_seconds() if trial.duration else None,
        note=note,
    )
