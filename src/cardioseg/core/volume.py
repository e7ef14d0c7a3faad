"""A volume (an image) and a label map: an array on a grid, checked once and then read-only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.errors import FormatError, GeometryError, LabelError

MM3_PER_ML = 1000.0

Scalar = TypeVar("Scalar", bound=np.generic)


def _frozen_copy(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """The array itself if nobody can write to it, else a read-only copy."""
    if not array.flags.writeable and array.base is None:
        return array
    copy = array.copy()
    copy.setflags(write=False)
    return copy


def _require_shape(array: NDArray[np.generic], geometry: Geometry, what: str) -> None:
    if array.shape != geometry.shape:
        raise GeometryError(f"{what} of shape {array.shape} on a grid of shape {geometry.shape}")


@dataclass(frozen=True, eq=False)
class Volume:
    """An image on a grid.

    Parameters
    ----------
    array
        Intensities (I, J, K), float32, finite, in the scanner's arbitrary unit.
    geometry
        The grid.

    Raises
    ------
    GeometryError
        If array and grid differ in shape.
    FormatError
        If a value is NaN or infinite.

    Examples
    --------
    >>> Volume(np.zeros((2, 3, 4), np.float32), Geometry((2, 3, 4), np.eye(4))).array.shape
    (2, 3, 4)
    """

    array: NDArray[np.float32]
    geometry: Geometry

    def __post_init__(self) -> None:
        array = np.asarray(self.array, dtype=np.float32)
        _require_shape(array, self.geometry, "a volume")
        # NaN and infinity reach the smallest or the largest value; only then are they counted.
        if not np.isfinite([array.min(), array.max()]).all():
            bad = array.size - int(np.isfinite(array).sum())
            raise FormatError(f"{bad} voxels are NaN or infinite; replace them before segmenting")
        object.__setattr__(self, "array", _frozen_copy(array))


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Labels on a grid, in the numbers of a scheme.

    Parameters
    ----------
    array
        Label values (I, J, K), uint8, each 0 or a value of the scheme.
    geometry
        The grid.
    scheme
        What the numbers mean.

    Raises
    ------
    GeometryError
        If array and grid differ in shape.
    LabelError
        If a value is not in the scheme.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> grid = Geometry((10, 10, 10), np.diag([2.0, 2.0, 2.0, 1.0]))
    >>> LabelMap(np.full((10, 10, 10), 3, np.uint8), grid, ACDC).volume_ml("LV cavity")
    8.0
    """

    array: NDArray[np.uint8]
    geometry: Geometry
    scheme: LabelScheme

    def __post_init__(self) -> None:
        _require_shape(np.asarray(self.array), self.geometry, "a label map")
        unknown = self.scheme.unknown_values(np.asarray(self.array))
        if unknown:
            found = ", ".join(f"{value:g}" for value in unknown[:5])
            raise LabelError(
                f"label values {found} are not in scheme {self.scheme.name} "
                f"(0 to {self.scheme.class_count - 1}); name the scheme that the file uses"
            )
        object.__setattr__(self, "array", _frozen_copy(np.asarray(self.array, dtype=np.uint8)))

    def mask(self, structure: str) -> NDArray[np.bool_]:
        """Where one structure is, (I, J, K) bool."""
        mask: NDArray[np.bool_] = self.array == self.scheme.structure(structure).value
        return mask

    def volume_ml(self, structure: str) -> float:
        """Volume of one structure: voxels times the voxel's volume, in ml."""
        voxels = int(np.count_nonzero(self.mask(structure)))
        return voxels * self.geometry.voxel_volume_mm3 / MM3_PER_ML

    def read_as(self, scheme: LabelScheme) -> LabelMap:
        """The same labels in a coarser scheme; a LabelError says which are possible."""
        if scheme == self.scheme:
            return self
        return LabelMap(self.scheme.merge_table(scheme)[self.array], self.geometry, scheme)
