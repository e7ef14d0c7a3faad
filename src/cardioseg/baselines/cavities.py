"""Find the cavities of the ventricles in a short-axis stack by brightness, shape and place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cardioseg.baselines.imaging import (
    Blob,
    Floats,
    Mask,
    blobs,
    dilated,
    distance_from,
    filled,
    hull,
    opened,
    otsu_levels,
)
from cardioseg.baselines.stack import PIXEL_MM, Float32Array
from cardioseg.baselines.wall import WallLevels

SEARCH_MM = 55.0
"""Radius round the expected centre in which thresholds are taken: the heart, little of the wall."""

PLACE_SD_MM = 30.0
"""How far the LV may well lie from where it is expected."""

LV_AREA_MM2 = (60.0, 7000.0)
"""Cross-section of an LV cavity, from a systolic apex to a dilated base."""

RV_AREA_MM2 = (100.0, 9000.0)
"""Cross-section of an RV cavity."""

BRIGHTNESS_SD = 0.15
"""How much the RV's blood may well differ from the LV's, as a share: fat is brighter."""

RV_REACH_MM = 12.0
"""An RV comes at least this close to the LV's outer wall: the septum is all between them."""

RING_DARK = 0.6
"""Share of the ring just outside an LV cavity that is not bright: muscle, but for a near RV."""

NECK_MM = 3.0
"""A bright bridge narrower than twice this does not join two cavities."""

GROWTH = 2.0
"""From slice to slice a cavity does not become larger than by this factor: it has leaked."""

MIDDLE = (0.2, 0.8)
"""Part of the stack in which every heart shows an LV cavity."""


def find_lv(slices: Float32Array, expected: tuple[float, float]) -> Mask | None:
    """The round bright blob with a dark ring near where the LV is expected, slice by slice.

    Every level of a three- and a four-class Otsu threshold is tried; the one whose blobs look most
    like an LV over the middle of the stack is taken. Then the blob is followed to both ends.

    Parameters
    ----------
    slices
        Intensities (slices, rows, columns).
    expected
        Pixel (row, column) where the LV is expected.

    Returns
    -------
    mask or None
        The cavity (slices, rows, columns), papillary muscles included; None where no blob is
        bright, compact and of an LV's size.
    """
    place = np.array(expected)
    near = distance_mm((slices.shape[1], slices.shape[2]), place) <= SEARCH_MM
    first, last = (round(part * (len(slices) - 1)) for part in MIDDLE)
    values = slices[first : last + 1][:, near]
    levels = np.concatenate([otsu_levels(values, classes) for classes in (3, 4)]).tolist()
    tried = {}
    for level in levels:
        found = {k: list(_lv_candidates(slices[k] > level, place)) for k in range(first, last + 1)}
        best = {k: max(each, key=lambda pair: pair[0]) for k, each in found.items() if each}
        tried[level] = best
    level = max(levels, key=lambda each: _total(tried[each]), default=0.0)
    if not tried.get(level):
        return None
    best = tried[level]
    centre = np.median([blob.centroid for _, blob in best.values()], axis=0)
    start = max(best, key=lambda k: best[k][0] * _closeness(best[k][1].centroid, centre, 10.0))
    return _followed(slices > level, start, best[start][1].hull, _whole_lv)


def find_rv(slices: Float32Array, heart: Mask, levels: WallLevels) -> Mask:
    """The large piece beside the left ventricle that is as bright as its blood, slice by slice.

    Parameters
    ----------
    slices
        Intensities (slices, rows, columns).
    heart
        The left ventricle with its wall (slices, rows, columns).
    levels
        Where blood begins, and how bright it is in the left ventricle.

    Returns
    -------
    mask
        The RV cavity (slices, rows, columns); empty where there is no such piece.
    """
    bright = (slices > levels.high) & ~heart
    candidates = [
        (_rv_score(blob, slices[k], heart[k], levels.blood), k, blob)
        for k in np.flatnonzero(heart.any(axis=(1, 2))).tolist()
        for blob in blobs(opened(bright[k], NECK_MM), RV_AREA_MM2[0])
        if blob.area_mm2 <= RV_AREA_MM2[1] and _contact(blob, heart[k]) > 0
    ]
    if not candidates:
        return np.zeros(slices.shape, bool)
    _, start, blob = max(candidates, key=lambda each: each[0])
    found = _followed(bright, start, blob.mask, _whole_rv)
    found &= ~heart
    # Beyond the left ventricle's ends the bright piece is atrium or fat.
    found[~heart.any(axis=(1, 2))] = False
    return found


def distance_mm(shape: tuple[int, int], place: Floats) -> Floats:
    """Distance of every pixel of a slice from a place, in mm."""
    rows, columns = np.indices(shape)
    away: Floats = np.hypot(rows - place[0], columns - place[1]) * PIXEL_MM
    return away


def _total(best: dict[int, tuple[float, Blob]]) -> float:
    return sum(score for score, _ in best.values())


def _closeness(place: Floats, expected: Floats, sd_mm: float = PLACE_SD_MM) -> float:
    away = np.linalg.norm(place - expected) * PIXEL_MM
    return float(np.exp(-0.5 * (away / sd_mm) ** 2))


def _lv_candidates(bright: Mask, place: Floats) -> Iterator[tuple[float, Blob]]:
    """Bright blobs of an LV's size, each with how much it looks like one, 0 to 1."""
    for blob in blobs(opened(bright, NECK_MM), LV_AREA_MM2[0]):
        if blob.area_mm2 > LV_AREA_MM2[1]:
            continue
        away = distance_from(blob.hull)
        ring = (away > 1.5) & (away <= 6.0)
        dark = 1 - bright[ring].mean() if ring.any() else 0.0
        if dark < RING_DARK:
            continue
        size = min(np.sqrt(blob.area_mm2 / 1000), 1.0)
        score = blob.solidity * blob.roundness * dark**2 * size * _closeness(blob.centroid, place)
        yield float(score), blob


def _rv_score(blob: Blob, image: Float32Array, heart: Mask, blood: float) -> float:
    ratio = float(np.median(image[blob.mask])) / max(blood, 1e-6)
    likeness = np.exp(-0.5 * ((ratio - 1) / BRIGHTNESS_SD) ** 2)
    return float(blob.area_mm2 * _contact(blob, heart) ** 2 * likeness)


def _contact(blob: Blob, heart: Mask) -> float:
    """Share of the band round the left ventricle that a piece fills: an RV embraces it."""
    band = dilated(heart, RV_REACH_MM) & ~heart
    return float(blob.mask[band].mean()) if band.any() else 0.0


def _followed(bright: Mask, start: int, first: Mask, whole: Callable[[Mask], Mask]) -> Mask:
    mask = np.zeros(bright.shape, bool)
    mask[start] = first
    for step in (1, -1):
        last, k = first, start + step
        while 0 <= k < len(bright):
            last = _next(bright[k], last, whole)
            if not last.any():
                break
            mask[k] = last
            k += step
    return mask


def _next(bright: Mask, last: Mask, whole: Callable[[Mask], Mask]) -> Mask:
    """The piece of the next slice that goes on from the last one; empty where none does."""
    for neck in (NECK_MM, NECK_MM / 2):
        pieces = blobs(opened(bright & dilated(last, 9.0), neck))
        best = max(pieces, key=lambda blob: (blob.mask & last).sum(), default=None)
        if best is None or not (best.mask & last).any():
            continue
        piece = whole(best.mask)
        if LV_AREA_MM2[0] / 2 <= piece.sum() * PIXEL_MM**2 and piece.sum() <= GROWTH * last.sum():
            return piece
    return np.zeros_like(last)


def _whole_lv(mask: Mask) -> Mask:
    """An LV's bright blood with its papillary muscles: the hull."""
    return hull(mask)


def _whole_rv(mask: Mask) -> Mask:
    """An RV's bright blood with its trabeculae: closed, since a crescent is not its hull."""
    from scipy import ndimage

    padded = np.pad(mask, 6)
    closed = ndimage.binary_erosion(dilated(padded, 4.5), iterations=3)
    return filled(closed[6:-6, 6:-6] | mask)
