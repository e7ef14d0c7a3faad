"""A left ventricle of round slices with known wall, and a right ventricle beside it, on a stack."""

from __future__ import annotations

import numpy as np

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap

TO_APEX = np.array([-1.0, 1.0, -1.0]) / np.sqrt(3)
SEPTAL = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
"""Of a heart in its place: base to apex, and towards the right ventricle."""


def round_heart(
    radii_mm: tuple[float, ...] = (27, 26, 25, 24, 23, 21, 19, 17, 15),
    wall_mm: float = 9.0,
    shift_mm: float = 0.0,
    spacing: tuple[float, float] = (1.4, 8.0),
    right: bool = True,
    right_share: float = 0.85,
    cap: int = 0,
) -> LabelMap:
    """Slices from base to apex; the cavity is moved towards the septum by `shift_mm`.

    The first array axis points to the septum, the second to the anterior wall, the third from base
    to apex. `cap` slices of muscle close the apex. The right ventricle is `right_share` as wide as
    the left one with its wall.
    """
    pixel, step = spacing
    n = int(2 * 75 / pixel)
    anterior = np.cross(SEPTAL, TO_APEX)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([SEPTAL * pixel, anterior * pixel, TO_APEX * step], axis=1)
    affine[:3, 3] = -affine[:3, :3] @ (n / 2, n / 2, 0)
    x, y = (np.indices((n, n)) - n / 2) * pixel
    array = np.zeros((n, n, len(radii_mm) + cap + 2), np.uint8)
    for k, radius in enumerate(radii_mm, start=1):
        outer = radius + wall_mm
        if right:
            array[np.hypot(x - outer, y) <= right_share * outer, k] = 1
        array[np.hypot(x, y) <= outer, k] = 2
        array[np.hypot(x - shift_mm, y) <= radius, k] = 3
    for k in range(len(radii_mm) + 1, len(radii_mm) + 1 + cap):
        array[np.hypot(x, y) <= radii_mm[-1], k] = 2
    return LabelMap(array, Geometry(array.shape, affine), ACDC)


def thin_in_front(labels: LabelMap, pixels: int = 2) -> LabelMap:
    """A heart whose cavity lies nearer to the anterior wall."""
    cavity = np.roll(labels.array == 3, pixels, axis=1)
    array = np.where(cavity, 3, np.where(labels.array == 3, 2, labels.array)).astype(np.uint8)
    return LabelMap(array, labels.geometry, labels.scheme)


def without_pose(labels: LabelMap) -> LabelMap:
    """The same voxels in a plain affine, not mirrored: its second axis leads backwards."""
    plain = np.diag([*labels.geometry.spacing, 1.0])
    grid = Geometry(labels.geometry.shape, plain)
    return LabelMap(labels.array[:, ::-1].copy(), grid, labels.scheme)
