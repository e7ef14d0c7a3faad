"""Calibration: whether a score of 0.9 is right nine times in ten, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from cardioseg.errors import GeometryError

TEMPERATURES = (0.1, 10.0)
"""Lowest and highest temperature that is looked for: a network that makes no mistake on the pixels
at hand would have none."""


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


def negative_log_likelihood(
    logits: NDArray[np.floating], labels: NDArray[np.integer], temperature: float = 1.0
) -> float:
    """Mean negative log-likelihood of the labels under softmax(logits / temperature).

    Parameters
    ----------
    logits
        (classes, pixels).
    labels
        Reference class of each pixel (pixels,).
    temperature
        Above 0.

    Examples
    --------
    >>> round(negative_log_likelihood(np.array([[0.0], [0.0]]), np.array([1])), 4)
    0.6931
    """
    scaled = logits.astype(np.float64) / temperature
    own = np.take_along_axis(scaled, labels[None].astype(np.intp), axis=0)[0]
    return float(np.mean(special.logsumexp(scaled, axis=0) - own))


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature that makes the labels most likely; above 1 the network was over-confident.

    Parameters
    ----------
    logits
        (classes, pixels) of pixels that did not train the network.
    labels
        Reference class of each pixel (pixels,).

    Returns
    -------
    float
        Within :data:`TEMPERATURES`.

    Raises
    ------
    GeometryError
        If the shapes don't fit each other, or there is no pixel.

    References
    ----------
    C. Guo et al., On calibration of modern neural networks, ICML 2017, arXiv:1706.04599.

    Examples
    --------
    Logits 4 and 0 claim 98 %, but only three in four are right, which is ln 3 apart: 4 / ln 3.

    >>> logits = np.array([[4.0] * 4, [0.0] * 4])
    >>> round(fit_temperature(logits, np.array([0, 0, 0, 1])), 2)
    3.64
    """
    if logits.shape[1:] != labels.shape or not labels.size:
        raise GeometryError(f"logits {logits.shape} and labels {labels.shape}: no pixels to fit on")

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, labels, float(np.exp(log_temperature)))

    # In 1 / temperature the loss is convex, so it has one minimum.
    bounds = np.log(TEMPERATURES)
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.clip(np.exp(found.x), *TEMPERATURES))
