"""Calibration: whether a score of 0.9 is right nine times in ten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.errors import GeometryError


@dataclass(frozen=True)
class ReliabilityBin:
    """Voxels whose highest score lies in one interval.

    Parameters
    ----------
    low, high
        The interval (low, high] of the highest score; the first includes 0.
    count
        Voxels in it.
    confidence
        Their mean highest score, 0 to 1; 0 in an empty bin.
    accuracy
        Share of them whose highest score names the right class, 0 to 1; 0 in an empty bin.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability_bins(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    bins: int = 15,
    where: NDArray[np.bool_] | None = None,
) -> tuple[ReliabilityBin, ...]:
    """Sort voxels into equal intervals of their highest score.

    Parameters
    ----------
    scores
        Probabilities (classes, ...).
    labels
        Reference class of each voxel (...).
    bins
        Number of intervals, at least 1.
    where
        Voxels to count (...), bool; all without it. Most of a scan is easy background, so the
        neighbourhood of the heart says more.

    Raises
    ------
    GeometryError
        If the shapes don't fit each other.
    ValueError
        If there is no bin.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.6], [0.1, 0.4]])
    >>> [(b.count, b.accuracy) for b in reliability_bins(scores, np.array([0, 1]), bins=2)]
    [(0, 0.0), (2, 0.5)]
    """
    if scores.shape[1:] != labels.shape or (where is not None and where.shape != labels.shape):
        raise GeometryError(
            f"scores {scores.shape}, labels {labels.shape} and the region must share one grid"
        )
    if bins < 1:
        raise ValueError(f"{bins} bins: at least one is needed")
    chosen = np.ones(labels.shape, np.bool_) if where is None else where
    confidence = scores.max(axis=0)[chosen].astype(np.float64)
    correct = (scores.argmax(axis=0) == labels)[chosen]
    edges = np.linspace(0.0, 1.0, bins + 1)
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    divisor = np.maximum(counts, 1)
    confidences = np.bincount(index, weights=confidence, minlength=bins) / divisor
    accuracies = np.bincount(index, weights=correct, minlength=bins) / divisor
    return tuple(
        ReliabilityBin(float(low), float(high), int(n), float(c), float(a))
        for low, high, n, c, a in zip(
            edges[:-1], edges[1:], counts, confidences, accuracies, strict=True
        )
    )


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """Mean gap between confidence and accuracy over all voxels, 0 (calibrated) to 1.

    Returns
    -------
    float or None
        None where no voxel was counted.

    References
    ----------
    Naeini et al., AAAI 29 (2015), doi:10.1609/aaai.v29i1.9602.

    Examples
    --------
    >>> expected_calibration_error([ReliabilityBin(0.5, 1.0, 10, 0.75, 0.5)])
    0.25
    """
    total = sum(b.count for b in bins)
    if total == 0:
        return None
    return sum(b.count * abs(b.confidence - b.accuracy) for b in bins) / total
