"""The left ventricle's wall: rays from the cavity outwards, as far as it looks like muscle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.baselines.imaging import Floats, Mask, dilated, skimage
from cardioseg.baselines.stack import PIXEL_MM, Float32Array

RAYS = 72
STEP_MM = 0.5
THINNEST_MM, THICKEST_MM = 3.0, 20.0
"""A wall between an infarct scar's and a hypertrophied one's."""

USUAL_MM = 9.0
"""Assumed where no ray finds an end: between a relaxed and a contracted normal wall."""

LUNG_SHARE = 0.55
"""Below this share of the muscle's intensity lies lung, not muscle."""

BLOOD_SHARE = 0.3
"""Blood begins at this share of the way from muscle to the LV's blood: the RV's is darker."""


@dataclass(frozen=True)
class WallLevels:
    """Intensities: a wall ends below `low` (lung) and above `high` (blood, fat); what is usual."""

    low: float
    muscle: float
    high: float
    blood: float


def wall_levels(slices: Float32Array, cavity: Mask) -> WallLevels:
    """The band of intensities of the muscle, from blood inside and the ring just outside.

    Parameters
    ----------
    slices, cavity
        Intensities and LV cavity (slices, rows, columns); the cavity is not empty.
    """
    blood = float(np.median(slices[cavity]))
    rings = np.stack([dilated(each, 5.0) & ~dilated(each, 1.5) for each in cavity])
    muscle = float(np.quantile(slices[rings], 0.4)) if rings.any() else 0.0
    high = muscle + BLOOD_SHARE * (blood - muscle)
    return WallLevels(LUNG_SHARE * muscle, muscle, high, blood)


def grow_wall(image: Float32Array, cavity: Mask, levels: WallLevels) -> Mask:
    """Cavity and wall of one slice.

    A ray that finds no end within the thickest wall (muscle beside liver, say) takes the slice's
    median thickness; thicknesses are smoothed round the wall.

    Parameters
    ----------
    image, cavity
        Intensities and LV cavity (rows, columns).
    levels
        Where a ray stops.

    Returns
    -------
    mask
        What the epicardium encloses (rows, columns); empty without a cavity.
    """
    if not cavity.any():
        return cavity
    centre = np.argwhere(cavity).mean(axis=0)
    angles = np.arange(RAYS) * 2 * np.pi / RAYS
    rays = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    inner = radii_mm(cavity, centre, rays)
    thickness = _smoothed(_thickness(image, centre, rays, inner, levels))
    outline = centre + rays * ((inner + thickness) / PIXEL_MM)[:, None]
    return polygon_mask(cavity.shape, outline) | cavity


def radii_mm(mask: Mask, centre: Floats, rays: Floats) -> Floats:
    """How far a mask reaches along rays (n, 2) from a centre within it, (n,) mm."""
    from scipy import ndimage

    steps = np.arange(0, np.hypot(*mask.shape), STEP_MM / PIXEL_MM)
    points = centre[:, None, None] + rays.T[:, :, None] * steps
    inside = ndimage.map_coordinates(mask.astype(np.float32), points, order=1) > 0.5
    reach: Floats = np.where(inside, steps * PIXEL_MM, 0).max(axis=1)
    return reach


def polygon_mask(shape: tuple[int, ...], outline: Floats) -> Mask:
    """Pixels (rows, columns) whose centre a closed outline (n, 2) encloses."""
    mask: Mask = skimage().draw.polygon2mask(shape, outline)
    return mask


def _thickness(
    image: Float32Array, centre: Floats, rays: Floats, inner: Floats, levels: WallLevels
) -> Floats:
    """Length (rays,) of muscle beyond the cavity in mm, NaN where it has no end."""
    from scipy import ndimage

    depths = np.arange(0, THICKEST_MM, STEP_MM)
    reach = (inner[:, None] + depths) / PIXEL_MM
    points = centre[:, None, None] + rays.T[:, :, None] * reach
    values = ndimage.map_coordinates(image, points, order=1, mode="nearest")
    muscle = (values >= levels.low) & (values <= levels.high)
    # A ray first crosses the trabeculae's mixed border, then the muscle, then what ends it.
    ended = np.logical_or.accumulate(muscle, axis=1) & ~muscle & (depths >= THINNEST_MM)
    found: Floats = np.where(ended.any(axis=1), depths[ended.argmax(axis=1)], np.nan)
    return found


def _smoothed(thickness: Floats) -> Floats:
    """Thicknesses round the wall without gaps and outliers."""
    from scipy import ndimage

    known = thickness[np.isfinite(thickness)]
    usual = float(np.median(known)) if len(known) >= RAYS // 8 else USUAL_MM
    whole = np.where(np.isfinite(thickness), thickness, usual).clip(0.6 * usual, 1.5 * usual)
    answer: NDArray[np.float64] = ndimage.gaussian_filter1d(
        ndimage.median_filter(whole, RAYS // 8 + 1, mode="wrap"), 2.0, mode="wrap"
    )
    return answer
