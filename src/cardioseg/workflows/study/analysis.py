"""What the measured networks say: contrasts at equal epochs and at equal time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cardioseg.evaluation import Comparison, Report, compare
from cardioseg.evaluation.rows import LEVELS, Level
from cardioseg.evaluation.summary import MEAN_OF_STRUCTURES
from cardioseg.workflows.study.budget import History, Stand, cpu_seconds, stand
from cardioseg.workflows.study.config import Study
from cardioseg.workflows.study.measure import seeds_together
from cardioseg.workflows.study.verdict import Verdict, verdict

Budget = Literal["equal epochs", "equal minutes"]
BUDGETS: tuple[Budget, ...] = ("equal epochs", "equal minutes")

VOLUME_METRICS = ("dice", "cce", "hd95_mm", "assd_mm")
SLICE_METRICS = ("dice", "cce")


@dataclass(frozen=True)
class Key:
    """Which measurement: arm, seed, epoch of the weights, and what they were measured on."""

    arm: str
    seed: int
    epoch: int
    part: str


@dataclass(frozen=True, eq=False)
class Findings:
    """All that was trained and measured so far.

    Parameters
    ----------
    histories
        Records of the epochs by (arm, seed).
    reports
        By key.
    contrasted
        By arm, the held-out part that contrasts are drawn on.
    """

    histories: Mapping[tuple[str, int], History]
    reports: Mapping[Key, Report]
    contrasted: Mapping[str, str]

    def seeds(self) -> tuple[int, ...]:
        """Seeds that every arm was trained with."""
        arms = {arm for arm, _ in self.histories}
        seeds = dict.fromkeys(seed for _, seed in self.histories)
        return tuple(s for s in seeds if all((arm, s) in self.histories for arm in arms))


@dataclass(frozen=True)
class SeedResult:
    """One seed of a contrast: how either network stood, and its mean Dice per level."""

    seed: int
    candidate: Stand
    baseline: Stand
    dice: dict[Level, tuple[float | None, float | None]]


@dataclass(frozen=True, eq=False)
class Contrast:
    """Candidate against baseline in one budget.

    Parameters
    ----------
    seeds
        Seeds in which both networks had been validated within the budget.
    comparisons
        By level; a level that was not measured is not there.
    verdicts
        One a level.
    reports
        Candidate's and baseline's, all seeds together.
    """

    candidate: str
    baseline: str
    budget: Budget
    seeds: tuple[SeedResult, ...]
    comparisons: dict[Level, tuple[Comparison, ...]]
    verdicts: tuple[Verdict, ...]
    reports: tuple[Report, Report]


def pair_stands(
    pair: tuple[str, str], budget: Budget, histories: Mapping[str, History]
) -> tuple[Stand | None, Stand | None]:
    """How the two networks of one seed stood: after all epochs, or in the faster one's CPU time."""
    first, second = (histories[arm] for arm in pair)
    limit = min(cpu_seconds(first), cpu_seconds(second)) if budget == "equal minutes" else None
    return stand(first, limit), stand(second, limit)


def contrasts(study: Study, findings: Findings) -> tuple[Contrast, ...]:
    """Every contrast in both budgets; one without a single common seed is left out."""
    found = (_contrast(study, findings, pair, budget) for pair in study.pairs for budget in BUDGETS)
    return tuple(contrast for contrast in found if contrast)


def _contrast(
    study: Study, findings: Findings, pair: tuple[str, str], budget: Budget
) -> Contrast | None:
    seeds = []
    reports: tuple[dict[int, Report], dict[int, Report]] = ({}, {})
    for seed in findings.seeds():
        histories = {arm: findings.histories[arm, seed] for arm in pair}
        first, second = pair_stands(pair, budget, histories)
        if first is None or second is None:
            continue
        one, other = (
            findings.reports[Key(arm, seed, where.epoch, findings.contrasted[arm])]
            for arm, where in zip(pair, (first, second), strict=True)
        )
        reports[0][seed], reports[1][seed] = one, other
        dice = {
            level: (one.mean("dice", level=level), other.mean("dice", level=level))
            for level in _levels(one)
        }
        seeds.append(SeedResult(seed, first, second, dice))
    if not seeds:
        return None
    candidate, baseline = (seeds_together(each) for each in reports)
    comparisons = _comparisons(candidate, baseline)
    verdicts = tuple(
        verdict(_mean_dice(found), study.margin, level) for level, found in comparisons.items()
    )
    return Contrast(*pair, budget, tuple(seeds), comparisons, verdicts, (candidate, baseline))


def _levels(report: Report) -> tuple[Level, ...]:
    return tuple(level for level in LEVELS if any(row.level == level for row in report.rows))


def _comparisons(candidate: Report, baseline: Report) -> dict[Level, tuple[Comparison, ...]]:
    metrics = {"volume": VOLUME_METRICS, "slice": SLICE_METRICS}
    found = {
        level: compare(candidate, baseline, np.random.default_rng(0), metrics[level], level)
        for level in _levels(candidate)
    }
    return {level: each for level, each in found.items() if each}


def _mean_dice(comparisons: tuple[Comparison, ...]) -> Comparison:
    """Dice of the mean of structures; of the only structure where there is one."""
    dice = [c for c in comparisons if c.metric == "dice"]
    return next((c for c in dice if c.structure == MEAN_OF_STRUCTURES), dice[0])
