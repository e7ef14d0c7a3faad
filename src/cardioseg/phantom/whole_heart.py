"""Whole-heart scans of synthetic patients with congenital heart disease, with their labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np

from cardioseg.core.case import Case
from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.phantom.congenital import draw_congenital_heart
from cardioseg.phantom.congenital_vessels import congenital_vessel_layers
from cardioseg.phantom.details import BLOOD, MUSCLE, detailed, draw_details
from cardioseg.phantom.grids import whole_heart_grid
from cardioseg.phantom.organs import draw_thorax
from cardioseg.phantom.resizing import finer, grown, part, scaled
from cardioseg.phantom.scene import rasterise
from cardioseg.phantom.setting import TRAINING, Setting
from cardioseg.phantom.synthesis import draw_appearance, synthesise
from cardioseg.phantom.tissue import TissueMap
from cardioseg.phantom.warp import warped

EDGE = 12
"""Voxels around the box for what a deformation brings in."""


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
    source = finer(grown(box, np.full(3, EDGE)))
    vessels = congenital_vessel_layers(heart, rng)
    whole = rasterise(heart, source, thorax, vessels)
    grid = scaled(box, size)
    tissues = warped(whole.array, scaled(source, size), grid, setting, rng)
    array = detailed(tissues, grid, draw_details(rng, size), rng)
    scan = TissueMap(array, grid)
    return scan if full else cropped(scan, rng)


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
    return TissueMap(array, part(tissues.geometry, start, stop))


_Tissues = Callable[[np.random.Generator], TissueMap]


@lru_cache(maxsize=2)
def _scan(tissues: _Tissues, seed: tuple[int, ...], spread: float) -> tuple[Volume, LabelMap]:
    rng = np.random.default_rng(seed)
    drawn = tissues(rng)
    image = synthesise(drawn, draw_appearance(rng, spread), rng)
    return image, heart_labels(drawn)


def _image(tissues: _Tissues, seed: tuple[int, ...], spread: float) -> Volume:
    return _scan(tissues, seed, spread)[0]


def _labels(tissues: _Tissues, seed: tuple[int, ...], spread: float) -> LabelMap:
    return _scan(tissues, seed, spread)[1]


def lazy_case(
    name: str, subject: str, tissues: _Tissues, seed: tuple[int, ...], setting: Setting
) -> Case:
    """A case whose image and labels are made, together, when asked for; also in another process."""
    scan = (tissues, seed, setting.spread)
    return Case(name, subject, partial(_image, *scan), partial(_labels, *scan))


def congenital_case(seed: int, index: int, setting: Setting = TRAINING) -> Case:
    """A synthetic patient's whole-heart scan; made when asked for.

    Parameters
    ----------
    seed, index
        Name the patient: the same two give the same bytes.
    setting
        How far patients and scans differ; its name is the case's, before the number, and patients
        of two settings are different ones.

    Examples
    --------
    >>> congenital_case(0, 3).id
    'congenital_0003'
    """
    name = f"{setting.name}_{index:04d}"
    seeds = (seed, index, setting.stream)
    return lazy_case(name, name, partial(draw_tissues, setting=setting), seeds, setting)
