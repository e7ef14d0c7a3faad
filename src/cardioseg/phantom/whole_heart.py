"""Whole-heart scans of synthetic patients with congenital heart disease, with their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.phantom.congenital import draw_congenital_heart
from cardioseg.phantom.congenital_vessels import congenital_vessel_layers
from cardioseg.phantom.details import BLOOD, MUSCLE, detailed, draw_details
from cardioseg.phantom.fields import Deformation, resampled
from cardioseg.phantom.grids import whole_heart_grid
from cardioseg.phantom.organs import draw_thorax
from cardioseg.phantom.scene import rasterise
from cardioseg.phantom.synthesis import draw_appearance, synthesise
from cardioseg.phantom.tissue import TissueMap

@dataclass(frozen=True)
class Setting:
    """How far synthetic scans differ from each other.

    Parameters
    ----------
    deformation
        Largest free-form deformation; each scan draws a share of it.
    turn_deg, stretch
        Spread of the turn about each axis, and of the logarithm of the stretch along it.
    spread
        Width of the ranges of contrasts and artefacts, relative to training's.
    full_share
        Share of the scans that show the thorax instead of the box around the heart.
    """

    deformation: Deformation = Deformation()
    turn_deg: float = 8.0
    stretch: float = 0.08
    spread: float = 1.0
    full_share: float = 0.15


TRAINING = Setting()
HARDER = Setting(
    deformation=Deformation(strengths=(0.75, 0.5, 0.35)), turn_deg=12.0, stretch=0.1, spread=1.25
)
"""For validation: shapes and contrasts beyond those of training."""

def heart_labels(tissues: TissueMap) -> LabelMap:
    """Myocardium and blood pool as HVSMR's readers draw them.

    Unlike `TissueMap.labels`, the right ventricle's wall, trabeculae and papillary muscles are
    myocardium.
    """
    table = np.zeros(256, np.uint8)
    table[list(MUSCLE)] = MYOCARDIUM_BLOOD.structure("myocardium").value
    table[list(BLOOD)] = MYOCARDIUM_BLOOD.structure("blood pool").value
    return LabelMap(table[tissues.array], tissues.geometry, MYOCARDIUM_BLOOD)


def draw_tissues(rng: np.random.Generator, setting: Setting = TRAINING) -> TissueMap:
    """A random patient's heart and thorax on the grid of a scan, stored as P-I-R."""
    heart, thorax = draw_congenital_heart(rng), draw_thorax(rng)
    size = float(rng.uniform(0.5, 1.0))
    spacing = float(rng.uniform(1.1, 1.4))
    full = rng.random() < setting.full_share
    box = whole_heart_grid(heart, spacing / size)
    wider = np.array((60, 70, 84) if full else (4, 4, 4)) * size
    box = grown(box, np.ceil(wider / spacing).astype(int))
    source = _resized(rasterise(
        heart, finer(grown(box, np.full(3, 12))), thorax, congenital_vessel_layers(heart, rng)), size)
    grid = scaled(box, size)
    tissues = warped(source.array, source.geometry, grid, setting, rng)
    array = detailed(tissues, grid, draw_details(rng, size), rng)
    whole = TissueMap(array, grid)
    return whole if full else cropped(whole, rng)


def warped(
    array: NDArray[np.uint8],
    source: Geometry,
    grid: Geometry,
    setting: Setting,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Tissues or labels resampled on a grid of the same axes after a random deformation."""
    share = float(rng.uniform(0.3, 1))
    angles = np.deg2rad(rng.normal(0, setting.turn_deg, 3))
    stretch = np.exp(rng.normal(0, setting.stretch, 3))
    moved = setting.deformation.weaker(share).displacement(grid, rng)
    matrix = _turn(angles) * stretch
    centre = (np.array(grid.shape) - 1) / 2
    to_source = source.to_index(grid.to_world(centre))
    axes = [
        ((np.arange(n) - c) * s).astype(np.float32)
        for n, c, s in zip(grid.shape, centre, grid.spacing, strict=True)
    ]
    i, j, k = axes[0][:, None, None], axes[1][:, None], axes[2]
    positions = []
    for axis in range(3):
        a, b, c = matrix[axis].astype(np.float32)
        offset = a * i + b * j + c * k + moved[axis]
        positions.append(
            offset / np.float32(source.spacing[axis]) + np.float32(to_source[axis])
        )
    return resampled(array, (positions[0], positions[1], positions[2]))


def cropped(tissues: TissueMap, rng: np.random.Generator) -> TissueMap:
    """The box around what counts, with a random margin on each side."""
    found = np.nonzero(heart_labels(tissues).array)
    low = np.array([axis.min() for axis in found])
    high = np.array([axis.max() + 1 for axis in found])
    margin = np.rint(rng.exponential(8.0, (2, 3)) / tissues.geometry.spacing).astype(int)
    start = np.maximum(low - margin[0], 0)
    stop = np.minimum(high + margin[1], tissues.array.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    array = np.ascontiguousarray(tissues.array[box])
    affine = np.array(tissues.geometry.affine)
    affine[:3, 3] = tissues.geometry.to_world(start)
    return TissueMap(array, Geometry(array.shape, affine))


@lru_cache(maxsize=2)
def _scan(
    tissues: Callable[[np.random.Generator], TissueMap], seed: tuple[int, ...], spread: float
) -> tuple[Volume, LabelMap]:
    rng = np.random.default_rng(seed)
    drawn = tissues(rng)
    image = synthesise(drawn, draw_appearance(rng, spread), rng)
    return image, heart_labels(drawn)


def lazy_case(
    name: str,
    subject: str,
    tissues: Callable[[np.random.Generator], TissueMap],
    seed: tuple[int, ...],
    setting: Setting,
) -> Case:
    """A case whose image and labels are made, together, when asked for."""
    return Case(
        name,
        subject,
        lambda: _scan(tissues, seed, setting.spread)[0],
        lambda: _scan(tissues, seed, setting.spread)[1],
    )


def congenital_case(seed: int, index: int, setting: Setting = TRAINING) -> Case:
    """A synthetic patient's whole-heart scan; made when asked for.

    Parameters
    ----------
    seed, index
        Name the patient: the same two give the same bytes.
    setting
        How far patients and scans differ.
    """
    name = f"congenital_{index:04d}"
    return lazy_case(name, name, partial(draw_tissues, setting=setting), (seed, index, 7), setting)


def _turn(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation (3, 3) about the three axes in turn."""
    answer = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        first, second = [a for a in range(3) if a != axis]
        step = np.eye(3)
        step[first, first] = step[second, second] = c
        step[first, second], step[second, first] = -s, s
        answer = answer @ step
    return answer


def grown(geometry: Geometry, voxels: NDArray[np.int_]) -> Geometry:
    affine = np.array(geometry.affine)
    affine[:3, 3] = geometry.to_world(-voxels.astype(float))
    i, j, k = (np.array(geometry.shape) + 2 * voxels).tolist()
    return Geometry((i, j, k), affine)


def finer(geometry: Geometry, factor: float = 1.25) -> Geometry:
    """The same box with smaller voxels."""
    i, j, k = np.ceil(np.multiply(geometry.shape, factor)).astype(int).tolist()
    affine = np.array(geometry.affine)
    affine[:3, :3] /= factor
    return Geometry((i, j, k), affine)


def scaled(geometry: Geometry, size: float) -> Geometry:
    affine = np.array(geometry.affine)
    affine[:3] *= size
    return Geometry(geometry.shape, affine)


def _resized(tissues: TissueMap, size: float) -> TissueMap:
    """The same patient, smaller or larger."""
    return TissueMap(tissues.array, scaled(tissues.geometry, size))
