"""Paired comparisons: signed-rank test, effect size, Holm's correction, Bland-Altman agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]

LIMITS_OF_AGREEMENT = 1.96
"""Standard deviations that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class PairedTest:
    """Wilcoxon's signed-rank test of paired values.

    Parameters
    ----------
    pairs
        Number of pairs.
    p_value
        Two-sided, 0 to 1.
    rank_biserial
        Effect size, -1 (every difference negative) to 1 (every difference positive).
    """

    pairs: int
    p_value: float
    rank_biserial: float


def paired_wilcoxon(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Test whether paired values differ: first minus second, one pair a patient.

    Pairs without a difference are dropped; if all are equal the p-value is 1.

    Raises
    ------
    ValueError
        If the two differ in length or are empty.

    References
    ----------
    Wilcoxon, Biometrics Bulletin 1 (1945), doi:10.2307/3001968.

    Examples
    --------
    >>> paired_wilcoxon([0.9, 0.8, 0.7, 0.95, 0.85], [0.8, 0.65, 0.5, 0.9, 0.6])
    PairedTest(pairs=5, p_value=0.0625, rank_biserial=1.0)
    """
    from scipy import stats  # takes half a second to import, and only this test needs it

    differences = _differences(first, second)
    # Here and not by SciPy, whose versions then take different distributions.
    unequal = differences[differences != 0]
    if not unequal.size:
        return PairedTest(differences.size, 1.0, 0.0)
    p_value = float(stats.wilcoxon(unequal).pvalue)
    return PairedTest(differences.size, p_value, rank_biserial(differences))


def rank_biserial(differences: ArrayLike) -> float:
    """Matched-pairs rank-biserial correlation: (positive - negative rank sum) / all ranks.

    References
    ----------
    Kerby, Comprehensive Psychology 3 (2014), doi:10.2466/11.IT.3.1.

    Examples
    --------
    >>> rank_biserial([1.0, 2.0, -3.0])
    0.0
    """
    from scipy import stats

    values = np.asarray(differences, dtype=np.float64)
    values = values[values != 0]
    if values.size == 0:
        return 0.0
    ranks = stats.rankdata(np.abs(values))
    return float((ranks * np.sign(values)).sum() / ranks.sum())


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values for testing several hypotheses at once, in the order given.

    References
    ----------
    Holm, Scandinavian Journal of Statistics 6 (1979), jstor.org/stable/4615733.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    count = len(p_values)
    adjusted = [1.0] * count
    largest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two ways to measure one quantity, in its unit.

    Parameters
    ----------
    pairs
        Number of pairs, several of a patient included.
    bias
        Mean of first minus second, over patients.
    lower, upper
        Limits of agreement of one measurement: bias -+ 1.96 standard deviations of the differences.
    """

    pairs: int
    bias: float
    lower: float
    upper: float


def bland_altman(
    first: ArrayLike, second: ArrayLike, subjects: Sequence[str] | None = None
) -> BlandAltman:
    """Bias and 95 % limits of agreement of paired measurements.

    Parameters
    ----------
    first, second
        The measurements.
    subjects
        Whose each pair is, where a patient has several, such as frames: the variance of one
        difference is then the one between patients plus the one within them. Their differences
        are never averaged for the limits: opposite ones would cancel. None: one pair a patient.

    Raises
    ------
    ValueError
        If the lengths differ or there are fewer than two patients.

    References
    ----------
    Bland and Altman, Lancet 327 (1986), doi:10.1016/S0140-6736(86)90837-8; of several pairs a
    patient J Biopharm Stat 17 (2007), doi:10.1080/10543400701329422.

    Examples
    --------
    >>> agreement = bland_altman([11.0, 12.0, 13.0], [10.0, 10.0, 10.0])
    >>> agreement.bias, round(agreement.lower, 2), round(agreement.upper, 2)
    (2.0, 0.04, 3.96)
    >>> each = bland_altman([12.0, 8.0, 12.0, 8.0], [10.0] * 4, ["a", "a", "b", "b"])
    >>> each.bias, round(each.upper, 2)
    (0.0, 5.54)
    """
    differences = _differences(first, second)
    names = range(differences.size) if subjects is None else subjects
    if len(names) != differences.size:
        raise ValueError(f"{differences.size} pairs of {len(names)} subjects do not match")
    place = {name: index for index, name in enumerate(dict.fromkeys(names))}
    if len(place) < 2:
        raise ValueError("limits of agreement need at least two pairs, each of another patient")
    whose = np.array([place[name] for name in names])
    times = np.bincount(whose)
    means = np.bincount(whose, differences) / times
    bias = float(means.mean())
    spread = LIMITS_OF_AGREEMENT * _deviation(differences, whose, means, times)
    return BlandAltman(differences.size, bias, bias - spread, bias + spread)


def _deviation(
    differences: Float64Array,
    whose: NDArray[np.intp],
    means: Float64Array,
    times: NDArray[np.intp],
) -> float:
    """Standard deviation of one difference: the variances between and within patients, added."""
    patients, pairs = means.size, differences.size
    repeats = pairs - patients
    within = float(((differences - means[whose]) ** 2).sum()) / repeats if repeats else 0.0
    between = float((times * (means - differences.mean()) ** 2).sum()) / (patients - 1)
    typical = (pairs - float((times**2).sum()) / pairs) / (patients - 1)
    return float(np.sqrt(max((between - within) / typical, 0.0) + within))


def _differences(first: ArrayLike, second: ArrayLike) -> Float64Array:
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 1 or one.size == 0:
        raise ValueError(f"paired values of shapes {one.shape} and {other.shape} do not pair up")
    return one - other
