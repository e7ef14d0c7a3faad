"""Overlap of two masks, and the cross-entropy of scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardioseg.errors import GeometryError

BoolArray = NDArray[np.bool_]

SMALLEST_SCORE = 1e-7
"""A score below this counts as this, so that its logarithm stays finite."""


def dice(prediction: BoolArray, reference: BoolArray) -> float | None:
    """Dice coefficient of two masks, 0 (disjoint) to 1 (equal).

    Parameters
    ----------
    prediction, reference
        Masks of one shape, bool.

    Returns
    -------
    float or None
        2 |P and R| / (|P| + |R|); None where both masks are empty, which is neither 0 nor 1.

    Raises
    ------
    GeometryError
        If the shapes differ.

    References
    ----------
    Dice, Ecology 26 (1945), doi:10.2307/1932409.

    Examples
    --------
    >>> dice(np.array([True, True, False]), np.array([False, True, True]))
    0.5
    """
    common, total = _common_and_total(prediction, reference)
    return 2 * common / total if total else None


def jaccard(prediction: BoolArray, reference: BoolArray) -> float | None:
    """Jaccard index (intersection over union) of two masks, 0 to 1.

    Parameters
    ----------
    prediction, reference
        Masks of one shape, bool.

    Returns
    -------
    float or None
        |P and R| / |P or R|; None where both masks are empty.

    Raises
    ------
    GeometryError
        If the shapes differ.

    References
    ----------
    Jaccard, New Phytologist 11 (1912), doi:10.1111/j.1469-8137.1912.tb05611.x.

    Examples
    --------
    >>> round(jaccard(np.array([True, True, False]), np.array([False, True, True])), 3)
    0.333
    """
    common, total = _common_and_total(prediction, reference)
    return common / (total - common) if total else None


def _common_and_total(prediction: BoolArray, reference: BoolArray) -> tuple[int, int]:
    if prediction.shape != reference.shape:
        raise GeometryError(
            f"a mask of shape {prediction.shape} cannot be compared with one of shape "
            f"{reference.shape}; bring both to one grid first"
        )
    common = int(np.count_nonzero(prediction & reference))
    return common, int(np.count_nonzero(prediction)) + int(np.count_nonzero(reference))


def cce_per_class(scores: NDArray[np.floating], one_hot: BoolArray) -> NDArray[np.float64]:
    """Categorical cross-entropy of each class: - mean over *all* pixels of q ln(p).

    The classes add up to the usual cross-entropy; their average is the mean of the table. A class
    that the reference lacks adds 0 whatever the scores say, so `evaluate` calls it undefined.

    Parameters
    ----------
    scores
        Probabilities p (classes, ...), 0 to 1; below 1e-7 they count as 1e-7.
    one_hot
        Reference labels q (classes, ...), bool, one True at each pixel.

    Returns
    -------
    ndarray
        (classes,) float64, in nats, at least 0.

    Raises
    ------
    GeometryError
        If the shapes differ.

    Examples
    --------
    >>> scores = np.array([[0.5, 1.0], [0.5, 0.0]])
    >>> cce_per_class(scores, np.array([[False, True], [True, False]])).round(4).tolist()
    [0.0, 0.3466]
    """
    if scores.shape != one_hot.shape:
        raise GeometryError(
            f"scores of shape {scores.shape} do not fit one-hot labels of shape {one_hot.shape}: "
            "both must be (classes, ...) on one grid"
        )
    pixels = max(one_hot[0].size, 1)
    answer = np.zeros(len(scores))
    for index, (score, where) in enumerate(zip(scores, one_hot, strict=True)):
        kept = np.clip(score[where].astype(np.float64), SMALLEST_SCORE, None)
        # abs: a class whose scores are all 1 is 0, not -0
        answer[index] = abs(np.log(kept).sum()) / pixels
    return answer
