"""Two reports of the same cases against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cardioseg.errors import DatasetError
from cardioseg.evaluation.paired import holm, paired_wilcoxon
from cardioseg.evaluation.report import Report
from cardioseg.evaluation.rows import Level
from cardioseg.evaluation.statistics import Interval, bootstrap_interval
from cardioseg.evaluation.summary import MEAN_OF_STRUCTURES, subject_table
from cardioseg.evaluation.tables import markdown_table, number

Float64Array = NDArray[np.float64]

COMPARED_METRICS = ("dice", "hd95_mm", "assd_mm")


@dataclass(frozen=True)
class Comparison:
    """One metric of one structure in two reports, paired by patient.

    Parameters
    ----------
    metric, structure
        What is compared; `mean of structures` for their mean.
    subjects
        Patients with a value in both reports.
    unpaired
        Patients with a value in one report only, such as a spurious structure that the other
        prediction rightly left out.
    mean_a, mean_b
        Means over the paired patients.
    interval
        Bootstrap 95 % interval of a - b; None with fewer than two patients.
    p_value, p_holm
        Wilcoxon's signed-rank test, two-sided, alone and adjusted for all tests made together.
    rank_biserial
        Effect size, -1 to 1; positive where a is larger.
    """

    metric: str
    structure: str
    subjects: int
    unpaired: int
    mean_a: float
    mean_b: float
    interval: Interval | None
    p_value: float
    p_holm: float
    rank_biserial: float


def compare(
    a: Report,
    b: Report,
    rng: np.random.Generator,
    metrics: Sequence[str] = COMPARED_METRICS,
    level: Level = "volume",
) -> tuple[Comparison, ...]:
    """Test two reports of the same cases for differences, with Holm's correction.

    Parameters
    ----------
    a, b
        Reports of the same cases and structures.
    rng
        Source of randomness for the bootstrap.
    metrics
        Names of the metrics.
    level
        `volume` or `slice`; the slices of a patient are averaged before they are compared.

    Raises
    ------
    DatasetError
        If the reports are of different cases or structures.

    Examples
    --------
    >>> from cardioseg.evaluation.rows import Row
    >>> a, b = (Report(tuple(Row(c, c, "myocardium", "dice", float(c) - d) for c in ("0.8", "0.9")))
    ...         for d in (0.0, 0.1))
    >>> result, = compare(a, b, np.random.default_rng(0), metrics=["dice"])
    >>> result.subjects, result.p_value, result.rank_biserial
    (2, 0.5, 1.0)
    """
    _require_same_cases(a, b)
    found = []
    for metric in metrics:
        found += _compare_metric(
            a.select(metric=metric, level=level), b.select(metric=metric, level=level), rng
        )
    adjusted = holm([comparison.p_value for comparison in found])
    return tuple(replace(c, p_holm=p) for c, p in zip(found, adjusted, strict=True))


def comparison_table(comparisons: Sequence[Comparison], name_a: str, name_b: str) -> str:
    """Markdown table of comparisons."""
    header = ["metric", "structure", "patients", "unpaired", name_a, name_b, "difference"]
    header += ["95 % interval", "p", "p (Holm)", "rank-biserial"]
    body = []
    for c in comparisons:
        means = [number(c.mean_a, c.metric), number(c.mean_b, c.metric)]
        difference = number(c.mean_a - c.mean_b, c.metric)
        ends = (c.interval.low, c.interval.high) if c.interval else ()
        interval = " to ".join(number(end, c.metric) for end in ends)
        tests = [f"{c.p_value:.2g}", f"{c.p_holm:.2g}", f"{c.rank_biserial:.2f}"]
        counts = [str(c.subjects), str(c.unpaired)]
        body.append([c.metric, c.structure, *counts, *means, difference, interval, *tests])
    return markdown_table(header, body, texts=2)


def _compare_metric(a: Report, b: Report, rng: np.random.Generator) -> list[Comparison]:
    """Comparisons of the one metric that both reports hold."""
    structures = a.structures
    position = {subject: index for index, subject in enumerate(a.subjects)}
    # Both tables need the same order of subjects.
    table_a, table_b = (
        subject_table(sorted(r.rows, key=lambda row: position[row.subject]), structures)
        for r in (a, b)
    )
    columns = {name: [index] for index, name in enumerate(structures)}
    if len(structures) > 1:
        columns[MEAN_OF_STRUCTURES] = list(range(len(structures)))
    found = []
    for name, picked in columns.items():
        first, second, unpaired = _pairs(table_a[:, picked], table_b[:, picked])
        if len(first):
            test = paired_wilcoxon(first, second)
            found.append(
                Comparison(
                    metric=a.rows[0].metric,
                    structure=name,
                    subjects=test.pairs,
                    unpaired=unpaired,
                    mean_a=float(first.mean()),
                    mean_b=float(second.mean()),
                    interval=bootstrap_interval(first - second, rng),
                    p_value=test.p_value,
                    p_holm=test.p_value,
                    rank_biserial=test.rank_biserial,
                )
            )
    return found


def _pairs(a: Float64Array, b: Float64Array) -> tuple[Float64Array, Float64Array, int]:
    """One value a patient in each, over the structures defined in both, and who has none."""
    in_a, in_b = np.isfinite(a), np.isfinite(b)
    both = in_a & in_b
    paired = both.any(axis=1)
    unpaired = int(((in_a | in_b).any(axis=1) & ~paired).sum())
    counts = both[paired].sum(axis=1)
    first, second = (np.where(both, t, 0.0)[paired].sum(axis=1) / counts for t in (a, b))
    return first, second, unpaired


def _require_same_cases(a: Report, b: Report) -> None:
    for what, one, other in (
        ("cases", a.cases, b.cases),
        ("structures", a.structures, b.structures),
        ("subjects", a.subjects, b.subjects),
    ):
        odd = sorted(set(one) ^ set(other))
        if odd:
            shown = ", ".join(odd[:5])
            raise DatasetError(
                f"the two reports differ in their {what} ({shown}): only predictions of the same "
                "cases against the same references can be compared"
            )
