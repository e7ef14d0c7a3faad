"""A heart region as square pixels of one size, slice by slice, and exactly back to the volume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cardioseg.baselines.region import HeartRegion
from cardioseg.core.geometry import Geometry, require_same_grid
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.ops.grid import Reorientation
from cardioseg.ops.intensity import scale_percentiles
from cardioseg.ops.resample import interpolation_matrix
from cardioseg.prepare.plan import SinglePlane
from cardioseg.prepare.preparation import slice_orientation

Float32Array = NDArray[np.float32]
LabelArray = NDArray[np.uint8]

PIXEL_MM = 1.5
"""Side of a working pixel: the in-plane spacing of most cine MR."""


@dataclass(frozen=True, eq=False)
class RegionStack:
    """The way from a volume to the slices of its heart region and back.

    Parameters
    ----------
    geometry
        Grid of the volume.
    plane
        Plane of the slices.
    region
        The window, in mm from each slice's middle.

    Examples
    --------
    >>> grid = Geometry((160, 128, 3), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> stack = RegionStack(grid, "native", HeartRegion())
    >>> stack.slices(Volume(np.ones(grid.shape, np.float32), grid)).shape
    (3, 121, 121)
    """

    geometry: Geometry
    plane: SinglePlane
    region: HeartRegion

    @cached_property
    def _reorientation(self) -> Reorientation:
        return slice_orientation(self.geometry, self.plane)

    @cached_property
    def sliced(self) -> Geometry:
        """The volume's grid with axes (slice, row, column)."""
        return self._reorientation.geometry(self.geometry)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the window."""
        pairs = zip(self.region.low_mm, self.region.high_mm, strict=True)
        rows, columns = (int(np.ceil((high - low) / PIXEL_MM)) + 1 for low, high in pairs)
        return rows, columns

    @property
    def expected(self) -> tuple[float, float]:
        """Pixel (row, column) of the window where the LV cavity is expected."""
        pairs = zip(self.region.centre_mm, self.region.low_mm, strict=True)
        row, column = ((centre - low) / PIXEL_MM for centre, low in pairs)
        return row, column

    def slices(self, volume: Volume) -> Float32Array:
        """Intensities (slices, rows, columns), 0 to 1 by the window's percentiles.

        What the window holds beyond the image is 0.
        """
        require_same_grid(volume.geometry, self.geometry, "the volume and its region")
        array = np.ascontiguousarray(self._reorientation.apply(volume.array))
        rows, columns = self._forward
        window = (rows @ array @ columns.T).astype(np.float32)
        inside = np.outer(rows.any(axis=1), columns.any(axis=1))
        answer = np.zeros(window.shape, np.float32)
        if inside.any():
            answer[:, inside] = scale_percentiles(window[:, inside])
        return answer

    def shares(self, mask: NDArray[np.bool_]) -> Float32Array:
        """How much of each pixel (slices, rows, columns) a mask (I, J, K) covers, 0 to 1."""
        array = np.ascontiguousarray(self._reorientation.apply(mask)).astype(np.float32)
        rows, columns = self._forward
        covered: Float32Array = (rows @ array @ columns.T).astype(np.float32)
        return covered

    def restore(self, labels: LabelArray, scheme: LabelScheme) -> LabelMap:
        """Labels (slices, rows, columns) on the volume's grid, background outside the window.

        Each native pixel takes the label with the largest interpolated share.
        """
        rows, columns = self._backward
        best = rows @ (labels == 0).astype(np.float32) @ columns.T
        answer = np.zeros(best.shape, np.uint8)
        for value in range(1, scheme.class_count):
            share = rows @ (labels == value).astype(np.float32) @ columns.T
            answer[share > best] = value
            best = np.maximum(best, share)
        array = np.ascontiguousarray(self._reorientation.invert(answer))
        return LabelMap(array, self.geometry, scheme)

    @cached_property
    def _forward(self) -> tuple[Float32Array, Float32Array]:
        """Matrices from native rows and columns to the window's."""
        rows, columns = (
            interpolation_matrix(
                ((low + np.arange(count) * PIXEL_MM) / spacing + middle).astype(np.float32), length
            )
            for count, low, spacing, length, middle in self._sides
        )
        return rows, columns

    @cached_property
    def _backward(self) -> tuple[Float32Array, Float32Array]:
        """Matrices from the window's rows and columns to native ones."""
        rows, columns = (
            interpolation_matrix(
                (((np.arange(length) - middle) * spacing - low) / PIXEL_MM).astype(np.float32),
                count,
            )
            for count, low, spacing, length, middle in self._sides
        )
        return rows, columns

    @property
    def _sides(self) -> list[tuple[int, float, float, int, float]]:
        """Window length and first edge; native spacing, length and middle; of rows and columns."""
        native = zip(self.sliced.spacing[1:], self.sliced.shape[1:], strict=True)
        window = zip(self.shape, self.region.low_mm, strict=True)
        return [
            (count, low, spacing, length, (length - 1) / 2)
            for (count, low), (spacing, length) in zip(window, native, strict=True)
        ]
