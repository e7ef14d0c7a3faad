"""The one door to scikit-image, which is an extra and imported late; and morphology in mm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from cardioseg.baselines.stack import PIXEL_MM

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


def skimage() -> ModuleType:
    """The package scikit-image, its parts loaded when first used."""
    import skimage as package

    return package


def disc(radius_mm: float) -> Mask:
    """A disc (n, n) of working pixels as structuring element.

    Examples
    --------
    >>> disc(1.5).astype(int).tolist()
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    reach = int(radius_mm / PIXEL_MM + 1e-6)
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    element: Mask = np.hypot(rows, columns) * PIXEL_MM <= radius_mm + 1e-6
    return element


def opened(mask: Mask, radius_mm: float) -> Mask:
    """A mask without what a disc does not fit into."""
    from scipy import ndimage

    answer: Mask = ndimage.binary_opening(mask, disc(radius_mm))
    return answer


def dilated(mask: Mask, radius_mm: float) -> Mask:
    """A mask grown by a distance."""
    return distance_from(mask) <= radius_mm if mask.any() else mask


def distance_from(mask: Mask) -> Floats:
    """Distance of every pixel from a mask that is not empty, in mm; 0 within it."""
    from scipy import ndimage

    away: Floats = ndimage.distance_transform_edt(~mask) * PIXEL_MM
    return away


def hull(mask: Mask) -> Mask:
    """The convex hull of a mask; empty stays empty."""
    if not mask.any():
        return mask
    answer: Mask = skimage().morphology.convex_hull_image(mask)
    return answer


def filled(mask: Mask) -> Mask:
    """A mask with its holes filled."""
    from scipy import ndimage

    answer: Mask = ndimage.binary_fill_holes(mask)
    return answer


def otsu_levels(values: NDArray[np.floating], classes: int) -> Floats:
    """Otsu's thresholds (classes - 1,), or none where the values are too few to part.

    References
    ----------
    Otsu 1979, doi:10.1109/TSMC.1979.4310076; Liao et al. 2001 for several levels.

    Examples
    --------
    >>> otsu_levels(np.array([0.0, 0.0, 1.0, 1.0]), 2).size
    1
    >>> otsu_levels(np.zeros(4), 2).size
    0
    """
    if len(np.unique(values)) < max(classes, 2):
        return np.empty(0)
    levels: Floats = np.atleast_1d(
        skimage().filters.threshold_multiotsu(values, classes, nbins=128)
    )
    return levels


@dataclass(frozen=True, eq=False)
class Blob:
    """A connected piece of a slice.

    Parameters
    ----------
    mask
        Where it is (rows, columns).
    centroid
        Its middle, pixel (row, column).
    """

    mask: Mask
    centroid: Floats

    @cached_property
    def area_mm2(self) -> float:
        """Its area."""
        return int(self.mask.sum()) * PIXEL_MM**2

    @cached_property
    def hull(self) -> Mask:
        """Its convex hull (rows, columns)."""
        return hull(self.mask)

    @property
    def solidity(self) -> float:
        """Its share of its convex hull, 0 to 1."""
        return float(self.mask.sum() / self.hull.sum())

    @property
    def roundness(self) -> float:
        """Short over long axis of the ellipse with its moments, 0 to 1."""
        points = np.argwhere(self.mask)
        if len(points) < 2:
            return 1.0
        # A pixel is a square: its own spread keeps a line from having no width.
        short, long = np.linalg.eigvalsh(np.cov(points.T) + np.eye(2) / 12)
        return float(np.sqrt(short / long))


def blobs(mask: Mask, smallest_mm2: float = 0) -> list[Blob]:
    """The edge-connected pieces of a slice's mask of at least an area, in raster order."""
    from scipy import ndimage

    numbered, count = ndimage.label(mask)
    areas = np.bincount(numbered.ravel(), minlength=count + 1) * PIXEL_MM**2
    pieces = [numbered == n for n in range(1, count + 1) if areas[n] >= smallest_mm2]
    return [Blob(piece, np.argwhere(piece).mean(axis=0)) for piece in pieces]
