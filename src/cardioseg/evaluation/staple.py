"""Consensus of several observers: STAPLE, and the majority of their votes.

Voxels that all observers labelled alike are alike to both methods, so they are counted once: the
work depends on how many different combinations of labels there are, not on the size of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.errors import GeometryError, LabelError

Float64Array = NDArray[np.float64]
LabelArray = NDArray[np.uint8]

MAX_ITERATIONS = 1000
TOLERANCE = 1e-7
"""STAPLE has converged when no entry of an observer's table moves farther than this."""

TIE = 1e-9
"""Two classes are tied where their probabilities or shares of the votes are this close."""


@dataclass(frozen=True, eq=False)
class Consensus:
    """What several observers agree on.

    Parameters
    ----------
    labels
        The class that is most probable, or has most votes, at each voxel; uint8, the shape of the
        observers' arrays. Of tied classes the lowest value is taken, background first.
    tied
        Voxels at which classes were tied.
    """

    labels: LabelArray
    tied: int


@dataclass(frozen=True, eq=False)
class Staple:
    """STAPLE's estimate of the truth, and of how well each observer performs.

    Parameters
    ----------
    consensus
        The most probable label of each voxel.
    probability
        Of each class at each voxel (classes, ...), float64, adding up to 1.
    performance
        (observers, classes, classes): how often an observer writes class `s'` where class `s` is
        true, at `[observer, s', s]`. NaN in the column of a class that nobody used.
    iterations
        Rounds of expectation and maximisation.
    converged
        False where `MAX_ITERATIONS` came first.
    """

    consensus: Consensus
    probability: Float64Array
    performance: Float64Array
    iterations: int
    converged: bool

    def sensitivity(self, value: int) -> Float64Array:
        """Of each observer (observers,): share of a class that the observer found."""
        found: Float64Array = self.performance[:, value, value]
        return found

    def specificity(self, value: int) -> Float64Array:
        """Of each observer (observers,): share of all other voxels that the observer left out.

        The other classes count by how much of the estimated truth they hold.
        """
        mass = self.probability.reshape(len(self.probability), -1).sum(axis=1)
        others = [c for c in range(len(mass)) if c != value and mass[c] > 0]
        if not others:
            return np.full(len(self.performance), np.nan)
        wrong = self.performance[:, value][:, others] @ mass[others] / mass[others].sum()
        right: Float64Array = 1.0 - wrong
        return right


@dataclass(frozen=True, eq=False)
class _Patterns:
    """The combinations of labels that occur: who said what, how often, and where."""

    votes: NDArray[np.intp]
    counts: Float64Array
    places: NDArray[np.intp]
    shape: tuple[int, ...]


def majority(readings: Sequence[LabelArray]) -> Consensus:
    """The label that most observers gave to each voxel.

    Parameters
    ----------
    readings
        Label values of each observer, uint8, of one shape.

    Raises
    ------
    LabelError
        With fewer than two observers.
    GeometryError
        If the shapes differ.

    Examples
    --------
    >>> a, b, c = (np.array(v, np.uint8) for v in ([1, 1, 2], [1, 0, 1], [0, 0, 0]))
    >>> found = majority([a, b, c])
    >>> found.labels.tolist(), found.tied
    ([1, 0, 0], 1)
    """
    patterns = _patterns(readings)
    classes = int(patterns.votes.max()) + 1
    return _consensus(_shares(patterns.votes, classes), patterns)


def staple(readings: Sequence[LabelArray], class_count: int | None = None) -> Staple:
    """Simultaneous truth and performance level estimation, with any number of classes.

    The prior of a class is its share of all observers' voxels, the same at every voxel. The first
    estimate of the truth is the share of votes, as in ITK's binary filter; ITK's multi-label filter
    starts from the majority and can end at a less likely answer. The prior depends on how much
    background the arrays hold: crop them to what matters first.

    Parameters
    ----------
    readings
        Label values of each observer, uint8, of one shape.
    class_count
        Classes, background included; without it, as many as the largest value needs.

    Raises
    ------
    LabelError
        With fewer than two observers, or if a value is not below `class_count`.
    GeometryError
        If the shapes differ.

    References
    ----------
    Warfield, Zou and Wells, IEEE TMI 23 (2004), doi:10.1109/TMI.2004.828354.

    Examples
    --------
    >>> good = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.uint8)
    >>> poor = np.array([1, 0, 1, 0, 1, 0, 1, 0], np.uint8)
    >>> found = staple([good, good, poor])
    >>> found.consensus.labels.tolist(), found.sensitivity(1).round(2).tolist()
    ([0, 0, 0, 0, 1, 1, 1, 1], [1.0, 1.0, 0.5])
    """
    patterns = _patterns(readings)
    highest = int(patterns.votes.max())
    classes = highest + 1 if class_count is None else class_count
    if classes <= highest:
        raise LabelError(f"label value {highest} with {classes} classes; give more classes")
    truth = _shares(patterns.votes, classes)
    prior = patterns.counts @ truth / patterns.counts.sum()
    performance = _performance(truth, patterns)
    iterations, moved = 0, np.inf
    while moved > TOLERANCE and iterations < MAX_ITERATIONS:
        truth = _expectation(performance, prior, patterns.votes)
        updated = _performance(truth, patterns)
        moved = float(np.abs(np.nan_to_num(updated) - np.nan_to_num(performance)).max())
        performance = updated
        iterations += 1
    truth = _expectation(performance, prior, patterns.votes)
    return Staple(
        consensus=_consensus(truth, patterns),
        probability=truth.T[:, patterns.places].reshape(classes, *patterns.shape),
        performance=performance,
        iterations=iterations,
        converged=moved <= TOLERANCE,
    )


def _patterns(readings: Sequence[LabelArray]) -> _Patterns:
    if len(readings) < 2:
        raise LabelError(f"{len(readings)} observer: a consensus needs at least two")
    shapes = {reading.shape for reading in readings}
    if len(shapes) != 1:
        told = ", ".join(str(shape) for shape in sorted(shapes))
        raise GeometryError(f"observers' label maps of shapes {told}: bring them to one grid first")
    table = np.stack([np.asarray(reading, np.uint8).ravel() for reading in readings])
    # One number a combination, renumbered after each observer, so that it never overflows.
    code = table[0].astype(np.int64)
    for row in table[1:]:
        code = np.unique(code * 256 + row, return_inverse=True)[1].reshape(-1)
    _, first, places, counts = np.unique(
        code, return_index=True, return_inverse=True, return_counts=True
    )
    votes = table[:, first].T.astype(np.intp)
    return _Patterns(votes, counts.astype(np.float64), places.reshape(-1), readings[0].shape)


def _shares(votes: NDArray[np.intp], classes: int) -> Float64Array:
    """Share of the observers that chose each class (patterns, classes)."""
    answer: Float64Array = np.mean(votes[:, :, None] == np.arange(classes), axis=1)
    return answer


def _performance(truth: Float64Array, patterns: _Patterns) -> Float64Array:
    """Maximisation: each observer's table, given how probable each class is."""
    weighted = truth * patterns.counts[:, None]
    mass = weighted.sum(axis=0)
    classes = truth.shape[1]
    answer = np.zeros((patterns.votes.shape[1], classes, classes))
    for observer, table in enumerate(answer):
        np.add.at(table, patterns.votes[:, observer], weighted)
    answer[:, :, mass > 0] /= mass[mass > 0]
    answer[:, :, mass == 0] = np.nan
    return answer


def _expectation(
    performance: Float64Array, prior: Float64Array, votes: NDArray[np.intp]
) -> Float64Array:
    """How probable each class is for each pattern (patterns, classes)."""
    likelihood = np.tile(prior, (len(votes), 1))
    for observer, table in enumerate(np.nan_to_num(performance)):
        likelihood = likelihood * table[votes[:, observer]]
    total = likelihood.sum(axis=1, keepdims=True)
    # A pattern that the tables call impossible keeps the prior: nothing is known about it.
    safe = np.where(total > 0, total, 1.0)
    answer: Float64Array = np.where(total > 0, likelihood / safe, prior)
    return answer


def _consensus(shares: Float64Array, patterns: _Patterns) -> Consensus:
    best = shares.max(axis=1, keepdims=True)
    leading = shares >= best - TIE
    tied = patterns.counts[leading.sum(axis=1) > 1].sum()
    labels = leading.argmax(axis=1).astype(np.uint8)
    return Consensus(labels[patterns.places].reshape(patterns.shape), int(tied))
