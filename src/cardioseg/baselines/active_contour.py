"""Active contours: level sets that start in the blood and stop at the walls."""

from __future__ import annotations

import numpy as np

from cardioseg.baselines.cavities import find_lv, find_rv
from cardioseg.baselines.imaging import Mask, blobs, dilated, filled, hull, skimage
from cardioseg.baselines.stack import PIXEL_MM, Float32Array, LabelArray
from cardioseg.baselines.wall import THICKEST_MM, THINNEST_MM, WallLevels, wall_levels
from cardioseg.core.labels import ACDC

RV, MYOCARDIUM, LV = (structure.value for structure in ACDC.structures)

CORE_SHARE = 0.5
"""A contour starts from the part of a blob that lies deeper than this share of its depth."""

BAND_MM = 6.0
"""Round a blob a contour may move this far; what lies beyond does not count."""

REGION_STEPS = 40
"""Iterations of Chan-Vese: 60 mm, more than any contour has to go; it rests when it has arrived."""

LV_SPREAD, RV_SPREAD = 3.0, 0.67
"""How much wider than outside intensities may scatter inside: papillary muscles count as LV."""

EDGE_SHARPNESS, EDGE_SD_MM, EDGE_STOP = 80.0, 1.5, 0.3
"""Of the inverse gradient that stops the epicardial contour: steepness, smoothing, the stop."""


def segment_short_axis(slices: Float32Array, expected: tuple[float, float]) -> LabelArray:
    """Labels (scheme `acdc`) of a short-axis stack.

    The endocardium and the RV are contours without edges (blood against muscle), the epicardium a
    geodesic contour that grows from the endocardium until it meets an edge.

    Parameters
    ----------
    slices
        Intensities of the heart region (slices, rows, columns).
    expected
        Pixel (row, column) where the LV is expected.

    Returns
    -------
    labels
        (slices, rows, columns) uint8; all background where no LV is found.

    References
    ----------
    Chan and Vese 2001, doi:10.1109/83.902291; Caselles et al. 1997, doi:10.1023/A:1007979827043;
    Marquez-Neila et al. 2014, doi:10.1109/TPAMI.2013.106
    """
    labels = np.zeros(slices.shape, np.uint8)
    seed = find_lv(slices, expected)
    if seed is None:
        return labels
    levels = wall_levels(slices, seed)
    lv = _contours(slices, seed, LV_SPREAD)
    lv = np.stack([hull(each) for each in lv])
    heart = np.stack([_epicardium(*pair, levels) for pair in zip(slices, lv, strict=True)])
    rough = find_rv(slices, heart, levels)
    muscle = np.where(heart, np.float32(levels.muscle), slices)
    labels[_contours(muscle, rough, RV_SPREAD) & ~heart] = RV
    labels[heart] = MYOCARDIUM
    labels[lv] = LV
    return labels


def _contours(slices: Float32Array, seeds: Mask, spread: float) -> Mask:
    pairs = zip(slices, seeds, strict=True)
    return np.stack([contour_in_blood(image, seed, spread) for image, seed in pairs])


def contour_in_blood(image: Float32Array, blob: Mask, spread: float = 1.0) -> Mask:
    """A contour without edges from a blob's core: it parts bright from dark within its band.

    Parameters
    ----------
    image, blob
        Intensities and where blood was found (rows, columns).
    spread
        How much wider than outside the intensities inside may scatter.

    Returns
    -------
    mask
        The piece (rows, columns) that holds the core; empty for an empty blob.
    """
    core = _core(blob)
    band = dilated(blob, BAND_MM)
    if not core.any():
        return blob
    rows, columns = (slice(each.min(), each.max() + 1) for each in np.nonzero(band))
    # Beyond the band the image shows the mean of what surrounds the blob: no force either way.
    around = float(image[band & ~blob].mean()) if (band & ~blob).any() else 0.0
    level_set = skimage().segmentation.morphological_chan_vese(
        np.where(band, image, around)[rows, columns].astype(np.float64),
        num_iter=REGION_STEPS,
        init_level_set=core[rows, columns].astype(np.int8),
        smoothing=1,
        lambda2=spread,
    )
    grown = np.zeros_like(blob)
    grown[rows, columns] = level_set > 0
    pieces = blobs(grown & band)
    best = max(pieces, key=lambda piece: (piece.mask & core).sum(), default=None)
    return filled(best.mask) if best is not None and (best.mask & core).any() else blob


def _core(blob: Mask) -> Mask:
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(blob)
    core: Mask = depth > CORE_SHARE * depth.max()
    return core


def _epicardium(image: Float32Array, cavity: Mask, levels: WallLevels) -> Mask:
    """What the epicardium of one slice encloses: a geodesic contour, no farther than a wall."""
    if not cavity.any():
        return cavity
    start = dilated(cavity, THINNEST_MM)
    # Painted over, the endocardium is no edge, and the contour can leave it.
    # In units of the muscle's band, lung and blood end it with edges of like height.
    band = (np.where(start, levels.muscle, image) - levels.low) / (levels.high - levels.low)
    segmentation = skimage().segmentation
    speed = segmentation.inverse_gaussian_gradient(
        band.clip(-0.5, 1.5).astype(np.float64), alpha=EDGE_SHARPNESS, sigma=EDGE_SD_MM / PIXEL_MM
    )
    level_set = segmentation.morphological_geodesic_active_contour(
        speed,
        num_iter=round((THICKEST_MM - THINNEST_MM) / PIXEL_MM),
        init_level_set=start.astype(np.int8),
        smoothing=2,
        threshold=EDGE_STOP,
        balloon=1,
    )
    return filled((level_set > 0) | cavity)
