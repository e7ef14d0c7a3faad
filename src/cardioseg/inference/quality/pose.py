"""Whether the heart is the right way round: a mirrored or turned file is told, not absorbed.

From the apex towards the base the right ventricle winds around the left one, to the front, towards
its outflow tract: a right-handed screw in every patient whose heart lies on the left. A mirrored
file turns it into a left-handed one, whatever else was permuted or flipped.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.quality import Reason, Verdict
from cardioseg.core.short_axis import pose_is_lost
from cardioseg.inference.quality.stack import Stack, base_is_last, rv_turn_deg_per_cm

WRONG_TURN = -2.0
"""Degrees per cm; 2 % of ACDC's references (one patient of 80) turn the wrong way by more."""

APEX_TO_BASE = np.array([0.5, -0.6, 0.6])
"""Rough direction in RAS+: the apex points to the patient's left, front and foot."""

LV_TO_RV = np.array([0.75, 0.65, -0.1])
"""Rough direction in RAS+: the right ventricle lies to the right and in front."""

OPPOSITE = -0.2
"""Cosine to the expected direction below which a direction counts as wrong."""

ACROSS = 0.35
"""Cosine between a stack's axis and the heart's below which its slices run along the heart."""


def pose_reasons(stack: Stack, geometry: Geometry) -> Iterator[Reason]:
    """What speaks for a scan that is mirrored, or whose orientation in the header is wrong.

    Parameters
    ----------
    stack
        The segmented heart.
    geometry
        The scan's own grid.
    """
    if not (stack.rv.any() and stack.lv.any()):
        return
    turn = rv_turn_deg_per_cm(stack)
    known = not pose_is_lost(geometry)
    along, across = _directions(stack)
    wound = turn is not None and _screw(turn, stack, geometry, known) < WRONG_TURN
    if wound or (known and along[0] < 0 and across[0] < 0):
        yield Reason(Verdict.REVIEW, "mirrored", _mirror_words(known))
    if known:
        yield from _direction_reasons(along, across)


def view_reasons(geometry: Geometry) -> Iterator[Reason]:
    """Whether a stack runs along the heart, by the patient's orientation alone.

    Examples
    --------
    >>> turned = np.array([[0, 0, 4.0, 0], [0, 1.5, 6.0, 0], [1.5, 0, 0, 0], [0, 0, 0, 1]])
    >>> [reason.rule for reason in view_reasons(Geometry((200, 200, 9), turned))]
    ['long_axis']
    """
    axis = geometry.native_axis
    if axis is None or pose_is_lost(geometry):
        return
    if abs(_cosine(geometry.directions[:, axis], APEX_TO_BASE)) < ACROSS:
        yield Reason(
            Verdict.REVIEW,
            "long_axis",
            "by the file's orientation the slices run along the heart and not across it: this "
            "looks like a long-axis view; choose the short-axis stack",
        )


def _screw(turn: float, stack: Stack, geometry: Geometry, known: bool) -> float:
    """The turn in degrees per cm, positive where it is that of a heart which is not mirrored."""
    right_handed = float(np.sign(np.linalg.det(stack.geometry.affine[:3, :3])))
    if known:
        return turn * right_handed
    # Without a pose the picture is all there is: columns first and rows second, as ACDC stores
    # them, seen from the apex; slices may be stored from either end.
    in_array = turn * right_handed * float(np.sign(np.linalg.det(geometry.affine[:3, :3])))
    return in_array * _base_sign(stack, geometry)


def _base_sign(stack: Stack, geometry: Geometry) -> float:
    """1 where the base lies towards the end of the array's own slice axis, else -1."""
    axis = geometry.native_axis
    own = geometry.affine[:3, 2 if axis is None else axis]
    same = float(np.sign(stack.geometry.affine[:3, 0] @ own))
    return same if base_is_last(stack) else -same


def _directions(stack: Stack) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From apex to base, and from LV to RV across that, in RAS+."""
    along = stack.geometry.directions[:, 0] * (1 if base_is_last(stack) else -1)
    across = _middle(stack.rv, stack.geometry) - _middle(stack.lv, stack.geometry)
    return along, across - (across @ along) * along


def _direction_reasons(along: NDArray[np.float64], across: NDArray[np.float64]) -> Iterator[Reason]:
    wrong = [
        words
        for direction, expected, words in (
            (along, APEX_TO_BASE, "its apex does not point to the left, the front and the foot"),
            (across, LV_TO_RV, "its right ventricle does not lie to the right and in front"),
        )
        if _cosine(direction, expected) < OPPOSITE
    ]
    if wrong:
        yield Reason(
            Verdict.REVIEW,
            "orientation",
            f"by the file's orientation the heart lies unusually: {'; '.join(wrong)}. Check the "
            "orientation in the header against the scanner's pictures; rarely it is the anatomy",
        )


def _middle(mask: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.float64]:
    """World position of a mask's middle, in RAS+ mm."""
    return geometry.to_world(np.argwhere(mask).mean(axis=0))


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0


def _mirror_words(known: bool) -> str:
    if known:
        return (
            "the right ventricle winds around the left one the wrong way: the file seems to be "
            "mirrored (or the heart is, as in dextrocardia with situs inversus); convert it again "
            "from DICOM and compare left and right with the scanner's pictures"
        )
    return (
        "the picture seems to be mirrored, or stored with rows before columns: the file has lost "
        "the patient's orientation, so left and right are a guess; convert it again from DICOM"
    )
