"""The card of a freshly trained model: what it is, what it saw, what it must not be used for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cardioseg.datasets import Dataset
from cardioseg.evaluation.statistics import bootstrap_interval, cohort_mean
from cardioseg.model import LICENCE_ROW, VALIDATION_ROW
from cardioseg.prepare.plan import Plan
from cardioseg.training.checkpoint import Progress
from cardioseg.training.config import TrainConfig
from cardioseg.training.temperature import MARGIN_MM, Calibration

_BOOTSTRAP_SEED = 0
_FIGURES_TOLD = """Dice of the validation part on prepared slices, by volume, mean over patients,
with the bootstrap 95 % interval over patients. This part chose the epoch and fitted the
temperature: its figures are optimistic."""


@dataclass(frozen=True)
class Outcome:
    """How a training run ended.

    Parameters
    ----------
    progress
        Epochs, best Dice, time.
    dice
        Validation Dice by structure and subject, on prepared slices.
    calibration
        The fitted temperature; None where nothing was left to fit it on.
    """

    progress: Progress
    dice: Mapping[str, Mapping[str, float]]
    calibration: Calibration | None

    @property
    def temperature(self) -> float:
        """The fitted temperature, or 1."""
        return self.calibration.temperature if self.calibration else 1.0


def plane_words(plan: Plan) -> str:
    """Which slices the network reads.

    Examples
    --------
    >>> from cardioseg.prepare.plan import NetworkPlan
    >>> network = NetworkPlan(widths=(4, 8), classes=4)
    >>> plane_words(Plan(spacing_mm=2.0, size=(16, 16), network=network, scheme="acdc"))
    'native slices'
    """
    if len(plan.planes) == 1:
        return f"{plan.plane} slices"
    return f"{', '.join(plan.planes[:-1])} and {plan.planes[-1]} slices, their scores averaged"


def input_words(plan: Plan) -> str:
    """What a prepared slice is: plane, spacing and size.

    Examples
    --------
    >>> from cardioseg.prepare.plan import NetworkPlan
    >>> network = NetworkPlan(widths=(4, 8), classes=4)
    >>> plan = Plan(spacing_mm=1.5, size=(16, 16), network=network, scheme="acdc")
    >>> input_words(plan)
    'native slices, 1.5 mm, 16 x 16 pixels'
    >>> input_words(plan.model_copy(update={"whole_slices": True}))
    'native slices, 1.5 mm, whole'
    """
    size = "whole" if plan.whole_slices else f"{plan.size[0]} x {plan.size[1]} pixels"
    return f"{plane_words(plan)}, {plan.spacing_mm:g} mm, {size}"


def model_card(config: TrainConfig, dataset: Dataset, split: str, outcome: Outcome) -> str:
    """A model card as Markdown; `cardioseg models` reads the rows of its first table.

    Parameters
    ----------
    config, dataset, outcome
        What was trained, on what, and how it went.
    split
        The split as JSON, for the number of subjects.
    """
    plan, network, done = config.plan, config.plan.network, outcome.progress
    validated = (
        f"mean Dice {done.best_dice:.4f} on prepared slices, epoch {done.best_epoch}"
        if done.best_dice >= 0
        else "none: every patient trained"
    )
    structures = ", ".join(s.name for s in plan.label_scheme.structures)
    widths = ", ".join(str(width) for width in network.widths)
    return f"""# Model card

| | |
|---|---|
| Structures | {structures} (scheme `{plan.scheme}`) |
| Input | {input_words(plan)} |
| Network | U-Net, {network.convolution} convolutions, widths {widths} |
| Data | {dataset.name}; {_people(split)} |
| Training | {done.epoch} epochs, {done.seconds / 60:.1f} minutes, seed {config.seed} |
| {VALIDATION_ROW} | {validated} |
| Calibration | {_calibration_words(outcome.calibration)} |
| {LICENCE_ROW} | {dataset.license} (the data's) |

Data: {dataset.citation or f"{dataset.name}, no paper named"}

## Intended use

Research on {structures} in images like those of the data. A person looks at every result. This is
not a medical device and must not guide treatment.

## Figures

{_dice_table(outcome.dice)}

## Limits

- Other scanners, contrasts, views, ages and diseases than those of the data have not been measured.
- {_field_words(plan)}
- An image that shows none of these structures is segmented all the same; the verdict of the quality
  gate says what is in doubt.

## Failures

None has been looked at yet. Before you rely on the model, evaluate it on your own images
(`cardioseg evaluate`), look at the worst (`cardioseg compare --images`), and write here what fails.
"""


def _field_words(plan: Plan) -> str:
    if plan.whole_slices:
        return "Whole slices are read; no part of the image is looked at more closely."
    sides = " x ".join(f"{side * plan.spacing_mm:.0f}" for side in plan.size)
    return f"What lies outside {sides} mm around the middle of a slice is called background."


def _people(split: str) -> str:
    parts = json.loads(split)
    counted = ", ".join(f"{len(v)} {k}" for k, v in parts.items() if isinstance(v, list) and v)
    return f"{counted} subjects" if counted else "split by slices: its figures are too good"


def _calibration_words(found: Calibration | None) -> str:
    if found is None:
        return "none: no validation part"
    return (
        f"temperature {found.temperature:g}; expected calibration error within {MARGIN_MM:g} mm of "
        f"the heart {found.ece_before:.4f} before, {found.ece_after:.4f} after"
    )


def _dice_table(dice: Mapping[str, Mapping[str, float]]) -> str:
    """Mean and interval of each structure, and of their mean."""
    if not dice:
        return "None: there was no validation part, or no structure in it."
    subjects = sorted({subject for found in dice.values() for subject in found})
    table = np.array([[dice[name].get(s, np.nan) for name in dice] for s in subjects])
    columns = [(name, table[:, [index]]) for index, name in enumerate(dice)]
    lines = ["| structure | Dice | 95 % interval | patients |", "|---|---:|---|---:|"]
    for name, values in (*columns, ("mean of structures", table)):
        interval = bootstrap_interval(values, np.random.default_rng(_BOOTSTRAP_SEED))
        told = f"{interval.low:.3f} to {interval.high:.3f}" if interval else "one patient: none"
        count = int(np.isfinite(values).any(axis=1).sum())
        lines.append(f"| {name} | {float(cohort_mean(values)[0]):.3f} | {told} | {count} |")
    lines += ["", _FIGURES_TOLD]
    return "\n".join(lines)
