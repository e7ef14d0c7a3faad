"""Random trunks: their size, their organs, airways and small vessels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardioseg.phantom.raster import Layer
from cardioseg.phantom.shapes import Capsule, Ellipsoid, Frame, Vector
from cardioseg.phantom.thorax import Thorax
from cardioseg.phantom.tissue import Tissue


def draw_thorax(rng: np.random.Generator) -> Thorax:
    """A random trunk.

    Parameters
    ----------
    rng
        Source of randomness.
    """
    width, depth = rng.uniform(155, 185), rng.uniform(106, 122)
    fat, wall = rng.uniform(0.08, 0.19), rng.uniform(0.10, 0.14)
    diaphragm, phase = rng.uniform(-66, -54), rng.uniform(0, 360)
    details = (*_airways(), *_organs(rng, diaphragm), *_small_vessels(rng, diaphragm))
    return Thorax(width, depth, fat, wall, diaphragm, phase, details)


def _airways() -> tuple[Layer, ...]:
    fork = (3.0, -28.0, 74.0)
    ends: tuple[tuple[Vector, Vector, float], ...] = (
        ((3.0, -22.0, 160.0), fork, 8.5),
        (fork, (40.0, -34.0, 46.0), 6.0),
        (fork, (-42.0, -38.0, 48.0), 5.5),
    )
    gullet = Capsule((-6.0, -36.0, 160.0), (-14.0, -34.0, -75.0), 6.0, 6.0)
    return (
        *(Layer(Capsule(a, b, r + 1.5, r + 1.5), Tissue.MUSCLE) for a, b, r in ends),
        *(Layer(Capsule(a, b, r, r), Tissue.AIR) for a, b, r in ends),
        Layer(gullet, Tissue.MUSCLE, Tissue.FAT),
    )


def _organs(rng: np.random.Generator, diaphragm_mm: float) -> tuple[Layer, ...]:
    stomach = Frame((-58.0, float(rng.uniform(0, 25)), diaphragm_mm - 40))
    gas = stomach.moved((4.0, 12.0, 16.0))
    spleen = Frame((-100.0, -48.0, diaphragm_mm - 34))
    kidney = Frame((-58.0, -62.0, diaphragm_mm - 78))
    solids = [
        Layer(Ellipsoid(stomach, (38, 34, 30)), Tissue.MUSCLE, Tissue.FAT),
        Layer(Ellipsoid(stomach, (35, 31, 27)), Tissue.STOMACH, Tissue.MUSCLE),
        Layer(Ellipsoid(gas, (24, 14, 10)), Tissue.AIR, Tissue.STOMACH),
        Layer(Ellipsoid(spleen, (18, 36, 34)), Tissue.SPLEEN, Tissue.FAT),
        Layer(Ellipsoid(kidney, (26, 24, 48)), Tissue.SPLEEN, Tissue.FAT),
        Layer(Ellipsoid(kidney.moved((6, 4, 0)), (11, 11, 24)), Tissue.FAT, Tissue.SPLEEN),
    ]
    for _ in range(60):
        x, y, z = rng.uniform((-110, -45, diaphragm_mm - 95), (15, 80, diaphragm_mm - 20)).tolist()
        a, b, c = rng.uniform(8, 19, 3).tolist()
        loop = Ellipsoid(Frame((x, y, z)), (a, b, c))
        solids += [
            Layer(loop, Tissue.MUSCLE, Tissue.FAT),
            Layer(loop.grown(-2.5), Tissue.STOMACH, Tissue.MUSCLE),
        ]
    return tuple(solids)


def _small_vessels(rng: np.random.Generator, diaphragm_mm: float) -> tuple[Layer, ...]:
    """Branches that leave the two lung roots, and veins of the liver."""
    layers = []
    for n in range(70):
        side = 1 if n % 2 else -1
        start = np.array([side * rng.uniform(30, 55), rng.uniform(-40, 0), rng.uniform(10, 55)])
        way = rng.normal(size=3) * (20, 26, 26) + (side * 24, 0, -12)
        thin, thick = rng.uniform(0.7, 1.2), rng.uniform(1.5, 3.0)
        layers.append(_vessel(start, start + way, (thick, thin), Tissue.LUNG))
    for _ in range(40):
        start = np.array([45.0, -5.0, diaphragm_mm - 35]) + rng.normal(size=3) * (35, 30, 22)
        way = rng.normal(size=3) * (16, 16, 16)
        layers.append(_vessel(start, start + way, (rng.uniform(1, 2.5), 0.8), Tissue.LIVER))
    return tuple(layers)


def _vessel(
    start: NDArray[np.float64], end: NDArray[np.float64], radii: tuple[float, float], over: Tissue
) -> Layer:
    (x, y, z), (p, q, r) = start.tolist(), end.tolist()
    return Layer(Capsule((x, y, z), (p, q, r), *radii), Tissue.SMALL_VESSEL, over)
