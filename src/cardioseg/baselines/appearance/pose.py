"""Where a shape lies: a similarity of the plane, as complex numbers; and Procrustes alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cardioseg.baselines.imaging import Floats

ALIGNMENT_ROUNDS = 5
"""Generalised Procrustes settles in two or three."""


@dataclass(frozen=True)
class Pose:
    """A point p (row + i column) of the model's frame lies at `place + turn * p` of the image.

    Parameters
    ----------
    turn
        Scale (modulus) and rotation (argument); 1 is the mean heart, in working pixels.
    place
        Image pixel of the frame's origin, the middle of the LV cavity.

    Examples
    --------
    >>> pose = Pose(2j, 10 + 5j)
    >>> pose.apply(np.array([[1.0, 0.0]])).tolist()
    [[10.0, 7.0]]
    >>> pose.invert(pose.apply(np.array([[1.0, 3.0]]))).tolist()
    [[1.0, 3.0]]
    """

    turn: complex
    place: complex

    def apply(self, points: Floats) -> Floats:
        """Frame points (n, 2) in the image."""
        return _pairs(self.place + self.turn * _complex(points))

    def invert(self, points: Floats) -> Floats:
        """Image points (n, 2) in the frame: undoes :meth:`apply`."""
        return _pairs((_complex(points) - self.place) / self.turn)

    def moved(self, step: Floats) -> Pose:
        """The pose after a step (4,) taken in the frame: log scale, angle, row and column."""
        turn = self.turn * complex(np.exp(step[0] + 1j * step[1]))
        return Pose(turn, self.place + self.turn * complex(step[2], step[3]))

    def step_to(self, other: Pose) -> Floats:
        """The step (4,) that moves this pose to another: undoes :meth:`moved`."""
        ratio = np.log(other.turn / self.turn)
        away = (other.place - self.place) / self.turn
        return np.array([ratio.real, ratio.imag, away.real, away.imag])


def best_pose(frame: Floats, image: Floats) -> Pose:
    """The pose that brings frame points closest to image points, both (n, 2), by least squares.

    References
    ----------
    Cootes et al. 1995, doi:10.1006/cviu.1995.1004
    """
    source, target = _complex(frame), _complex(image)
    source_mean, target_mean = source.mean(), target.mean()
    centred = source - source_mean
    turn = np.vdot(centred, target - target_mean) / np.vdot(centred, centred)
    return Pose(complex(turn), complex(target_mean - turn * source_mean))


def aligned_mean(shapes: Sequence[Floats], inner: slice) -> Floats:
    """Mean (n, 2) of shapes after alignment, of their mean size and direction, `inner` centred.

    Parameters
    ----------
    shapes
        Landmarks (n, 2) of each training slice, in pixels.
    inner
        The landmarks whose middle becomes the frame's origin.
    """
    centred = [shape - shape.mean(axis=0) for shape in shapes]
    mean: Floats = np.mean(centred, axis=0)
    for _ in range(ALIGNMENT_ROUNDS):
        poses = [best_pose(mean, shape) for shape in centred]
        mean = np.mean([p.invert(s) for p, s in zip(poses, centred, strict=True)], axis=0)
        # Kept at the cohort's mean size and direction: a usual heart then has the turn 1.
        turn = np.exp(np.mean([np.log(abs(p.turn)) for p in poses])) + 0j
        direction = np.sum([p.turn / abs(p.turn) for p in poses])
        mean = Pose(turn * direction / abs(direction), 0j).apply(mean)
    centred_mean: Floats = mean - mean[inner].mean(axis=0)
    return centred_mean


def _complex(points: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    return points[:, 0] + 1j * points[:, 1]


def _pairs(numbers: np.ndarray[tuple[int, ...], np.dtype[np.complex128]]) -> Floats:
    pairs: Floats = np.stack([numbers.real, numbers.imag], axis=1)
    return pairs
