"""The patient is the unit: means over a cohort and their bootstrap intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]

RESAMPLES = 2000


def subject_means(entries: Iterable[tuple[str, str, float]]) -> dict[str, float]:
    """One value a patient: the mean of each case first, then of the patient's cases.

    Parameters
    ----------
    entries
        Subject, case and value; a case may have several values (its slices).

    Examples
    --------
    >>> subject_means([("p1", "ed", 1.0), ("p1", "ed", 0.0), ("p1", "es", 0.9), ("p2", "ed", 0.5)])
    {'p1': 0.7, 'p2': 0.5}
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for subject, case, value in entries:
        found[subject][case].append(value)
    return {
        subject: fmean(fmean(values) for values in cases.values())
        for subject, cases in found.items()
    }


@dataclass(frozen=True)
class Interval:
    """A confidence interval, both ends in the unit of the values."""

    low: float
    high: float


def cohort_mean(values: ArrayLike, weights: ArrayLike | None = None) -> Float64Array:
    """Mean over patients, then over structures; NaN marks what is undefined.

    Parameters
    ----------
    values
        One value a patient (patients,), or a column for each structure (patients, structures).
    weights
        How often each patient counts (samples, patients); once without it.

    Returns
    -------
    ndarray
        (samples,); NaN where nothing is defined.

    Examples
    --------
    >>> cohort_mean([[0.8, 0.6], [1.0, float("nan")]]).round(3).tolist()
    [0.75]
    """
    table = _as_table(values)
    defined = np.isfinite(table)
    times = np.ones((1, len(table))) if weights is None else np.asarray(weights, dtype=np.float64)
    counts = times @ defined
    means = (times @ np.where(defined, table, 0.0)) / np.where(counts > 0, counts, 1.0)
    known = (counts > 0).sum(axis=1)
    totals = np.where(counts > 0, means, 0.0).sum(axis=1)
    answer: Float64Array = np.where(known > 0, totals / np.maximum(known, 1), np.nan)
    return answer


def bootstrap_interval(
    values: ArrayLike,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> Interval | None:
    """Percentile interval of the cohort's mean, by drawing patients with replacement.

    Parameters
    ----------
    values
        As in `cohort_mean`: a patient is drawn with all its structures.
    rng
        Source of randomness.
    resamples
        Draws.
    confidence
        Share of the draws inside the interval, above 0 and below 1.

    Returns
    -------
    Interval or None
        None with fewer than two patients: one patient says nothing about the next.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), doi:10.1201/9780429246593.

    Examples
    --------
    >>> bootstrap_interval([0.9, 0.9, 0.9], np.random.default_rng(0))
    Interval(low=0.9, high=0.9)
    """
    table = _as_table(values)
    table = table[np.isfinite(table).any(axis=1)]
    patients = len(table)
    if patients < 2:
        return None
    # Drawing n of n with replacement is one multinomial draw of how often each patient counts.
    weights = rng.multinomial(patients, np.full(patients, 1 / patients), size=resamples)
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(cohort_mean(table, weights), (tail, 100 - tail))
    # The rounding removes the last bits that summation leaves behind.
    return Interval(float(np.round(low, 12)), float(np.round(high, 12)))


def unpaired_interval(
    first: ArrayLike, second: ArrayLike, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Interval | None:
    """95 % percentile interval of the difference between the means of two groups of patients.

    Parameters
    ----------
    first, second
        As in `cohort_mean`; the patients of the two are drawn apart from each other.
    rng
        Source of randomness.
    resamples
        Draws.

    Returns
    -------
    Interval or None
        None where either group has fewer than two patients.

    Examples
    --------
    >>> unpaired_interval([0.9, 0.9], [0.7, 0.7], np.random.default_rng(0))
    Interval(low=0.2, high=0.2)
    """
    drawn = []
    for values in (first, second):
        table = _as_table(values)
        table = table[np.isfinite(table).any(axis=1)]
        patients = len(table)
        if patients < 2:
            return None
        weights = rng.multinomial(patients, np.full(patients, 1 / patients), size=resamples)
        drawn.append(cohort_mean(table, weights))
    low, high = np.nanpercentile(drawn[0] - drawn[1], (2.5, 97.5))
    return Interval(float(np.round(low, 12)), float(np.round(high, 12)))


def _as_table(values: ArrayLike) -> Float64Array:
    """Patients by structures; plain values are one structure."""
    table = np.asarray(values, dtype=np.float64)
    return table[:, None] if table.ndim == 1 else table
