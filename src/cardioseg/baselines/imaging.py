"""The one door to scikit-image, which is an extra and imported late; and morphology in mm."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from cardioseg.baselines.stack import PIXEL_MM
from cardioseg.errors import MissingExtraError

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


def skimage() -> ModuleType:
    """The package scikit-image, its parts loaded when first used.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import skimage as package
    except ImportError as error:
        raise MissingExtraError("a classical baseline", "baselines") from error
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
    from scipy import ndimage

    if not mask.any():
        return mask
    answer: Mask = ndimage.distance_transform_edt(~mask) * PIXEL_MM <= radius_mm
    return answer


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
    solidity
        Its share of its convex hull, 0 to 1.
    roundness
        Short over long axis of the ellipse with its moments, 0 to 1.
    """

    mask: Mask
    centroid: Floats
    solidity: float
    roundness: float

    @property
    def area_mm2(self) -> float:
        """Its area."""
        return int(self.mask.sum()) * PIXEL_MM**2


def blobs(mask: Mask) -> list[Blob]:
    """The edge-connected pieces of a slice's mask, in raster order."""
    measure = skimage().measure
    numbered = measure.label(mask, connectivity=1)
    return [
        Blob(
            numbered == piece.label,
            np.array(piece.centroid),
            float(piece.solidity),
            float(piece.axis_minor_length / max(piece.axis_major_length, 1e-6)),
        )
        for piece in measure.regionprops(numbered)
    ]
