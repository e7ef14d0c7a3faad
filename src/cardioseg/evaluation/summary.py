"""A cohort in figures: mean, median and interval of each metric, by patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cardioseg.evaluation.rows import BACKGROUND, MISSED, SPURIOUS, Level, Row
from cardioseg.evaluation.statistics import bootstrap_interval, cohort_mean, subject_means

MEAN_OF_STRUCTURES = "mean of structures"

ABSOLUTE_VOLUME_ERROR = "absolute_volume_error_ml"
"""Derived from `volume_error_ml`, whose signs would cancel: a missed structure must not help."""

AVERAGED_METRICS = ("dice", "jaccard", "cce", "hd95_mm", "assd_mm", "surface_dice")
"""Metrics whose mean over structures has a meaning; volumes are not among them."""


@dataclass(frozen=True)
class Summary:
    """One metric of one structure over a cohort.

    Parameters
    ----------
    level
        `volume` or `slice`.
    structure
        Name of the structure, `background`, or `mean of structures` (without background).
    metric
        Name of the metric.
    mean, median
        Over patients, each patient being the mean of its cases; None where nothing is defined.
    low, high
        Bootstrap 95 % interval of the mean over patients; None with fewer than two.
    subjects
        Patients with a defined value.
    defined, undefined
        Rows with and without a value.
    missed, spurious
        Rows noted so: a structure in the reference only, or in the prediction only.
    """

    level: Level
    structure: str
    metric: str
    mean: float | None
    median: float | None
    low: float | None
    high: float | None
    subjects: int
    defined: int
    undefined: int
    missed: int
    spurious: int


def structures_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Structures in order of appearance, background not among them."""
    return tuple(dict.fromkeys(r.structure for r in rows if r.structure != BACKGROUND))


def subject_table(rows: Sequence[Row], structures: Sequence[str]) -> NDArray[np.float64]:
    """Values by patient and structure (patients, structures); NaN where undefined.

    Parameters
    ----------
    rows
        Rows of one metric and one level.
    structures
        The columns.
    """
    subjects = {s: index for index, s in enumerate(dict.fromkeys(r.subject for r in rows))}
    table = np.full((len(subjects), len(structures)), np.nan)
    for column, structure in enumerate(structures):
        means = subject_means(
            (r.subject, r.case, r.value)
            for r in rows
            if r.structure == structure and r.value is not None
        )
        for subject, value in means.items():
            table[subjects[subject], column] = value
    return table


def mean_of(rows: Sequence[Row], structures: Sequence[str]) -> float | None:
    """Cohort mean: frames of a patient first, then patients, then structures.

    Parameters
    ----------
    rows
        Rows of one metric and one level.
    structures
        What to average over; one name for one structure.

    Returns
    -------
    float or None
        None where nothing is defined.
    """
    table = subject_table(rows, structures)
    if table.size == 0:
        return None
    return _number(cohort_mean(table)[0])


def with_absolute_errors(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows, and after them the absolute value of each volume error."""
    errors = (r for r in rows if r.metric == "volume_error_ml")
    return (*rows, *(replace(r, metric=ABSOLUTE_VOLUME_ERROR, value=_absolute(r)) for r in errors))


def _absolute(row: Row) -> float | None:
    return None if row.value is None else abs(row.value)


def summarise(rows: Sequence[Row], rng: np.random.Generator) -> tuple[Summary, ...]:
    """Summaries of all levels, metrics and structures, in the order of the rows.

    Besides the metrics of the rows there is `absolute_volume_error_ml`.

    Parameters
    ----------
    rows
        Any rows.
    rng
        Source of randomness for the bootstrap.
    """
    answer: list[Summary] = []
    rows = with_absolute_errors(rows)
    for level, metric in dict.fromkeys((r.level, r.metric) for r in rows):
        chosen = [r for r in rows if r.level == level and r.metric == metric]
        names = tuple(dict.fromkeys(r.structure for r in chosen))
        answer.extend(
            _summary([r for r in chosen if r.structure == name], (name,), name, rng)
            for name in names
        )
        inner = structures_of(chosen)
        if metric in AVERAGED_METRICS and len(inner) > 1:
            foreground = [r for r in chosen if r.structure != BACKGROUND]
            answer.append(_summary(foreground, inner, MEAN_OF_STRUCTURES, rng))
    return tuple(answer)


def _summary(
    rows: Sequence[Row], structures: Sequence[str], name: str, rng: np.random.Generator
) -> Summary:
    table = subject_table(rows, structures)
    table = table[np.isfinite(table).any(axis=1)]
    patients = [_number(cohort_mean(row[None])[0]) for row in table]
    interval = bootstrap_interval(table, rng)
    undefined = sum(r.value is None for r in rows)
    return Summary(
        level=rows[0].level,
        structure=name,
        metric=rows[0].metric,
        mean=_number(cohort_mean(table)[0]) if len(table) else None,
        median=float(np.median([p for p in patients if p is not None])) if patients else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        subjects=len(table),
        defined=len(rows) - undefined,
        undefined=undefined,
        missed=sum(r.note == MISSED for r in rows),
        spurious=sum(r.note == SPURIOUS for r in rows),
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
