"""What lies around the heart: chest wall, lungs, spine and upper abdomen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.phantom.raster import Box, Layer, coordinates
from cardioseg.phantom.shapes import Coordinates, Mask
from cardioseg.phantom.tissue import Tissue

SLAB = 8
"""Slices classified at a time: few enough to stay in the processor's cache."""


@dataclass(frozen=True)
class Thorax:
    """A trunk as numbers, in mm and degrees; its middle at the heart's level is the origin.

    Parameters
    ----------
    half_width_mm, half_depth_mm
        Half of the trunk's breadth and depth.
    fat, wall
        Subcutaneous fat and chest wall (muscle and ribs) as fractions of the radius.
    diaphragm_mm
        Height of the diaphragm between its domes.
    rib_phase_deg
        Where the ribs start.
    details
        Organs, airways and small vessels.
    """

    half_width_mm: float
    half_depth_mm: float
    fat: float
    wall: float
    diaphragm_mm: float
    rib_phase_deg: float
    details: tuple[Layer, ...] = ()

    def tissue_at(self, x: Coordinates, y: Coordinates, z: Coordinates) -> NDArray[np.uint8]:
        """Tissue at points (RAS+ mm, arrays of one shape), without heart and details."""
        square = self._square_radius(x, y)
        cavity = square < np.float32((1 - self.fat - self.wall) ** 2)
        muscle = (square < np.float32((1 - self.fat) ** 2)) & ~cavity
        tissue = np.where(square < 1, np.uint8(Tissue.FAT), np.uint8(Tissue.AIR))
        tissue[muscle] = self._wall_tissue(x[muscle], y[muscle], z[muscle])
        tissue[cavity] = self._inner_tissue(x[cavity], y[cavity], z[cavity])
        back = (y < -50) & (np.abs(x) < 62) & (square < np.float32((1 - self.fat) ** 2))
        tissue[back] = _back_tissue(x[back], y[back], z[back], tissue[back])
        return tissue

    def _square_radius(self, x: Coordinates, y: Coordinates) -> Coordinates:
        """0 at the trunk's axis, 1 at the skin; a rounded rectangle rather than an ellipse."""
        across = np.minimum((x / np.float32(self.half_width_mm)) ** 2, 1.7)
        along = np.minimum((y / np.float32(self.half_depth_mm)) ** 2, 1.7)
        square: Coordinates = across + along - np.float32(0.5) * across * along
        return square

    def _wall_tissue(self, x: Coordinates, y: Coordinates, z: Coordinates) -> NDArray[np.uint8]:
        tissue = np.full(x.shape, Tissue.MUSCLE, np.uint8)
        inner = self._square_radius(x, y) < np.float32((1 - self.fat - 0.35 * self.wall) ** 2)
        slope = z - 0.45 * y + 0.1 * np.abs(x)
        wave = np.cos(
            slope * np.float32(2 * np.pi / 27) + np.float32(np.deg2rad(self.rib_phase_deg))
        )
        tissue[inner & (wave > 0.25)] = Tissue.CORTEX
        tissue[inner & (wave > 0.5)] = Tissue.MARROW
        tissue[(y > 0) & (np.abs(x) < 17) & (z > -75)] = Tissue.MARROW
        return tissue

    def _inner_tissue(self, x: Coordinates, y: Coordinates, z: Coordinates) -> NDArray[np.uint8]:
        tissue = np.full(x.shape, Tissue.LUNG, np.uint8)
        waves = 2.5 * np.sin(z / 16 + 0.06 * y) + 1.5 * np.sin(z / 7 - 0.09 * y)
        middle = 6 + 0.0028 * (y - 10) ** 2 + 0.1 * np.maximum(z, 0) + waves
        tissue[np.abs(x + 4) < middle] = Tissue.FAT
        below = self.diaphragm_height(x, y) - z
        tissue[below > 0] = Tissue.MUSCLE
        tissue[below > 2.5] = Tissue.FAT
        edge = x + 0.3 * (z + 60) + 0.006 * (y - 30) ** 2 + 5 * np.sin(y / 17) + 4 * np.sin(z / 11)
        tissue[(below > 4) & (edge > -28)] = Tissue.LIVER
        return tissue

    def diaphragm_height(self, x: Coordinates, y: Coordinates) -> Coordinates:
        """Height of the diaphragm over points of the axial plane, in mm."""
        right = ((x - 80) ** 2 + (y + 5) ** 2) / np.float32(62**2)
        left = ((x + 88) ** 2 + (y + 15) ** 2) / np.float32(55**2)
        height: Coordinates = (
            np.float32(self.diaphragm_mm)
            + 30 / (1 + right**2)
            + 14 / (1 + left**2)
            - 45 * np.maximum(self._square_radius(x, y) - 0.35, 0)
        )
        return height


def _back_tissue(
    x: Coordinates, y: Coordinates, z: Coordinates, tissue: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The spine and the muscles beside it."""
    answer = tissue.copy()

    def ellipse(cy: float, a: float, b: float) -> Mask:
        inside: Mask = (x / np.float32(a)) ** 2 + ((y - np.float32(cy)) / np.float32(b)) ** 2 < 1
        return inside

    side = (y < -78 - 0.006 * (np.abs(x) - 30) ** 2) & (np.abs(x) < 55)
    answer[side] = Tissue.MUSCLE
    answer[ellipse(-87, 19, 15)] = Tissue.CORTEX
    answer[ellipse(-66, 20, 16)] = Tissue.CORTEX
    disc = np.cos(z * np.float32(2 * np.pi / 27)) > 0.86
    body = ellipse(-66, 18.5, 14.5)
    answer[body] = Tissue.MARROW
    answer[body & disc] = Tissue.DISC
    answer[ellipse(-86, 9, 7.5)] = Tissue.SPINAL_FLUID
    answer[ellipse(-86, 5, 4)] = Tissue.MUSCLE
    answer[(np.abs(x) < 3.5) & (y < -95) & ~disc] = Tissue.MARROW
    return answer


def paint_thorax(canvas: NDArray[np.uint8], geometry: Geometry, thorax: Thorax) -> None:
    """Fill a canvas (I, J, K) with a thorax, but for its details."""
    i, j, depth = geometry.shape
    for k in range(0, depth, SLAB):
        box: Box = (slice(0, i), slice(0, j), slice(k, min(k + SLAB, depth)))
        canvas[box] = thorax.tissue_at(*coordinates(geometry, box))
