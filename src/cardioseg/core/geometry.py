"""A grid in the patient: shape and affine, world coordinates in RAS+ millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardioseg.errors import GeometryError

Shape = tuple[int, int, int]
Float64Array = NDArray[np.float64]

ORTHOGONALITY_TOLERANCE = 1e-3
"""Largest cosine between two axes, and deviation, that still counts as orthogonal."""

SPACING_TIE = 1.001
"""A spacing is the single largest if it exceeds the next by more than this factor."""

SAME_GRID_MM = 1e-2
"""Two grids are one if no corner voxel lies farther apart than this, in millimetres."""

_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))
_DECIMALS = 6


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where the voxels of an array lie in the patient.

    Parameters
    ----------
    shape
        Voxels along the three array axes (I, J, K), each at least 1.
    affine
        4 x 4 matrix from voxel index to RAS+ millimetres: coordinates grow towards the patient's
        right, front (anterior) and head (superior).

    Raises
    ------
    GeometryError
        If the affine is not finite, has a zero axis, is flat, or its last row is not 0 0 0 1.

    Examples
    --------
    >>> grid = Geometry((4, 5, 6), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> grid.spacing, grid.orientation
    ((1.5, 1.5, 8.0), 'RAS')
    """

    shape: Shape
    affine: Float64Array

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or any(int(n) != n or n < 1 for n in self.shape):
            raise GeometryError(f"a grid needs three positive side lengths, not {self.shape}")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError("the affine must be a 4 x 4 matrix of finite numbers")
        if not np.allclose(affine[3], (0, 0, 0, 1)):
            raise GeometryError(f"the affine's last row must be 0 0 0 1, not {affine[3]}")
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if (lengths < 1e-6).any():
            raise GeometryError(f"spacing {_numbers(lengths)} mm: an axis of the grid has length 0")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-6 * np.prod(lengths):
            raise GeometryError("two axes of the grid are parallel: the grid is flat")
        affine.setflags(write=False)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "affine", affine)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along each array axis, in mm."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return i, j, k

    @cached_property
    def directions(self) -> Float64Array:
        """Unit vectors of the array axes as columns (3, 3), in RAS+."""
        unit: Float64Array = self.affine[:3, :3] / np.asarray(self.spacing)
        return unit

    @cached_property
    def native_axis(self) -> int | None:
        """Array axis of the single largest spacing, along which a stack was acquired, 0 to 2.

        Of a single picture, one voxel deep, it is the axis across the picture, whatever the
        spacings. None where two spacings tie for the largest (within 0.1 %).

        Examples
        --------
        >>> Geometry((9, 9, 5), np.diag([1.5, 1.5, 8.0, 1.0])).native_axis
        2
        """
        flat = [axis for axis, length in enumerate(self.shape) if length == 1]
        if len(flat) == 1:
            return flat[0]
        spacing = np.asarray(self.spacing)
        axis = int(spacing.argmax())
        tied = np.sort(spacing)[-2] * SPACING_TIE > spacing[axis]
        return None if tied else axis

    @property
    def shown_axis(self) -> int:
        """Axis across which slices are shown: the native one, the last where there is none.

        Examples
        --------
        >>> Geometry((9, 9, 9), np.eye(4)).shown_axis
        2
        """
        return 2 if self.native_axis is None else self.native_axis

    @property
    def origin(self) -> Float64Array:
        """World position (3,) of voxel (0, 0, 0), in RAS+ mm."""
        return self.affine[:3, 3]

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel cell, |det affine|, in mm^3."""
        i, j, k = self.affine[:3, :3].T
        return float(abs(i @ np.cross(j, k)))

    @property
    def diagonal_mm(self) -> float:
        """Longest distance between two voxel centres, in mm: the worst surface distance."""
        corners = self.corners()
        pairs = corners[:, None, :] - corners[None, :, :]
        return float(np.linalg.norm(pairs, axis=-1).max())

    @cached_property
    def shear(self) -> float:
        """Largest cosine between two different array axes; 0 for an orthogonal grid."""
        products = self.directions.T @ self.directions
        return float(np.abs(products - np.diag(np.diag(products))).max())

    @property
    def is_orthogonal(self) -> bool:
        """Whether the array axes are perpendicular to each other."""
        return self.shear <= ORTHOGONALITY_TOLERANCE

    @cached_property
    def orientation(self) -> str:
        """Closest anatomical direction of each array axis, such as 'RAS' or 'PIR'.

        Each letter names the side that the axis points to.
        """
        axes, signs = self._closest_axes
        return "".join(_LETTERS[a][s > 0] for a, s in zip(axes, signs, strict=True))

    @cached_property
    def _closest_axes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """World axis and sign of each array axis; ties are settled in world coordinates."""
        best: tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]] | None = None
        cosines = self.directions
        for axes in permutations(range(3)):
            picked = [cosines[world, column] for column, world in enumerate(axes)]
            signs = tuple(_sign(cosines[:, axis], world) for axis, world in enumerate(axes))
            columns = [cosines[:, axes.index(w)] * signs[axes.index(w)] for w in range(3)]
            score = round(float(np.abs(picked).sum()), _DECIMALS)
            key = (score, *np.round(np.concatenate(columns), _DECIMALS).tolist())
            if best is None or key > best[0]:
                best = (key, axes, signs)
        if best is None:  # pragma: no cover - there are always six permutations
            raise GeometryError("no orientation")
        return best[1], best[2]

    def corners(self) -> Float64Array:
        """World positions (8, 3) of the corner voxels' centres, in RAS+ mm."""
        sides = [(0, n - 1) for n in self.shape]
        return self.to_world(np.array(list(product(*sides)), dtype=np.float64))

    def to_world(self, indices: ArrayLike) -> Float64Array:
        """World positions (..., 3) in RAS+ mm of voxel indices (..., 3)."""
        points = np.asarray(indices, dtype=np.float64)
        world: Float64Array = points @ self.affine[:3, :3].T + self.origin
        return world

    def to_index(self, points: ArrayLike) -> Float64Array:
        """Fractional voxel indices (..., 3) of world positions (..., 3): undoes `to_world`."""
        offsets = np.asarray(points, dtype=np.float64) - self.origin
        indices: Float64Array = offsets @ np.linalg.inv(self.affine[:3, :3]).T
        return indices

    def distance_mm(self, other: Geometry) -> float:
        """Largest distance between the corners of two grids of one shape; inf if shapes differ."""
        if self.shape != other.shape:
            return float("inf")
        return float(np.linalg.norm(self.corners() - other.corners(), axis=1).max())

    def is_same(self, other: Geometry, tolerance_mm: float = SAME_GRID_MM) -> bool:
        """Whether two grids place every voxel at the same point, within the tolerance."""
        return self.distance_mm(other) <= tolerance_mm

    def describe(self) -> str:
        """One line for messages: shape, spacing and orientation."""
        sides = " x ".join(str(n) for n in self.shape)
        return f"{sides} voxels of {_numbers(self.spacing)} mm, {self.orientation}"


def _sign(direction: Float64Array, world: int) -> int:
    """Whether an axis points along a world axis or against it.

    One that is perpendicular to it, as strong shear can make, takes the sign of the first world
    axis that it is not perpendicular to: the answer may not depend on how the array is stored.
    """
    for cosine in np.round((direction[world], *direction), _DECIMALS):
        if cosine:
            return 1 if cosine > 0 else -1
    raise GeometryError("an axis without a direction")


def _numbers(values: ArrayLike) -> str:
    return "(" + ", ".join(f"{v:.4g}" for v in np.asarray(values)) + ")"


def require_same_grid(geometry: Geometry, reference: Geometry, names: str) -> None:
    """Refuse two grids that should be one.

    Parameters
    ----------
    geometry, reference
        The grids.
    names
        What they are and where they come from, for the message.

    Raises
    ------
    GeometryError
        If the shapes differ or a corner lies more than 0.01 mm apart.
    """
    if geometry.is_same(reference):
        return
    distance = geometry.distance_mm(reference)
    apart = "" if np.isinf(distance) else f" (corners up to {distance:.3g} mm apart)"
    raise GeometryError(
        f"{names} lie on different grids: {geometry.describe()} against "
        f"{reference.describe()}{apart}; re-export one of them on the other's grid"
    )
