"""Solids in the patient (RAS+ mm) given by a formula, with their exact volumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Float64Array
from cardioseg.core.volume import MM3_PER_ML
from cardioseg.errors import GeometryError

Vector = tuple[float, float, float]
Coordinates = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Shape(Protocol):
    """A solid that can say which points it contains."""

    @property
    def hull(self) -> Float64Array:
        """Points (N, 3), in RAS+ mm, whose convex hull holds the whole solid."""

    def contains(self, x: Coordinates, y: Coordinates, z: Coordinates) -> Mask:
        """Whether points lie inside; coordinates in RAS+ mm, arrays of one shape."""


@dataclass(frozen=True)
class Frame:
    """Origin and orientation of a local coordinate system (u, v, w).

    Parameters
    ----------
    origin
        Where (0, 0, 0) lies, in RAS+ mm.
    axes
        The unit vectors u, v and w, in RAS+.
    """

    origin: Vector = (0.0, 0.0, 0.0)
    axes: tuple[Vector, Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    def place(self, local: Vector) -> Vector:
        """RAS+ position of a local point, in mm."""
        x, y, z = np.asarray(self.origin) + np.asarray(local) @ np.asarray(self.axes)
        return float(x), float(y), float(z)

    def moved(self, local: Vector) -> Frame:
        """The same orientation with the origin at a local point."""
        return Frame(self.place(local), self.axes)

    def local(
        self, x: Coordinates, y: Coordinates, z: Coordinates
    ) -> tuple[Coordinates, Coordinates, Coordinates]:
        """Local coordinates of points, in mm."""
        u, v, w = (
            x * np.float32(a[0])
            + y * np.float32(a[1])
            + (z * np.float32(a[2]) - np.float32(np.dot(a, self.origin)))
            for a in self.axes
        )
        return u, v, w


@dataclass(frozen=True)
class Lobe:
    """A wave on the outline of every cross-section that leaves the section's area unchanged.

    Parameters
    ----------
    order
        Waves around the outline, at least 1.
    amplitude
        Relative change of the squared radius, below 1 in total over all lobes.
    phase_deg
        Where the wave starts, in degrees from u towards v.
    twist_deg_per_mm
        How fast the wave turns along w.
    """

    order: int
    amplitude: float
    phase_deg: float = 0.0
    twist_deg_per_mm: float = 0.0


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, whole or cut off by a plane w = floor_mm.

    Lobes and the bend move points within planes of constant w and keep the area of every
    cross-section, so the closed-form volume holds for the deformed solid too.

    Parameters
    ----------
    frame
        Its centre and the directions of its semi-axes.
    semi_axes
        Along u, v and w, in mm.
    floor_mm
        Only points with w at or above it belong to the solid; None keeps the whole ellipsoid.
    lobes
        Waves on the outline.
    bend_per_mm
        The centre line is u = bend_per_mm * w^2.

    Raises
    ------
    GeometryError
        If a semi-axis is not positive or the plane lies outside of the ellipsoid.

    Examples
    --------
    >>> round(Ellipsoid(Frame(), (10.0, 10.0, 10.0)).volume_ml, 3)
    4.189
    >>> round(Ellipsoid(Frame(), (10.0, 10.0, 10.0), floor_mm=0.0).volume_ml, 3)
    2.094
    """

    frame: Frame
    semi_axes: Vector
    floor_mm: float | None = None
    lobes: tuple[Lobe, ...] = ()
    bend_per_mm: float = 0.0

    def __post_init__(self) -> None:
        if min(self.semi_axes) <= 0:
            raise GeometryError(f"an ellipsoid needs positive semi-axes, not {self.semi_axes} mm")
        if self.floor_mm is not None and abs(self.floor_mm) > self.semi_axes[2]:
            raise GeometryError(
                f"the plane w = {self.floor_mm:g} mm misses an ellipsoid that reaches "
                f"{self.semi_axes[2]:g} mm; move the plane inside or leave it out"
            )

    @property
    def volume_ml(self) -> float:
        """Volume in ml, exact."""
        a, b, c = self.semi_axes
        floor = -c if self.floor_mm is None else self.floor_mm
        length = (c - floor) - (c**3 - floor**3) / (3 * c**2)
        return float(np.pi * a * b * length) / MM3_PER_ML

    @property
    def hull(self) -> Float64Array:
        """Corners (8, 3), in RAS+ mm, of a box around the solid."""
        a, b, c = self.semi_axes
        swell = np.sqrt(1 + sum(abs(lobe.amplitude) for lobe in self.lobes))
        shift = self.bend_per_mm * c**2
        sides = (
            (-a * swell + min(shift, 0), a * swell + max(shift, 0)),
            (-b * swell, b * swell),
            (-c if self.floor_mm is None else self.floor_mm, c),
        )
        return np.array([self.frame.place(corner) for corner in product(*sides)])

    def contains(self, x: Coordinates, y: Coordinates, z: Coordinates) -> Mask:
        """Whether points lie inside; coordinates in RAS+ mm, arrays of one shape."""
        u, v, w = self.frame.local(x, y, z)
        if self.bend_per_mm:
            u = u - np.float32(self.bend_per_mm) * w * w
        a, b, c = (np.float32(s) for s in self.semi_axes)
        u, v = u / a, v / b
        radius = 1 - (w / c) ** 2
        if self.lobes:
            angle = np.arctan2(v, u)
            radius = radius * (1 + sum(_wave(lobe, angle, w) for lobe in self.lobes))
        inside: Mask = u * u + v * v <= radius
        return inside if self.floor_mm is None else inside & (w >= np.float32(self.floor_mm))

    def grown(self, thickness_mm: float) -> Ellipsoid:
        """The same solid with every semi-axis longer by a thickness; the plane stays."""
        a, b, c = (s + thickness_mm for s in self.semi_axes)
        return replace(self, semi_axes=(a, b, c))


def _wave(lobe: Lobe, angle: Coordinates, w: Coordinates) -> Coordinates:
    turned = angle * np.float32(lobe.order) + np.float32(np.deg2rad(lobe.phase_deg))
    if lobe.twist_deg_per_mm:
        turned = turned + np.float32(np.deg2rad(lobe.twist_deg_per_mm)) * w
    wave: Coordinates = np.float32(lobe.amplitude) * np.cos(turned)
    return wave


@dataclass(frozen=True)
class Capsule:
    """A straight rod with round ends whose radius changes evenly from start to end.

    Parameters
    ----------
    start, end
        Centres of the two ends, in RAS+ mm; they may coincide (a ball).
    start_radius_mm, end_radius_mm
        Radii at the ends.

    Examples
    --------
    >>> round(Capsule((0, 0, 0), (0, 0, 10), 3.0, 3.0).volume_ml, 4)
    0.3958
    """

    start: Vector
    end: Vector
    start_radius_mm: float
    end_radius_mm: float

    @property
    def _axis(self) -> Float64Array:
        return np.subtract(self.end, self.start).astype(np.float64)

    @property
    def volume_ml(self) -> float:
        """Volume in ml, exact: a frustum and two half balls."""
        first, last = self.start_radius_mm, self.end_radius_mm
        length = float(np.linalg.norm(self._axis))
        rod = np.pi * length * (first**2 + first * last + last**2) / 3
        return float(rod + 2 / 3 * np.pi * (first**3 + last**3)) / MM3_PER_ML

    @property
    def hull(self) -> Float64Array:
        """Corners (16, 3), in RAS+ mm, of boxes around the two round ends."""
        corners = np.array(list(product((-1.0, 1.0), repeat=3)))
        first = np.asarray(self.start) + corners * self.start_radius_mm
        return np.concatenate([first, np.asarray(self.end) + corners * self.end_radius_mm])

    def contains(self, x: Coordinates, y: Coordinates, z: Coordinates) -> Mask:
        """Whether points lie inside; coordinates in RAS+ mm, arrays of one shape."""
        axis = self._axis.astype(np.float32)
        x, y, z = (p - np.float32(s) for p, s in zip((x, y, z), self.start, strict=True))
        square = max(float(axis @ axis), 1e-12)
        along = (x * axis[0] + y * axis[1] + z * axis[2]) / np.float32(square)
        along = np.clip(along, 0, 1)
        widening = np.float32(self.end_radius_mm - self.start_radius_mm)
        radius = np.float32(self.start_radius_mm) + widening * along
        distance = (x - along * axis[0]) ** 2 + (y - along * axis[1]) ** 2
        inside: Mask = distance + (z - along * axis[2]) ** 2 <= radius * radius
        return inside


def tube(
    points: tuple[Vector, ...], start_radius_mm: float, end_radius_mm: float, bends: int = 4
) -> tuple[Capsule, ...]:
    """A smooth tube through points: a chain of capsules along a Catmull-Rom curve.

    Parameters
    ----------
    points
        At least two, in RAS+ mm; the curve passes through each.
    start_radius_mm, end_radius_mm
        Radii at its ends, evenly changing in between.
    bends
        Straight pieces between two neighbouring points.
    """
    ends = [np.subtract(np.multiply(2, points[0]), points[1])]
    knots = np.array([*ends, *points, np.subtract(np.multiply(2, points[-1]), points[-2])])
    t = (np.arange(bends) / bends)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2)
        + 0.5 * (3 * b - 3 * c + d - a) * t**3
        for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False)
    ]
    curve = [(float(x), float(y), float(z)) for x, y, z in [*np.concatenate(pieces), knots[-2]]]
    radii = np.linspace(start_radius_mm, end_radius_mm, len(curve)).tolist()
    spans = zip(pairwise(curve), pairwise(radii), strict=True)
    return tuple(Capsule(p, q, r, s) for (p, q), (r, s) in spans)
