"""Wall thickness of the left ventricle in the 17 segments of the American Heart Association."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.measurement import Measurement
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.insertion import Septum, find_septum
from cardioseg.evaluation.short_axis import ShortAxis, contour_mm, short_axis

Float64Array = NDArray[np.float64]

SEGMENTS = (
    "basal anterior",
    "basal anteroseptal",
    "basal inferoseptal",
    "basal inferior",
    "basal inferolateral",
    "basal anterolateral",
    "mid anterior",
    "mid anteroseptal",
    "mid inferoseptal",
    "mid inferior",
    "mid inferolateral",
    "mid anterolateral",
    "apical anterior",
    "apical septal",
    "apical inferior",
    "apical lateral",
    "apex",
)
"""Names in the order of their numbers, 1 to 17."""

THICKNESS, THICKENING = "wall thickness", "wall thickening"

SECTORS = (6, 6, 4)
"""Segments of the basal, the middle and the apical third."""

COVERED = 0.5
"""A segment needs contours over this share of its sector in the slices together."""

_BINS = 12
_NO_PHASE = "no such phase"


@dataclass(frozen=True)
class WallThickness:
    """Mean thickness of each segment in mm.

    Parameters
    ----------
    values_mm
        17 values, segment 1 first; None where undefined.
    reasons
        Why a value is undefined; empty otherwise.
    notes
        What to know about all of them.
    """

    values_mm: tuple[float | None, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def measurements(self, phase: str) -> tuple[Measurement, ...]:
        """One measurement a segment."""
        return tuple(
            Measurement(THICKNESS, _named(number), value, "mm", phase=phase, note=reason)
            for number, (value, reason) in enumerate(
                zip(self.values_mm, self.reasons, strict=True), start=1
            )
        )


def _named(number: int) -> str:
    return f"myocardium, {SEGMENTS[number - 1]} (AHA {number})"


def undefined_wall(reason: str) -> WallThickness:
    """A wall of which nothing is known."""
    return WallThickness((None,) * len(SEGMENTS), (reason,) * len(SEGMENTS))


NO_WALL = undefined_wall(_NO_PHASE)
"""Of a phase that there is not."""


def thickening(diastole: WallThickness, systole: WallThickness) -> tuple[Measurement, ...]:
    """Growth of each segment from end diastole to end systole, in percent of the first.

    Examples
    --------
    >>> thin, thick = (WallThickness((mm,) * 17, ("",) * 17) for mm in (8.0, 12.0))
    >>> thickening(thin, thick)[0].told
    '50.0 %'
    """
    values = []
    pairs = zip(diastole.values_mm, systole.values_mm, strict=True)
    for number, (before, after) in enumerate(pairs, start=1):
        reason = diastole.reasons[number - 1] or systole.reasons[number - 1]
        growth = None if not before or after is None else 100.0 * (after - before) / before
        values.append(Measurement(THICKENING, _named(number), growth, "%", note=reason))
    return tuple(values)


def wall_thickness(labels: LabelMap, orientation_known: bool = True) -> WallThickness:
    """Thickness of the left ventricle's wall by AHA segment.

    In each slice, inner and outer contour are drawn, and the distance from every point of one to
    the nearest point of the other is taken, both ways; a segment is the mean over its sector and
    its slices. The slices with a cavity are parted into thirds, base first. Sectors turn about the
    cavity's centre and start at the anterior insertion of the right ventricle: 60 degrees each
    at base and middle; 90 at the apex, the septal one in the middle of the septum. Segment 17 is
    what lies below the last slice with a cavity, along the long axis.

    Parameters
    ----------
    labels
        A short-axis stack with left ventricle, its muscle and right ventricle.
    orientation_known
        Whether the grid's directions are the patient's. If not, which insertion is the anterior
        one is a guess, and it is told.

    References
    ----------
    Cerqueira et al., Circulation 105 (2002) 539, doi:10.1161/hc0402.102975.
    """
    stack, why = short_axis(labels)
    if stack is None:
        return undefined_wall(why)
    septa, notes = find_septum(stack, orientation_known)
    if not septa:
        return undefined_wall(notes[0])
    slices = np.flatnonzero(stack.cavity.any(axis=(1, 2)))
    values: list[float | None] = []
    reasons: list[str] = []
    thirds = np.array_split(slices, len(SECTORS))
    for third, septum, count in zip(thirds, septa, SECTORS, strict=True):
        for value, reason in _sectors(stack, third, septum, count):
            values.append(value)
            reasons.append(reason)
    cap, reason = _cap_mm(stack, int(slices[-1]))
    return WallThickness((*values, cap), (*reasons, reason), notes)


def _sectors(
    stack: ShortAxis, slices: NDArray[np.intp], septum: Septum, count: int
) -> list[tuple[float | None, str]]:
    """Mean thickness of `count` sectors over some slices; None and why where the wall is open."""
    found = [_ring(stack, int(index)) for index in slices]
    angles = np.concatenate([angle for angle, _ in found]) if found else np.empty(0)
    thickness = np.concatenate([mm for _, mm in found]) if found else np.empty(0)
    # At the apex the second sector, the septal one, has its middle in the septum's.
    start = 0.0 if count == 6 else float(np.degrees(septum.width_rad)) / 2 - 135.0
    width = 360.0 / count
    turned = (septum.turn * np.degrees(angles - septum.anterior_rad) - start) % 360.0
    answer: list[tuple[float | None, str]] = []
    for sector in _order(count):
        inside = (turned >= sector * width) & (turned < (sector + 1) * width)
        bins = np.floor((turned[inside] - sector * width) / width * _BINS).astype(int)
        if len(np.unique(bins)) < COVERED * _BINS:
            answer.append((None, "no closed wall in this sector"))
        else:
            # By angle first: a stretch with many points does not count more.
            means = [thickness[inside][bins == b].mean() for b in np.unique(bins)]
            answer.append((float(np.mean(means)), ""))
    return answer


def _order(count: int) -> tuple[int, ...]:
    """Sectors, counted from the anterior insertion towards the septum, in the order of segments.

    Base and middle: anterior is the sector before the insertion, then anteroseptal, inferoseptal,
    inferior, inferolateral, anterolateral. Apex: anterior, septal, inferior, lateral.
    """
    return (5, 0, 1, 2, 3, 4) if count == 6 else (0, 1, 2, 3)


def _ring(stack: ShortAxis, index: int) -> tuple[Float64Array, Float64Array]:
    """Angle and thickness at every point of both contours of a slice where there is muscle."""
    from scipy import ndimage
    from scipy.spatial import cKDTree

    cavity, muscle = stack.cavity[index], stack.muscle[index]
    whole = ndimage.binary_fill_holes(cavity | muscle)
    inner, outer = contour_mm(cavity, stack), contour_mm(whole, stack)
    if not len(inner) or not len(outer) or not muscle.any():
        return np.empty(0), np.empty(0)
    centre = stack.position(np.argwhere(cavity).astype(np.float64)).mean(axis=0)
    wall = cKDTree(stack.position(np.argwhere(muscle).astype(np.float64)))
    angles, distances = [], []
    for points, others in ((inner, outer), (outer, inner)):
        # Where the wall is open, cavity touches what is outside: not a wall of zero thickness.
        beside = wall.query(points)[0] <= 1.5 * stack.pixel_mm
        chosen = points[beside]
        mm = cKDTree(others).query(chosen)[0]
        closed = mm > 0.5 * stack.pixel_mm
        offsets = chosen[closed] - centre
        angles.append(np.arctan2(offsets[:, 1], offsets[:, 0]))
        distances.append(mm[closed])
    return np.concatenate(angles), np.concatenate(distances)


def _cap_mm(stack: ShortAxis, last: int) -> tuple[float | None, str]:
    """Thickness below the last slice with a cavity, as far as muscle covers it."""
    under = stack.cavity[last]
    columns = stack.muscle[last + 1 :, under]
    if not len(columns) or not columns[0].any():
        return None, "no muscle below the last slice with a cavity: no apical cap"
    depth = np.cumprod(columns, axis=0).sum(axis=0)
    return float(depth[depth > 0].mean() * stack.slice_mm), ""
