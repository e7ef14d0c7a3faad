"""From a volume on its own grid to slices as the network wants them, and exactly back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry, require_same_grid
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import GeometryError, PlanError
from cardioseg.ops.grid import Reorientation, reorientation
from cardioseg.ops.intensity import scale_moments, scale_percentiles
from cardioseg.ops.products import on_both_axes
from cardioseg.ops.resample import SAME_SPACING, axis_positions, interpolation_matrix
from cardioseg.prepare.plan import Plan, SinglePlane

Float32Array = NDArray[np.float32]

SLICE_ROW_COLUMN = {"axial": "SPL", "coronal": "AIL", "sagittal": "RIP"}
"""Where slices, rows and columns of each plane point: pictures look as radiologists show them."""

_PLANE_OF_LETTER = {"S": "axial", "I": "axial", "A": "coronal", "P": "coronal"}


def native_plane(geometry: Geometry) -> str:
    """The anatomical plane closest to a stack's own: perpendicular to its largest spacing.

    Raises
    ------
    GeometryError
        If two spacings tie for the largest, so that no plane is the stack's own.

    Examples
    --------
    >>> native_plane(Geometry((9, 9, 5), np.diag([1.5, 1.5, 8.0, 1.0])))
    'axial'
    """
    axis = geometry.native_axis
    if axis is None:
        raise GeometryError(
            f"no native plane: {geometry.describe()} has no single largest spacing; "
            "name the plane (--plane axial, sagittal or coronal)"
        )
    return _PLANE_OF_LETTER.get(geometry.orientation[axis], "sagittal")


def slice_orientation(geometry: Geometry, plane: SinglePlane) -> Reorientation:
    """The permutation and flips that bring a grid to (slice, row, column) of a plane.

    Raises
    ------
    GeometryError
        If the native plane is asked for and the grid has none.
    """
    name = native_plane(geometry) if plane == "native" else plane
    return reorientation(geometry, SLICE_ROW_COLUMN[name])


@dataclass(frozen=True, eq=False)
class Preparation:
    """Reorient, resample in plane, slice, normalise; and the way back.

    Parameters
    ----------
    geometry
        Grid of the volume.
    plan
        Plane, spacing, size and normalisation.
    plane
        The one plane whose slices are taken; None takes the plan's, which must then be a single
        one: an orthogonal plan has three preparations.

    Examples
    --------
    >>> from cardioseg.prepare.plan import NetworkPlan
    >>> network = NetworkPlan(widths=(4, 8), classes=4)
    >>> plan = Plan(spacing_mm=2.0, size=(16, 16), network=network, scheme="acdc")
    >>> grid = Geometry((20, 24, 3), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> Preparation(grid, plan).slices(Volume(np.ones((20, 24, 3)), grid)).shape
    (3, 16, 16)
    """

    geometry: Geometry
    plan: Plan
    plane: SinglePlane | None = None

    @cached_property
    def reorientation(self) -> Reorientation:
        """The permutation and flips to (slice, row, column).

        Raises
        ------
        PlanError
            If the plan has several planes and none of them is named.
        """
        planes = (self.plane,) if self.plane else self.plan.planes
        if len(planes) != 1:
            raise PlanError(
                f"a preparation takes slices in one plane, this plan in {', '.join(planes)}; "
                "name one of them"
            )
        return slice_orientation(self.geometry, planes[0])

    @cached_property
    def sliced(self) -> Geometry:
        """The input's grid with axes (slice, row, column)."""
        return self.reorientation.geometry(self.geometry)

    @cached_property
    def _forward(self) -> tuple[Float32Array, Float32Array]:
        """Matrices from native rows and columns to prepared ones."""
        rows, columns = (
            interpolation_matrix(axis_positions(size, self.plan.spacing_mm, count, spacing), count)
            for size, count, spacing in self._sides
        )
        return rows, columns

    @cached_property
    def _backward(self) -> tuple[Float32Array, Float32Array]:
        """Matrices from prepared rows and columns to native ones."""
        rows, columns = (
            interpolation_matrix(axis_positions(count, spacing, size, self.plan.spacing_mm), size)
            for size, count, spacing in self._sides
        )
        return rows, columns

    @property
    def _sides(self) -> list[tuple[int, int, float]]:
        """Prepared length, native length and native spacing, of rows and of columns."""
        sides = zip(self.plan.size, self.sliced.shape[1:], self.sliced.spacing[1:], strict=True)
        return [
            (self._side(size, count, spacing), count, spacing) for size, count, spacing in sides
        ]

    def _side(self, size: int, count: int, spacing: float) -> int:
        """Prepared pixels along a side of `count` native ones: the plan's, or all there are."""
        if not self.plan.whole_slices:
            return size
        stride = self.plan.network.stride
        needed = math.ceil(count * spacing / self.plan.spacing_mm * (1 - SAME_SPACING))
        return max(size, math.ceil(needed / stride) * stride)

    def slices(self, volume: Volume) -> Float32Array:
        """Prepared slices (slices, rows, columns), normalised; padding has the lowest value.

        Raises
        ------
        GeometryError
            If the volume lies on another grid, or its slices are narrower than a prepared pixel.
        """
        require_same_grid(volume.geometry, self.geometry, "the volume and its preparation")
        rows, columns = self._forward
        answer = np.empty((self.sliced.shape[0], len(rows), len(columns)), np.float32)
        for index, each in enumerate(self.reorientation.apply(volume.array)):
            answer[index] = on_both_axes(rows, np.ascontiguousarray(each), columns)
        inside = answer[:, _range(rows), _range(columns)]
        if not inside.size:
            raise GeometryError(
                f"slices of {self.sliced.describe()} are narrower than a pixel of "
                f"{self.plan.spacing_mm:g} mm; name another plane"
            )
        normalise = scale_percentiles if self.plan.intensity == "percentile" else scale_moments
        normalise(inside, out=inside)
        answer[:, ~_covered(rows, columns)] = inside.min()
        return answer

    def label_slices(self, labels: LabelMap) -> NDArray[np.uint8]:
        """Labels as prepared slices (slices, rows, columns): the class with the largest share."""
        require_same_grid(labels.geometry, self.geometry, "the labels and their preparation")
        array = np.ascontiguousarray(self.reorientation.apply(labels.array))
        rows, columns = self._forward
        best = on_both_axes(rows, (array == 0).astype(np.float32), columns)
        answer = np.zeros(best.shape, np.uint8)
        for value in range(1, labels.scheme.class_count):
            share = on_both_axes(rows, (array == value).astype(np.float32), columns)
            answer[share > best] = value
            best = np.maximum(best, share)
        return answer

    def restore_scores(self, scores: Float32Array) -> Float32Array:
        """Scores (slices, classes, rows, columns) on the input's grid, (classes, I, J, K).

        Outside the prepared field of view the background has score 1.
        """
        total = np.zeros((scores.shape[1], *self.geometry.shape), np.float32)
        self.add_scores(scores, 0, total)
        return total

    def add_scores(self, scores: Float32Array, first: int, total: Float32Array) -> None:
        """Add the restored scores of some consecutive slices to `total`, in place.

        Parameters
        ----------
        scores
            Scores (slices, classes, rows, columns).
        first
            Index of their first slice in the volume.
        total
            Sum so far (classes, I, J, K) on the input's grid.
        """
        sliced = self.reorientation.apply(total)
        for index, each in enumerate(self.restored([scores]), first):
            sliced[:, index] += each

    def restore_labels(self, batches: Iterable[Float32Array], scheme: LabelScheme) -> LabelMap:
        """The most likely labels on the input's grid; ties go to the lower value.

        Parameters
        ----------
        batches
            Scores (slices, classes, rows, columns) of all slices in order, in parts of any length:
            one part is held at a time.
        scheme
            What the classes mean.
        """
        labels = np.zeros(self.geometry.shape, np.uint8)
        sliced = self.reorientation.apply(labels)
        for index, scores in enumerate(self.restored(batches)):
            sliced[index] = scores.argmax(axis=0)
        labels.setflags(write=False)
        return LabelMap(labels, self.geometry, scheme)

    def restored(self, batches: Iterable[Float32Array]) -> Iterator[Float32Array]:
        """Scores (classes, rows, columns) of one native slice after another.

        Outside the prepared field of view the background has score 1.

        Parameters
        ----------
        batches
            Scores (slices, classes, rows, columns) of prepared slices, in parts of any length: one
            part is held at a time.
        """
        return map(self._restore_slice, chain.from_iterable(batches))

    def _restore_slice(self, scores: Float32Array) -> Float32Array:
        """Scores (classes, rows, columns) of one prepared slice on the native slice."""
        rows, columns = self._backward
        restored = on_both_axes(rows, scores, columns).astype(np.float32, copy=False)
        restored[0, ~_covered(rows, columns)] = 1
        return restored


def _range(matrix: Float32Array) -> slice:
    """The samples of one axis that have a source, those whose matrix rows are not empty: a run."""
    covered = np.flatnonzero(matrix.any(axis=1))
    return slice(int(covered[0]), int(covered[-1]) + 1) if len(covered) else slice(0, 0)


def _covered(rows: Float32Array, columns: Float32Array) -> NDArray[np.bool_]:
    """Which samples (rows, columns) have a source: those whose matrix rows are not empty."""
    return np.outer(np.asarray(rows.any(axis=1)), np.asarray(columns.any(axis=1)))
