"""An MR image of any map of tissues or labels: contrast, partial volume, bias, motion, noise."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import GeometryError
from cardioseg.phantom.contrast import CINE, Contrast
from cardioseg.phantom.raster import coordinates
from cardioseg.phantom.tissue import TissueMap

Float32Array = NDArray[np.float32]

COIL_REACH_MM = 150.0
"""Distance over which the surface coil's sensitivity changes by the factor exp(bias)."""

TEXTURE_MM = ((1.6, 0.8), (7.0, 0.6))
"""Correlation lengths of the texture and their shares; the squares of the shares add to 1."""


@dataclass(frozen=True)
class Acquisition:
    """How a scanner turns tissues into an image.

    Parameters
    ----------
    contrast
        Signal of each tissue.
    spacing_mm
        Voxel size of the image along the map's own axes; None keeps the map's.
    samples
        Points at which each voxel looks at the map, along each axis: the voxel is their mean
        (partial volume; along the slice axis this is the slice thickness).
    bias
        Strength of the receiver coil's shading: natural logarithm of the change over 150 mm.
    noise_sd
        Standard deviation of the noise in each of the two receiver channels.
    shifts_mm
        For each slice, how far the patient has moved along the two in-plane axes (breath holds);
        empty for none. Slices lie across the longest side of a voxel, the last axis in a tie.

    Raises
    ------
    GeometryError
        If a spacing or a number of samples is not positive.
    """

    contrast: Contrast = CINE
    spacing_mm: tuple[float, float, float] | None = None
    samples: tuple[int, int, int] = (2, 2, 2)
    bias: float = 0.35
    noise_sd: float = 4.0
    shifts_mm: tuple[tuple[float, float], ...] = field(default=())

    def __post_init__(self) -> None:
        if min(self.samples) < 1 or min(self.spacing_mm or (1.0,)) <= 0:
            raise GeometryError(
                f"samples {self.samples} and spacing {self.spacing_mm} mm must be positive"
            )

    def grid(self, geometry: Geometry) -> Geometry:
        """The grid of the image of a map on `geometry`: same axes, same middle."""
        spacing = np.array(self.spacing_mm or geometry.spacing)
        extent = np.multiply(geometry.shape, geometry.spacing)
        i, j, k = np.maximum(np.rint(extent / spacing), 1).astype(int).tolist()
        affine = np.array(geometry.affine)
        affine[:3, :3] = geometry.directions * spacing
        middle = geometry.to_world((np.array(geometry.shape) - 1) / 2)
        affine[:3, 3] = middle - affine[:3, :3] @ ((np.array((i, j, k)) - 1) / 2)
        return Geometry((i, j, k), affine)


def slice_axis(geometry: Geometry) -> int:
    """The array axis across the slices: the one of the largest spacing, the last in a tie."""
    spacing = np.round(geometry.spacing, 3)
    return int(np.flatnonzero(spacing == spacing.max())[-1])


def refined(geometry: Geometry, factors: tuple[int, int, int]) -> Geometry:
    """The grid that splits every voxel into equal parts; `Acquisition.grid` undoes it.

    Parameters
    ----------
    geometry
        The coarse grid.
    factors
        Parts along each axis.
    """
    i, j, k = np.multiply(geometry.shape, factors).tolist()
    affine = np.array(geometry.affine)
    affine[:3, :3] /= factors
    affine[:3, 3] = geometry.to_world((1 / np.array(factors) - 1) / 2)
    return Geometry((i, j, k), affine)


def acquire(
    tissues: TissueMap | LabelMap, acquisition: Acquisition, rng: np.random.Generator
) -> Volume:
    """An MR image of a map.

    Parameters
    ----------
    tissues
        What lies where; a label map works with a contrast that names its values.
    acquisition
        How it is imaged.
    rng
        Source of randomness: texture, shading and noise.

    Returns
    -------
    Volume
        The magnitude image, arbitrary unit.

    Raises
    ------
    LabelError
        If the map holds a value for which the contrast has no signal.
    GeometryError
        If the number of shifts is not the number of slices.

    References
    ----------
    Gudbjartsson and Patz, The Rician distribution of noisy MRI data, MRM 1995,
    doi:10.1002/mrm.1910340618.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> labels = LabelMap(np.full((4, 4, 6), 3, np.uint8), Geometry((4, 4, 6), np.eye(4)), ACDC)
    >>> contrast = Contrast("flat", {3: 100.0})
    >>> thick = Acquisition(contrast, (1.0, 1.0, 3.0), (1, 1, 3), bias=0.0, noise_sd=0.0)
    >>> image = acquire(labels, thick, np.random.default_rng(0))
    >>> image.array.shape, float(image.array.max())
    ((4, 4, 2), 100.0)
    """
    grid = acquisition.grid(tissues.geometry)
    signal, texture = _sampled(tissues, acquisition, grid)
    signal += texture * _unit_texture(grid, rng)
    # Magnitude: fat out of phase with water cancels it where they share a voxel, as in SSFP.
    clean = np.abs(signal) * _shading(grid, acquisition.bias, rng)
    return Volume(add_rician_noise(clean, acquisition.noise_sd, rng), grid)


def add_rician_noise(
    signal: Float32Array, noise_sd: float, rng: np.random.Generator
) -> Float32Array:
    """Magnitude of a signal with Gaussian noise in both receiver channels (any shape)."""
    if noise_sd == 0:
        return signal
    real, imaginary = noise_sd * rng.standard_normal((2, *signal.shape), np.float32)
    noisy: Float32Array = np.sqrt((signal + real) ** 2 + imaginary**2)
    return noisy


def _sampled(
    tissues: TissueMap | LabelMap, acquisition: Acquisition, grid: Geometry
) -> tuple[Float32Array, Float32Array]:
    """Mean signal and texture of each voxel over its sample points, slice by slice."""
    axis, shifts = slice_axis(grid), acquisition.shifts_mm
    if shifts and len(shifts) != grid.shape[axis]:
        raise GeometryError(
            f"{len(shifts)} shifts for {grid.shape[axis]} slices: give one for each slice"
        )
    tables = acquisition.contrast.tables(tissues.array)
    answer = np.empty((2, *grid.shape), np.float32)
    plane = [a for a in range(3) if a != axis]
    steps = acquisition.samples
    for n in range(grid.shape[axis]):
        moved = dict(zip(plane, shifts[n], strict=True)) if shifts else {}
        picked = [
            _sample_index(tissues.geometry, grid, a, steps[a], moved.get(a, 0.0)) for a in range(3)
        ]
        picked[axis] = picked[axis][n * steps[axis] : (n + 1) * steps[axis]]
        block = tissues.array[np.ix_(*picked)]
        sides = [s for a in range(3) for s in (block.shape[a] // steps[a], steps[a])]
        where = tuple(n if a == axis else slice(None) for a in range(3))
        for part, table in zip(answer, tables, strict=True):
            part[where] = table[block].reshape(sides).mean(axis=(1, 3, 5)).squeeze(axis)
    return answer[0], answer[1]


def _sample_index(
    source: Geometry, grid: Geometry, axis: int, samples: int, shift_mm: float
) -> NDArray[np.intp]:
    """Index into the map's axis of every sample point along one axis, `samples` for each voxel."""
    step = grid.spacing[axis] / source.spacing[axis]
    surplus = source.shape[axis] - grid.shape[axis] * step
    points = (np.arange(grid.shape[axis] * samples) + 0.5) * (step / samples)
    nearest = np.rint(points - 0.5 + surplus / 2 + shift_mm / source.spacing[axis])
    index: NDArray[np.intp] = np.clip(nearest, 0, source.shape[axis] - 1).astype(np.intp)
    return index


def _unit_texture(grid: Geometry, rng: np.random.Generator) -> Float32Array:
    """Noise of unit variance that is smooth over two lengths."""
    answer = np.zeros(grid.shape, np.float32)
    for length_mm, share in TEXTURE_MM:
        width = [length_mm / s for s in grid.spacing]
        noise = rng.standard_normal(grid.shape, np.float32)
        smooth = gaussian_filter(noise, width, mode="wrap", truncate=3)
        answer += np.float32(share / max(float(smooth.std()), 1e-6)) * smooth
    return answer


def _shading(grid: Geometry, bias: float, rng: np.random.Generator) -> Float32Array:
    """Sensitivity of a coil on the chest: it falls from front to back, and a little elsewhere."""
    tilt = rng.normal((0.0, 1.0, 0.0), (0.35, 0.2, 0.35)) * bias
    curve = rng.normal(0, 0.25, 3) * bias
    middle = grid.to_world((np.array(grid.shape) - 1) / 2)
    box = (slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2]))
    exponent = np.zeros(grid.shape, np.float32)
    for position, centre, t, c in zip(coordinates(grid, box), middle, tilt, curve, strict=True):
        reach = (position - np.float32(centre)) / np.float32(COIL_REACH_MM)
        exponent += np.float32(t) * reach + np.float32(c) * reach * reach
    gain: Float32Array = np.exp(exponent)
    return gain
