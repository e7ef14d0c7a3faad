"""Where a rater lies in the observers' spread: Williams' index of agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cardioseg.evaluation.readings import ASSD, DICE, HD95, Reading, patient_means
from cardioseg.evaluation.statistics import RESAMPLES, Interval, cohort_mean

Float64Array = NDArray[np.float64]

SPREAD_METRICS = (DICE, HD95, ASSD)

FEWEST_PATIENTS = 6
"""For a verdict. A signed-rank test of fewer cannot reach p < 0.05 (2 / 2^5 = 0.06 with five), and
their bootstrap intervals are far too narrow: of two patients every second one misses the truth."""


class Place(StrEnum):
    """Where a rater lies in the spread of the observers."""

    WITHIN = "within"
    UNDECIDED = "undecided"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Standing:
    """One rater's agreement with the observers against their agreement with one another.

    Parameters
    ----------
    structure, metric, rater
        Of what, by which metric, and whose.
    own
        Mean of the metric between this rater and the (other) observers.
    others
        Mean between the (other) observers.
    index
        Williams' index: own / others for Dice, others / own for distances, so that more than 1
        means better agreement than the observers'.
    interval
        Bootstrap 95 % interval of the index.
    subjects
        Patients.

    References
    ----------
    Williams, Biometrics 32 (1976), 619 to 627; Chalana and Kim, IEEE TMI 16 (1997),
    doi:10.1109/42.640755.
    """

    structure: str
    metric: str
    rater: str
    own: float | None
    others: float | None
    index: float | None
    interval: Interval | None
    subjects: int

    @property
    def place(self) -> Place:
        """Within if the whole interval is 1 or more, outside if it is below 1, else undecided.

        Unknown with fewer than six patients.
        """
        if self.interval is None or self.subjects < FEWEST_PATIENTS:
            return Place.UNKNOWN
        if self.interval.low >= 1:
            return Place.WITHIN
        return Place.OUTSIDE if self.interval.high < 1 else Place.UNDECIDED


def standing_of(
    rows: Sequence[Reading], rater: str, observers: Sequence[str], rng: np.random.Generator
) -> Standing | None:
    """One rater's standing by one metric of one structure.

    Parameters
    ----------
    rows
        Readings of one metric and one structure.
    rater
        An observer or the model.
    observers
        Names of all observers.
    rng
        Source of randomness.

    Returns
    -------
    Standing or None
        None without two observers other than the rater.
    """
    others = [name for name in observers if name != rater]
    if len(others) < 2:
        return None
    kept = {r.case for r in rows if rater in {r.first, r.second}}
    rows = [r for r in rows if r.case in kept]
    subjects = tuple(dict.fromkeys(r.subject for r in rows))
    mine = _pair_table(rows, [(rater, name) for name in others], subjects)
    theirs = _pair_table(rows, list(combinations(others, 2)), subjects)
    metric = rows[0].metric
    index, interval = williams_index(mine, theirs, distance=metric != DICE, rng=rng)
    return Standing(
        structure=rows[0].structure,
        metric=metric,
        rater=rater,
        own=_number(cohort_mean(mine)[0]),
        others=_number(cohort_mean(theirs)[0]),
        index=index,
        interval=interval,
        subjects=int(_known(mine, theirs).sum()),
    )


def williams_index(
    own: Float64Array, others: Float64Array, *, distance: bool, rng: np.random.Generator
) -> tuple[float | None, Interval | None]:
    """Williams' index of one rater, and its bootstrap interval over patients.

    Parameters
    ----------
    own
        Metric between the rater and each observer (patients, pairs); NaN where undefined.
    others
        Metric between the observers (patients, pairs).
    distance
        Whether less is better.
    rng
        Source of randomness.

    Returns
    -------
    float or None, Interval or None
        None where a mean is undefined or the divisor is 0; no interval where one patient alone
        has a value.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> williams_index(np.array([[0.8], [0.8]]), np.array([[0.9], [0.9]]), distance=False, rng=rng)
    (0.888888888889, Interval(low=0.888888888889, high=0.888888888889))
    """
    known = _known(own, others)
    own, others = own[known], others[known]
    above, below = (others, own) if distance else (own, others)
    patients = len(own)
    index = _ratio(above, below, np.ones((1, patients)))
    if not np.isfinite(index[0]):
        return None, None
    # Rounded as the interval's ends are: the last bits of a sum don't decide a verdict.
    value = float(np.round(index[0], 12))
    if min(int(np.isfinite(table).any(axis=1).sum()) for table in (own, others)) < 2:
        return value, None
    weights = rng.multinomial(patients, np.full(patients, 1 / patients), size=RESAMPLES)
    draws = _ratio(above, below, weights)
    low, high = np.percentile(draws[np.isfinite(draws)], (2.5, 97.5))
    return value, Interval(float(np.round(low, 12)), float(np.round(high, 12)))


def _known(own: Float64Array, others: Float64Array) -> NDArray[np.bool_]:
    """Patients that have a value."""
    return np.asarray(np.isfinite(np.hstack([own, others])).any(axis=1), dtype=np.bool_)


def _ratio(above: Float64Array, below: Float64Array, weights: NDArray[np.number]) -> Float64Array:
    top, bottom = cohort_mean(above, weights), cohort_mean(below, weights)
    answer: Float64Array = np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
    return answer


def _pair_table(
    rows: Sequence[Reading], pairs: Sequence[tuple[str, str]], subjects: Sequence[str]
) -> Float64Array:
    """Values by patient and pair (patients, pairs); NaN where undefined."""
    columns = []
    for pair in pairs:
        means = patient_means([r for r in rows if {r.first, r.second} == set(pair)])
        columns.append([means.get(subject, np.nan) for subject in subjects])
    return np.array(columns, dtype=np.float64).T


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
