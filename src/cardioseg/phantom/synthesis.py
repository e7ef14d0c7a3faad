"""Random MR images of a tissue map: contrasts drawn from what SSFP physics allows, and beyond."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cardioseg.core.volume import Volume
from cardioseg.phantom.fields import smooth_noise
from cardioseg.phantom.tissue import Tissue, TissueMap

Float32Array = NDArray[np.float32]

SIGNAL: Mapping[Tissue, tuple[float, float]] = {
    Tissue.AIR: (0.0, 0.04),
    Tissue.LUNG: (0.02, 0.22),
    Tissue.FAT: (0.05, 0.75),
    Tissue.MUSCLE: (0.18, 0.6),
    Tissue.LIVER: (0.2, 0.8),
    Tissue.STOMACH: (0.1, 1.0),
    Tissue.SPLEEN: (0.3, 0.9),
    Tissue.MARROW: (0.1, 0.7),
    Tissue.CORTEX: (0.0, 0.15),
    Tissue.DISC: (0.1, 0.7),
    Tissue.SPINAL_FLUID: (0.3, 1.1),
    Tissue.SMALL_VESSEL: (0.5, 1.05),
    Tissue.MYOCARDIUM: (0.2, 0.68),
    Tissue.RV_WALL: (0.2, 0.68),
    Tissue.LV_TRABECULAE: (0.2, 0.68),
    Tissue.RV_TRABECULAE: (0.2, 0.68),
    Tissue.LV: (0.95, 1.05),
    Tissue.RV: (0.75, 1.1),
    Tissue.LA: (0.9, 1.05),
    Tissue.RA: (0.75, 1.1),
    Tissue.AORTA: (0.8, 1.15),
    Tissue.PULMONARY_ARTERY: (0.7, 1.15),
    Tissue.SVC: (0.65, 1.15),
    Tissue.IVC: (0.65, 1.15),
}
"""Range of each tissue's signal in T2-prepared, fat-suppressed balanced SSFP; the left ventricle's
blood is 1."""

_MUSCLE = (Tissue.MYOCARDIUM, Tissue.RV_WALL, Tissue.LV_TRABECULAE, Tissue.RV_TRABECULAE)
_RIGHT = (Tissue.RV, Tissue.RA, Tissue.PULMONARY_ARTERY, Tissue.SVC, Tissue.IVC)


@dataclass(frozen=True)
class Appearance:
    """How one scan looks.

    Parameters
    ----------
    signal
        Mean of each tissue, relative to blood.
    texture
        For each length in `TEXTURE_MM`, the relative spread within each tissue.
    patches
        Share of the surroundings that is replaced by something of any signal.
    blur_mm
        Standard deviation of the point spread along each array axis.
    bias
        Spread of the logarithm of the coil's shading.
    noise, noise_blur
        Standard deviation of the noise relative to blood, and its smoothing in voxels.
    ghost, ghost_shift
        Strength and displacement (share of the side) of a ghost along one axis.
    ghost_axis
        The phase-encoding axis.
    """

    signal: Mapping[Tissue, float] = field(hash=False)
    texture: Mapping[Tissue, tuple[float, float, float]] = field(hash=False)
    patches: float
    blur_mm: tuple[float, float, float]
    bias: float
    noise: float
    noise_blur: float
    ghost: float
    ghost_shift: float
    ghost_axis: int


TEXTURE_MM = (2.5, 9.0, 30.0)
"""Distances of the knots of the three textures: grain, flow and mixing, slow changes."""


def draw_appearance(rng: np.random.Generator, spread: float = 1.0) -> Appearance:
    """A random appearance.

    Parameters
    ----------
    rng
        Source of randomness.
    spread
        Width of the ranges; 1 for training, more for a harder test.
    """
    signal = {tissue: float(rng.uniform(*ends)) for tissue, ends in SIGNAL.items()}
    muscle = float(rng.uniform(0.2, min(0.68 * spread**0.3, 0.75)))
    for tissue, factor in zip(_MUSCLE, (1.0, rng.uniform(0.9, 1.15), 1.1, 1.1), strict=True):
        signal[tissue] = muscle * float(factor * rng.uniform(0.97, 1.03))
    side = float(rng.uniform(max(1 - 0.28 * spread, 0.6), 1.08))
    for tissue in _RIGHT:
        signal[tissue] = side * float(rng.normal(1, 0.05 * spread))
    if rng.random() < 0.15:
        signal[Tissue.FAT] = -float(rng.uniform(0.3, 1.2))  # not suppressed, out of phase
    blood = (*_RIGHT, Tissue.LV, Tissue.LA, Tissue.AORTA)
    texture = {}
    for tissue in Tissue:
        top = (0.06, 0.10, 0.10) if tissue in (*blood, *_MUSCLE) else (0.15, 0.25, 0.25)
        grain, flow, slow = (rng.uniform(0.1, 1, 3) * top * spread).tolist()
        texture[tissue] = (grain, flow, slow)
    blur = rng.uniform(0.35, 0.75) * np.where(rng.random(3) < 0.2, rng.uniform(1, 1.9), 1.0)
    x, y, z = blur.tolist()
    return Appearance(
        signal=signal,
        texture=texture,
        patches=float(rng.uniform(0, 0.25)) if rng.random() < 0.6 else 0.0,
        blur_mm=(x, y, z),
        bias=float(rng.uniform(0, 0.22)) * spread,
        noise=float(rng.uniform(0.01, 0.08)) * spread,
        noise_blur=float(rng.uniform(0, 0.9)),
        ghost=float(rng.uniform(0, 0.08)) if rng.random() < 0.4 else 0.0,
        ghost_shift=float(rng.uniform(0.1, 0.5)),
        ghost_axis=int(rng.integers(0, 3)),
    )


def synthesise(tissues: TissueMap, appearance: Appearance, rng: np.random.Generator) -> Volume:
    """An MR image of a tissue map, on its grid.

    Parameters
    ----------
    tissues
        What lies where.
    appearance
        How it looks.
    rng
        Source of randomness: textures, patches, shading, noise.

    Returns
    -------
    Volume
        Magnitude image, arbitrary unit.

    References
    ----------
    B. Billot et al., SynthSeg, Medical Image Analysis 2023, DOI 10.1016/j.media.2023.102789.
    """
    grid, array = tissues.geometry, tissues.array
    clean = _table(appearance.signal)[array]
    if appearance.patches:
        clean = _patched(clean, tissues, appearance, rng)
    relative = np.ones(grid.shape, np.float32)
    for level, knot in enumerate(TEXTURE_MM):
        spread = _table({t: parts[level] for t, parts in appearance.texture.items()})[array]
        relative += spread * smooth_noise(grid, knot, rng)
    clean *= relative
    width = [b / s for b, s in zip(appearance.blur_mm, grid.spacing, strict=True)]
    clean = np.abs(gaussian_filter(clean, width, truncate=3))
    clean *= np.exp(np.float32(appearance.bias) * smooth_noise(grid, 90.0, rng))
    if appearance.ghost:
        shift = round(appearance.ghost_shift * grid.shape[appearance.ghost_axis])
        ghost = np.roll(clean, shift, appearance.ghost_axis)
        clean = clean + np.float32(appearance.ghost) * ghost
    return Volume(_noisy(clean, appearance, rng) * np.float32(1000), grid)


def _table(values: Mapping[Tissue, float]) -> Float32Array:
    table = np.zeros(len(Tissue), np.float32)
    table[list(values)] = list(values.values())
    return table


def _patched(
    clean: Float32Array, tissues: TissueMap, appearance: Appearance, rng: np.random.Generator
) -> Float32Array:
    """Blobs of unknown things in the surroundings, never in the heart's muscle or blood."""
    heart = np.zeros(len(Tissue), bool)
    heart[list(range(Tissue.SMALL_VESSEL, len(Tissue)))] = True
    heart[Tissue.AIR] = True
    outside = ~heart[tissues.array]
    for knot in (5.0, 12.0):
        blobs = smooth_noise(tissues.geometry, knot, rng)
        threshold = np.quantile(blobs[::4, ::4, ::4], 1 - appearance.patches / 2)
        level = np.float32(rng.uniform(0.0, 1.0))
        clean = np.where(outside & (blobs > threshold), level, clean)
    return clean


def _noisy(clean: Float32Array, appearance: Appearance, rng: np.random.Generator) -> Float32Array:
    """Rician noise, smooth where the scanner interpolated the image."""
    channels = rng.standard_normal((2, *clean.shape), np.float32)
    if appearance.noise_blur > 0.3:
        channels = gaussian_filter(channels, (0, *(appearance.noise_blur,) * 3), truncate=2.5)
        channels /= np.float32(channels[:, ::3, ::3, ::3].std())
    channels *= np.float32(appearance.noise)
    magnitude: Float32Array = np.sqrt((clean + channels[0]) ** 2 + channels[1] ** 2)
    return magnitude
