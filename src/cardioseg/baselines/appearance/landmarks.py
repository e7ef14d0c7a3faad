"""Landmarks of a labelled slice: points round endocardium, epicardium and RV, in one order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardioseg.baselines.imaging import Floats, Mask, blobs, skimage
from cardioseg.baselines.stack import Float32Array
from cardioseg.baselines.wall import polygon_mask
from cardioseg.core.labels import ACDC

POINTS = 24
"""Landmarks of each of the three contours."""

RV, MYOCARDIUM, LV = (structure.value for structure in ACDC.structures)
ENDOCARDIUM = slice(0, POINTS)
EPICARDIUM = slice(POINTS, 2 * POINTS)
RIGHT = slice(2 * POINTS, 3 * POINTS)

SMALLEST_PIXELS = 12
"""A piece smaller than this has no contour worth landmarks."""


@dataclass(frozen=True, eq=False)
class LabelledSlice:
    """Shares (rows, columns), 0 to 1, of the LV cavity, of cavity and wall, and of the RV."""

    lv: Float32Array
    heart: Float32Array
    rv: Float32Array


def landmarks(labelled: LabelledSlice) -> Floats | None:
    """Landmarks (72, 2) of a slice, pixel (row, column); None unless all three contours are there.

    Endo- and epicardium are met at equal angles about the cavity's middle, the first in the
    direction of the RV; the RV's landmarks are equally far apart along its contour, the first
    nearest to the cavity's middle. Orders run the same way round, so that a turned heart has turned
    landmarks.
    """
    outlines = [_outline(each) for each in (labelled.lv, labelled.heart, labelled.rv)]
    lv, heart, rv = outlines
    if lv is None or heart is None or rv is None:
        return None
    centre, towards = lv.mean(axis=0), rv.mean(axis=0) - lv.mean(axis=0)
    first = float(np.arctan2(towards[0], towards[1]))
    inner, outer = (_at_angles(each, centre, first) for each in (lv, heart))
    nearest = int(np.linalg.norm(rv - centre, axis=1).argmin())
    return np.concatenate([inner, outer, _at_lengths(np.roll(rv, -nearest, axis=0))])


def drawn(points: Floats, shape: tuple[int, int]) -> tuple[Mask, Mask, Mask]:
    """LV cavity, what the epicardium encloses, and RV cavity of landmarks, as masks of `shape`."""
    lv, heart, rv = (polygon_mask(shape, points[part]) for part in (ENDOCARDIUM, EPICARDIUM, RIGHT))
    return lv, heart | lv, rv & ~heart & ~lv


def _outline(share: Float32Array) -> Floats | None:
    """Evenly sampled contour (n, 2) of the largest piece, anticlockwise in (row, column)."""
    pieces = blobs(share > 0.5)
    largest = max(pieces, key=lambda piece: piece.area_mm2, default=None)
    if largest is None or largest.mask.sum() < SMALLEST_PIXELS:
        return None
    # Without the other pieces, whose shares the padding of one pixel would keep.
    alone = np.where(skimage().morphology.dilation(largest.mask), share, 0)
    found = skimage().measure.find_contours(np.pad(alone, 1), 0.5)
    contour: Floats = np.asarray(max(found, key=len))[:-1] - 1
    rows, columns = contour.T
    area = np.sum(rows * np.roll(columns, -1) - columns * np.roll(rows, -1))
    outline: Floats = contour if area > 0 else contour[::-1]
    return _resampled(outline, 360)


def _resampled(contour: Floats, count: int) -> Floats:
    """Points (count, 2) equally far apart along a closed contour, from its first point."""
    closed = np.vstack([contour, contour[:1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    wanted = np.arange(count) * along[-1] / count
    points: Floats = np.stack(
        [np.interp(wanted, along, closed[:, axis]) for axis in (0, 1)], axis=1
    )
    return points


def _at_lengths(contour: Floats) -> Floats:
    return _resampled(contour, POINTS)


def _at_angles(contour: Floats, centre: Floats, first: float) -> Floats:
    """Where rays from a centre, at equal angles from `first`, cross a contour."""
    away = contour - centre
    angles = np.arctan2(away[:, 0], away[:, 1])
    reach = np.linalg.norm(away, axis=1)
    order = np.argsort(angles)
    # Anticlockwise in (row, column) is falling angle, as the contour runs.
    wanted = first - np.arange(POINTS) * 2 * np.pi / POINTS
    radius = np.interp(wanted, angles[order], reach[order], period=2 * np.pi)
    rays = np.stack([np.sin(wanted), np.cos(wanted)], axis=1)
    crossings: Floats = centre + radius[:, None] * rays
    return crossings
