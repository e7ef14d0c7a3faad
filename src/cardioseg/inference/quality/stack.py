"""A label map as a stack of slices, and what is measured on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.ops.pieces import connected_pieces, without_holes
from cardioseg.prepare.preparation import slice_orientation

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]

LV, WALL, RV = "LV cavity", "myocardium", "RV cavity"
"""The structures of a short-axis model, as its label scheme names them."""


@dataclass(frozen=True, eq=False)
class Stack:
    """The three structures of a short-axis heart, slice by slice.

    Parameters
    ----------
    lv, wall, rv
        Masks (slices, rows, columns), bool.
    geometry
        Grid of the masks.
    """

    lv: BoolArray
    wall: BoolArray
    rv: BoolArray
    geometry: Geometry

    @cached_property
    def ventricle(self) -> BoolArray:
        """LV cavity and myocardium together: what the epicardium encloses."""
        return self.lv | self.wall

    @cached_property
    def used(self) -> NDArray[np.intp]:
        """Indices of the slices that hold LV cavity or myocardium."""
        return np.flatnonzero(self.ventricle.any(axis=(1, 2)))

    @property
    def slice_mm(self) -> float:
        """Distance of two slices."""
        return self.geometry.spacing[0]

    @property
    def pixel_mm2(self) -> float:
        """Area of a pixel."""
        return self.geometry.spacing[1] * self.geometry.spacing[2]

    def areas_mm2(self, mask: BoolArray) -> Float64Array:
        """Area of a mask in each slice."""
        areas: Float64Array = mask.sum(axis=(1, 2)) * self.pixel_mm2
        return areas

    def centres_mm(self, mask: BoolArray) -> Float64Array:
        """Row and column of a mask's middle in each slice (slices, 2), in mm; NaN where empty."""
        count = mask.sum(axis=(1, 2))
        rows, columns = (np.arange(n) * s for n, s in zip(mask.shape[1:], self._sides, strict=True))
        with np.errstate(invalid="ignore"):
            along_rows = (mask.sum(axis=2) @ rows) / count
            along_columns = (mask.sum(axis=1) @ columns) / count
        return np.stack([along_rows, along_columns], axis=1)

    @property
    def _sides(self) -> tuple[float, float]:
        return self.geometry.spacing[1], self.geometry.spacing[2]


def is_short_axis(scheme: LabelScheme) -> bool:
    """Whether a scheme is that of a short-axis model: LV and RV cavity, one myocardium."""
    return {structure.name for structure in scheme.structures} == {LV, WALL, RV}


def short_axis_stack(labels: LabelMap) -> Stack | None:
    """The label map as a stack; None where its scheme or its grid is not that of one.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> grid = Geometry((4, 4, 2), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> stack = short_axis_stack(LabelMap(np.full((4, 4, 2), 3, np.uint8), grid, ACDC))
    >>> stack.lv.shape, stack.slice_mm
    ((2, 4, 4), 8.0)
    """
    if not is_short_axis(labels.scheme) or labels.geometry.native_axis is None:
        return None
    step = slice_orientation(labels.geometry, "native")
    masks = (np.ascontiguousarray(step.apply(labels.mask(name))) for name in (LV, WALL, RV))
    lv, wall, rv = masks
    return Stack(lv, wall, rv, step.geometry(labels.geometry))


def open_wall(stack: Stack) -> float:
    """Share of the LV cavity's outline, in its slices, that does not touch myocardium, 0 to 1."""
    rim = _beside(stack.lv) & ~stack.lv
    count = int(rim.sum())
    return float((rim & ~stack.wall).sum() / count) if count else 0.0


def _beside(mask: BoolArray) -> BoolArray:
    """The voxels of a mask's slices that share a side with one of its voxels."""
    answer = np.zeros_like(mask)
    answer[:, 1:] |= mask[:, :-1]
    answer[:, :-1] |= mask[:, 1:]
    answer[:, :, 1:] |= mask[:, :, :-1]
    answer[:, :, :-1] |= mask[:, :, 1:]
    return answer


def hole_share(stack: Stack) -> float:
    """Background enclosed by the ventricle in its slices, as a share of the ventricle."""
    holes = total = 0
    for each, rv in zip(stack.ventricle, stack.rv, strict=True):
        if each.any():
            inside = without_holes(each) & ~each & ~rv
            holes += int(inside.sum())
            total += int(each.sum())
    return holes / total if total else 0.0


def piece_share(stack: Stack) -> float:
    """Share of the structures that lies outside their largest piece in a slice, 0 to 1."""
    outside = total = 0
    for mask in (stack.ventricle, stack.rv):
        for each in mask[mask.any(axis=(1, 2))]:
            sizes = connected_pieces(each).sizes
            outside += int(sizes.sum() - sizes.max())
            total += int(sizes.sum())
    return outside / total if total else 0.0


def largest_jump_mm(stack: Stack) -> float:
    """Farthest that the ventricle's middle lies from between its neighbours' in the stack, mm."""
    centres = stack.centres_mm(stack.ventricle)[stack.used]
    if len(centres) < 3 or len(missing_slices(stack)):
        return 0.0
    offsets = centres[1:-1] - (centres[:-2] + centres[2:]) / 2
    return float(np.linalg.norm(offsets, axis=1).max())


def largest_area_step(stack: Stack) -> float:
    """Largest difference of the ventricle's area to its neighbours' mean, of the largest area."""
    areas = stack.areas_mm2(stack.ventricle)[stack.used]
    if len(areas) < 3:
        return 0.0
    steps = np.abs(areas[1:-1] - (areas[:-2] + areas[2:]) / 2)
    return float(steps.max() / areas.max())


def missing_slices(stack: Stack) -> NDArray[np.intp]:
    """Slices between the first and the last of the ventricle that hold nothing of it."""
    if not len(stack.used):
        return np.zeros(0, np.intp)
    inner = np.arange(stack.used[0], stack.used[-1] + 1)
    return np.setdiff1d(inner, stack.used)


def from_foot(stack: Stack, slices: NDArray[np.intp]) -> list[int]:
    """Numbers of slices from 1, counted from the end of the stack that is nearer to the feet.

    The stack's own order follows the body's axis that its slices are nearest to, which in an
    oblique stack need not be the one from foot to head.
    """
    upwards = stack.geometry.directions[2, 0] >= 0
    return sorted(int(k) + 1 if upwards else len(stack.lv) - int(k) for k in slices)


def elongation(stack: Stack) -> float:
    """Length over width of the ventricle in its largest slice: near 1 across its long axis."""
    areas = stack.areas_mm2(stack.ventricle)
    if not areas.any():
        return 1.0
    rows, columns = np.nonzero(stack.ventricle[int(areas.argmax())])
    points = np.stack([rows * stack.geometry.spacing[1], columns * stack.geometry.spacing[2]])
    if points.shape[1] < 3:
        return 1.0
    small, large = np.linalg.eigvalsh(np.cov(points))
    return float(np.sqrt(large / max(small, 1e-6)))


def base_is_last(stack: Stack) -> bool:
    """Whether the base lies at the stack's end: the half with more RV, else with more LV."""
    first, last = (int(stack.used[0]), int(stack.used[-1]))
    middle = (first + last + 1) / 2
    mask = stack.rv if stack.rv.any() else stack.lv
    areas = stack.areas_mm2(mask)[first : last + 1]
    offsets = np.arange(first, last + 1) + 0.5 - middle
    return float((areas * offsets).sum()) > 0


def end_shares(stack: Stack) -> tuple[float, float]:
    """Ventricle's area in the stack's outermost slice at the base and the apex, of its largest."""
    areas = stack.areas_mm2(stack.ventricle)
    if not areas.any():
        return 0.0, 0.0
    first, last = float(areas[0] / areas.max()), float(areas[-1] / areas.max())
    return (last, first) if base_is_last(stack) else (first, last)


def width_mm(stack: Stack) -> float:
    """Diameter of the circle that has the area of the ventricle's largest slice, in mm."""
    return float(2 * np.sqrt(stack.areas_mm2(stack.ventricle).max() / np.pi))


def length_over_width(stack: Stack) -> float:
    """Extent of the ventricle across its slices over the diameter of its largest slice."""
    if not len(stack.used):
        return 0.0
    length = (int(stack.used[-1]) - int(stack.used[0]) + 1) * stack.slice_mm
    return length / width_mm(stack)


def border_share(stack: Stack) -> float:
    """Share of the structures' in-plane outline that lies on the image's border, 0 to 1."""
    heart = stack.ventricle | stack.rv
    edge = np.zeros(heart.shape[1:], bool)
    edge[[0, -1], :] = True
    edge[:, [0, -1]] = True
    outline = sum(np.sqrt(a) for a in heart.sum(axis=(1, 2))) * 2 * np.sqrt(np.pi)
    return float((heart & edge).sum() / outline) if outline else 0.0


def rv_turn_deg_per_cm(stack: Stack) -> float | None:
    """How the direction from LV to RV turns along the slice axis, in degrees per cm.

    Measured in the array's own (row, column) and slice order; None where fewer than four slices
    hold enough of both cavities. Its sign is that of a screw, so it does not depend on which end
    of the stack is the base.
    """
    enough = 20 * 1.4**2
    both = (stack.areas_mm2(stack.lv) > enough) & (stack.areas_mm2(stack.rv) > enough)
    slices = np.flatnonzero(both)
    if len(slices) < 4:
        return None
    away = (stack.centres_mm(stack.rv) - stack.centres_mm(stack.lv))[slices]
    angles = np.rad2deg(np.unwrap(np.arctan2(away[:, 1], away[:, 0])))
    return float(np.polyfit(slices * stack.slice_mm / 10, angles, 1)[0])
