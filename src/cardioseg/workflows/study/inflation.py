"""How much Dice a split adds by having a patient's slices on both of its sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.evaluation import Report
from cardioseg.evaluation.rows import Row
from cardioseg.evaluation.statistics import Interval, unpaired_interval
from cardioseg.evaluation.summary import subject_table
from cardioseg.workflows.study.analysis import Findings, Key
from cardioseg.workflows.study.budget import stand
from cardioseg.workflows.study.config import Study
from cardioseg.workflows.study.measure import seeds_together
from cardioseg.workflows.study.parts import TEST, UNSEEN

Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class Inflation:
    """Dice per slice on an arm's own test against patients that it never saw.

    Parameters
    ----------
    test, unseen
        Means over structures, patients first; all seeds together.
    test_patients, unseen_patients
        How many.
    interval
        Bootstrap 95 % interval of test minus unseen; the patients of the two are drawn apart.
    """

    arm: str
    test: float
    unseen: float
    test_patients: int
    unseen_patients: int
    interval: Interval | None


@dataclass(frozen=True)
class OnePart:
    """Two arms on the same slices: mean Dice per slice over structures, patients first.

    Parameters
    ----------
    candidate, baseline
        Means over the patients.
    patients
        How many.
    by_patient
        Candidate's and baseline's mean of each patient; over the structures that it has.
    """

    candidate: float
    baseline: float
    patients: int
    by_patient: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class SameSlices:
    """What it is worth to have trained on neighbours: two arms on the slices that both held out.

    Parameters
    ----------
    held_out
        On slices in the test of either. A split by slices has their neighbours in training.
    unseen
        On patients in no part of either: how much better one network is anyway.
    interval
        Bootstrap 95 % interval of the first difference minus the second; the patients of the two
        are drawn apart.
    """

    candidate: str
    baseline: str
    held_out: OnePart
    unseen: OnePart
    interval: Interval | None

    @property
    def inflation(self) -> float:
        """The difference on the slices held out, less that on unseen patients."""
        own, other = self.held_out, self.unseen
        return (own.candidate - own.baseline) - (other.candidate - other.baseline)


def inflations(study: Study, findings: Findings) -> tuple[Inflation, ...]:
    """For each arm that was measured on both: its own test against unseen patients."""
    found = []
    for arm in study.arms:
        tables = []
        for part in (TEST, UNSEEN):
            rows = _dice(findings, arm, part)
            tables.append(
                (subject_table(rows.rows, rows.structures), rows.mean("dice", None, "slice"))
            )
        (test, test_mean), (unseen, unseen_mean) = tables
        if test_mean is not None and unseen_mean is not None:
            interval = unpaired_interval(test, unseen, np.random.default_rng(0))
            counts = len(test), len(unseen)
            found.append(Inflation(arm, test_mean, unseen_mean, *counts, interval))
    return tuple(found)


def same_slices(study: Study, findings: Findings) -> tuple[SameSlices, ...]:
    """For each pair of a split by slices and one by patients that held out slices in common."""
    found = []
    for pair in study.pairs:
        if len({study.data_of(arm).by_slices for arm in pair}) == 1:
            continue
        own, unseen = (_both(findings, pair, part) for part in (TEST, UNSEEN))
        if own is not None and unseen is not None:
            interval = unpaired_interval(own[1], unseen[1], np.random.default_rng(0))
            found.append(SameSlices(*pair, own[0], unseen[0], interval))
    return tuple(found)


def _both(
    findings: Findings, pair: tuple[str, str], part: str
) -> tuple[OnePart, Float64Array] | None:
    """Two arms on the slices of a part where both have a Dice; differences (patients, structures).

    None where they share no slice.
    """
    tables = [
        {_place(row): row for row in _dice(findings, arm, part).rows if row.value is not None}
        for arm in pair
    ]
    common = [place for place in tables[0] if place in tables[1]]
    if not common:
        return None
    candidate, baseline = (Report(tuple(table[place] for place in common)) for table in tables)
    structures = candidate.structures
    first, second = (subject_table(each.rows, structures) for each in (candidate, baseline))
    one, other = (each.mean("dice", None, "slice") or 0.0 for each in (candidate, baseline))
    pairs = zip(np.nanmean(first, axis=1), np.nanmean(second, axis=1), strict=True)
    means = [(float(a), float(b)) for a, b in pairs]
    by_patient = dict(zip(candidate.subjects, means, strict=True))
    return OnePart(one, other, len(first), by_patient), first - second


def _place(row: Row) -> tuple[str, int | None, str]:
    return row.case, row.slice_index, row.structure


def _dice(findings: Findings, arm: str, part: str) -> Report:
    """Dice per slice of an arm, all seeds together, at equal epochs."""
    reports = {
        key.seed: report
        for key, report in findings.reports.items()
        if (key.arm, key.part) == (arm, part) and _is_final(findings, key)
    }
    return seeds_together(reports).select(metric="dice", level="slice")


def _is_final(findings: Findings, key: Key) -> bool:
    final = stand(findings.histories[key.arm, key.seed])
    return final is not None and final.epoch == key.epoch
