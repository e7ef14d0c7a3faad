"""Where the right ventricle meets the left one: the ends of the septum, and which is anterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cardioseg.evaluation.short_axis import ShortAxis, contour_mm

Float64Array = NDArray[np.float64]

TOUCHING_PIXELS = 2.5
"""The right ventricle touches the outer contour where it is no farther off."""

SEPTUM_DEG = (40.0, 220.0)
"""Widths of a septum that are believed; others are a sliver or an outflow tract."""

UP = np.array([0.0, 1.0, 1.0]) / np.sqrt(2.0)
"""Towards front and head (RAS+): there lies the anterior insertion of a heart in its place."""

NO_ORIENTATION = (
    "the patient's orientation is unknown: segments are named by the right ventricle's insertions "
    "only, and anterior and inferior may be exchanged"
)


@dataclass(frozen=True)
class Septum:
    """The septum at one level.

    Parameters
    ----------
    anterior_rad
        Angle of the anterior insertion about the cavity's centre, in the plane's axes.
    width_rad
        Angle between the insertions.
    turn
        1 or -1: the sense in which one goes from the anterior insertion along the septum.
    """

    anterior_rad: float
    width_rad: float
    turn: Literal[-1, 1]


def find_septum(
    stack: ShortAxis, orientation_known: bool
) -> tuple[tuple[Septum, ...], tuple[str, ...]]:
    """The septum at base, middle and apex; empty, with the reason, without a right ventricle.

    Parameters
    ----------
    stack
        The stack.
    orientation_known
        Whether the plane's axes are the patient's. Then the anterior insertion is the one that
        lies farther towards front and head. If not, it is the one that a heart in its place would
        have there if the grid is not mirrored.

    Returns
    -------
    tuple of Septum
        One a third of the slices with a cavity; a third without right ventricle takes the next
        one's.
    tuple of str
        What to know, or why there is none.
    """
    slices = np.flatnonzero(stack.cavity.any(axis=(1, 2)))
    if not stack.right.any():
        return (), ("no right ventricle: where the segments start cannot be told",)
    arcs = [
        [arc for index in third if (arc := _arc(stack, int(index))) is not None]
        for third in np.array_split(slices, 3)
    ]
    if not any(arcs):
        return (), (
            "the right ventricle touches the left one in no slice: no septum to start from",
        )
    middle = _mean_angle([middle for third in arcs for middle, _ in third])
    turn, notes = _turn(stack, middle, orientation_known)
    septa = []
    for level in range(len(arcs)):
        nearest = min(
            (other for other in range(len(arcs)) if arcs[other]), key=lambda o: abs(o - level)
        )
        centre = _mean_angle([middle for middle, _ in arcs[nearest]])
        width = float(np.median([width for _, width in arcs[nearest]]))
        septa.append(Septum(centre - turn * width / 2, width, turn))
    return tuple(septa), notes


def _turn(
    stack: ShortAxis, middle: float, orientation_known: bool
) -> tuple[Literal[-1, 1], tuple[str, ...]]:
    """The sense from the anterior insertion to the inferior one, and what to know about it."""
    septal = stack.plane @ np.array([np.cos(middle), np.sin(middle)])
    # The side that grows with the angle, seen from the middle of the septum.
    onward = stack.plane @ np.array([-np.sin(middle), np.cos(middle)])
    # Of a heart in its place: from base to apex, then to the right ventricle, by the right hand.
    by_hand: Literal[-1, 1] = -1 if float(np.cross(septal, stack.to_apex) @ onward) > 0 else 1
    if not orientation_known:
        return by_hand, (NO_ORIENTATION,)
    by_place: Literal[-1, 1] = -1 if float(UP @ onward) > 0 else 1
    if by_place == by_hand:
        return by_place, ()
    return by_place, (
        "the right ventricle lies on the other side than in a heart in its place: a mirrored "
        "heart, or a header that mirrors it; check before reading segments",
    )


def _arc(stack: ShortAxis, index: int) -> tuple[float, float] | None:
    """Middle and width of the septum in one slice, in rad."""
    from scipy import ndimage
    from scipy.spatial import cKDTree

    cavity, right = stack.cavity[index], stack.right[index]
    if not cavity.any() or not right.any():
        return None
    outer = contour_mm(ndimage.binary_fill_holes(cavity | stack.muscle[index]), stack)
    if not len(outer):
        return None
    blood = cKDTree(stack.position(np.argwhere(right).astype(np.float64)))
    near = blood.query(outer)[0] <= TOUCHING_PIXELS * stack.pixel_mm
    if not near.any():
        return None
    centre = stack.position(np.argwhere(cavity).astype(np.float64)).mean(axis=0)
    offsets = outer[near] - centre
    angles = np.sort(np.arctan2(offsets[:, 1], offsets[:, 0]))
    gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
    widest = int(gaps.argmax())
    width = float(2 * np.pi - gaps[widest])
    if not SEPTUM_DEG[0] <= np.degrees(width) <= SEPTUM_DEG[1]:
        return None
    start = float(angles[(widest + 1) % len(angles)])
    return start + width / 2, width


def _mean_angle(angles: list[float]) -> float:
    return float(np.angle(np.mean(np.exp(1j * np.asarray(angles)))))
