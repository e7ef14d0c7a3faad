"""How far several observers' measurements of one quantity can be relied on: ICC and variation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardioseg.evaluation.statistics import RESAMPLES, Interval

Float64Array = NDArray[np.float64]

_SMALL = 1e-12


def intraclass_correlation(values: ArrayLike) -> float | None:
    """ICC(2,1): two-way random effects, absolute agreement, one observer's measurement.

    Parameters
    ----------
    values
        (cases, observers), every cell known; a case is a patient, or one frame of one.

    Returns
    -------
    float or None
        1 where the observers agree to the last digit; may be negative. None with fewer than two
        cases or observers, or if no two values differ.

    References
    ----------
    Shrout and Fleiss, Psychological Bulletin 86 (1979), doi:10.1037/0033-2909.86.2.420.

    Examples
    --------
    >>> intraclass_correlation([[100.0, 110.0], [150.0, 160.0], [200.0, 210.0]]).__round__(3)
    0.98
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2:
        return None
    cases, observers = table.shape
    grand, by_case, by_observer = table.mean(), table.mean(axis=1), table.mean(axis=0)
    between = observers * ((by_case - grand) ** 2).sum() / (cases - 1)
    raters = cases * ((by_observer - grand) ** 2).sum() / (observers - 1)
    rest = table - by_case[:, None] - by_observer[None] + grand
    error = (rest**2).sum() / ((cases - 1) * (observers - 1))
    total = between + (observers - 1) * error + observers * (raters - error) / cases
    if abs(total) < _SMALL:
        return None
    return float((between - error) / total)


def variation_percent(values: ArrayLike) -> float | None:
    """Coefficient of variation between observers, within cases, in percent.

    The root mean square over cases of the observers' standard deviation (n - 1) divided by
    their mean.

    Parameters
    ----------
    values
        (cases, observers), at least 0; cases with a mean of 0 don't count.

    Returns
    -------
    float or None
        None without a case or with fewer than two observers.

    References
    ----------
    Quan and Shih, Biometrics 52 (1996), 1195 to 1203.

    Examples
    --------
    >>> variation_percent([[90.0, 110.0]]).__round__(2)
    14.14
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        return None
    means = table.mean(axis=1)
    known = means > 0
    if not known.any():
        return None
    ratios = table[known].std(axis=1, ddof=1) / means[known]
    return float(100.0 * np.sqrt((ratios**2).mean()))


def statistic_interval(
    values: ArrayLike,
    statistic: Callable[[Float64Array], float | None],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    subjects: Sequence[str] | None = None,
) -> Interval | None:
    """95 % percentile interval of any statistic of a table, by drawing patients with replacement.

    Parameters
    ----------
    values
        (cases, ...).
    statistic
        Of such a table; a draw for which it is None is left out.
    rng
        Source of randomness.
    resamples
        Draws.
    subjects
        Whose each case is: a patient is drawn with all its cases. None: one case a patient.

    Returns
    -------
    Interval or None
        None with fewer than two patients, or if the statistic is None for every draw.

    Examples
    --------
    >>> statistic_interval([[1.0, 1.0], [2.0, 2.0]], variation_percent, np.random.default_rng(0))
    Interval(low=0.0, high=0.0)
    """
    table = np.asarray(values, dtype=np.float64)
    owned: dict[str, list[int]] = {}
    for row, name in enumerate(map(str, range(len(table))) if subjects is None else subjects):
        owned.setdefault(name, []).append(row)
    if len(owned) < 2:
        return None
    parts = [table[rows] for rows in owned.values()]
    draws = rng.integers(len(parts), size=(resamples, len(parts)))
    samples = (np.concatenate([parts[patient] for patient in draw]) for draw in draws)
    found = [value for sample in samples if (value := statistic(sample)) is not None]
    if not found:
        return None
    low, high = np.percentile(found, (2.5, 97.5))
    return Interval(float(np.round(low, 12)), float(np.round(high, 12)))
