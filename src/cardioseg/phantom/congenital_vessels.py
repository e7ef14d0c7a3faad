"""Atria and great vessels of malformed hearts: every course, width and branch is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.phantom.anatomy import Chamber, HeartShape
from cardioseg.phantom.raster import Layer
from cardioseg.phantom.shapes import Capsule, Ellipsoid, Frame, Vector, tube
from cardioseg.phantom.tissue import Tissue

RIGHT_ARCH, TRANSPOSED, LEFT_SVC = 0.2, 0.25, 0.12
"""Shares of hearts with a right aortic arch, exchanged great arteries, and a left upper vena cava,
independent of each other."""

BEND_MM = 5.0
"""Standard deviation of the points through which a vessel runs."""


@dataclass(frozen=True)
class _Sketch:
    """A heart and the source of randomness of its vessels."""

    heart: HeartShape
    rng: np.random.Generator

    @property
    def base(self) -> Frame:
        return Frame(self.heart.pose.base_centre)

    @property
    def frame(self) -> Frame:
        return self.heart.pose.frame

    def bent(self, points: tuple[Vector, ...], fixed: int = 1) -> tuple[Vector, ...]:
        """The points moved at random, but for the first `fixed`."""
        moved = np.array(points) + self.rng.normal(0, BEND_MM, (len(points), 3))
        moved[:fixed] = points[:fixed]
        return tuple((float(x), float(y), float(z)) for x, y, z in moved)

    def vessel(
        self, points: tuple[Vector, ...], radii: tuple[float, float], tissue: Tissue, fixed: int = 1
    ) -> tuple[Layer, ...]:
        """A tube whose width waxes and wanes along its bent course."""
        rods = tube(self.bent(points, fixed), *radii)
        knots = np.exp(self.rng.normal(0, 0.12, len(points) + 1))
        swell = np.interp(
            np.linspace(0, len(points), len(rods) + 1), np.arange(len(points) + 1), knots
        )
        return tuple(
            Layer(
                Capsule(
                    rod.start,
                    rod.end,
                    rod.start_radius_mm * float(swell[n]),
                    rod.end_radius_mm * float(swell[n + 1]),
                ),
                tissue,
            )
            for n, rod in enumerate(rods)
        )


def congenital_vessel_layers(heart: HeartShape, rng: np.random.Generator) -> tuple[Layer, ...]:
    """Great veins, atria with the pulmonary veins, and great arteries, in the order of painting.

    Parameters
    ----------
    heart
        The heart; its radii are the vessels' at their origin.
    rng
        Source of randomness.
    """
    sketch = _Sketch(heart, rng)
    return (*_veins(sketch), *_atria(sketch), *_arteries(sketch))


def _veins(sketch: _Sketch) -> tuple[Layer, ...]:
    heart, base = sketch.heart, sketch.base
    ra = Frame(heart.pose.frame.place(heart.ra.centre))
    svc = (ra.place((0, -6, 8)), base.place((44, -10, 60)), base.place((43, -10, 125)))
    ivc = (ra.place((-4, -8, -10)), ra.place((-14, -20, -45)), (24.0, -32.0, -190.0))
    layers = [
        *sketch.vessel(svc, (heart.svc_mm, heart.svc_mm), Tissue.SVC),
        *sketch.vessel(ivc, (heart.ivc_mm, heart.ivc_mm), Tissue.IVC),
    ]
    if sketch.rng.random() < LEFT_SVC:
        la = Frame(heart.pose.frame.place(heart.la.centre))
        left = (la.place((-20, -2, -6)), base.place((-38, -8, 45)), base.place((-34, -6, 120)))
        layers += sketch.vessel(left, (0.8 * heart.svc_mm, 0.9 * heart.svc_mm), Tissue.SVC)
    return tuple(layers)


def _atria(sketch: _Sketch) -> tuple[Layer, ...]:
    heart, frame, rng = sketch.heart, sketch.frame, sketch.rng
    layers: list[Layer] = []
    for chamber, tissue in ((heart.ra, Tissue.RA), (heart.la, Tissue.LA)):
        layers.append(Layer(Ellipsoid(frame.moved(chamber.centre), chamber.semi_axes), tissue))
        layers += _pouches(chamber, frame, tissue, rng)
    origin = np.array(frame.place(heart.la.centre))
    for near, far in (
        ((28, -12, -4), (56, -24, -12)),
        ((26, -8, 13), (52, -16, 32)),
        ((-28, -14, -2), (-58, -26, -10)),
        ((-26, -10, 14), (-54, -20, 32)),
    ):
        points = (_vector(origin), _vector(origin + near), _vector(origin + far))
        width = float(rng.uniform(4.5, 8.5))
        layers += sketch.vessel(points, (width, 0.65 * width), Tissue.LA)
    return tuple(layers)


def _pouches(
    chamber: Chamber, frame: Frame, tissue: Tissue, rng: np.random.Generator
) -> list[Layer]:
    """The appendage and other bulges on an atrium's upper half."""
    layers = []
    for _ in range(int(rng.integers(1, 4))):
        way = rng.normal(size=3)
        way[2] = -abs(way[2])
        way /= np.linalg.norm(way)
        centre = np.add(chamber.centre, way * chamber.semi_axes * rng.uniform(0.6, 1.0))
        axes = _vector(np.array(chamber.semi_axes) * rng.uniform(0.3, 0.7, 3))
        layers.append(Layer(Ellipsoid(frame.moved(_vector(centre)), axes), tissue))
    return layers


def _arteries(sketch: _Sketch) -> tuple[Layer, ...]:
    """The pulmonary trunk with its branches, the aorta with its arch and the vessels to the head.

    Exchanged arteries start in the other ventricle and run in parallel.
    """
    heart, frame, rng = sketch.heart, sketch.frame, sketch.rng
    a, b, _ = heart.lv.semi_axes
    right: Vector = (0.5 * a, -0.6 * b, 4.0) if heart.rv is None else (30.0, -30.0, 10.0)
    roots = (
        (frame.place(right), frame.place((27.0, -40.0, -13.0))),
        (frame.place((11.0, -9.0, 3.0)), frame.place((17.0, -16.0, -15.0))),
    )
    if rng.random() < TRANSPOSED:
        roots = (roots[1], roots[0])
    side = -1.0 if rng.random() < RIGHT_ARCH else 1.0
    narrowing = float(rng.uniform(0.55, 0.95))
    pulmonary, aortic = roots
    return (*_pulmonary(sketch, pulmonary), *_aorta(sketch, aortic, side, narrowing))


def _pulmonary(sketch: _Sketch, root: tuple[Vector, ...]) -> tuple[Layer, ...]:
    base, width = sketch.base, sketch.heart.pulmonary_mm
    fork = base.place((-6.0, -8.0, 60.0))
    left = (fork, base.place((-38, -24, 62)), base.place((-66, -36, 56)))
    right = (fork, base.place((22, -16, 56)), base.place((50, -22, 53)), base.place((78, -30, 46)))
    return (
        *sketch.vessel(left, (0.75 * width, 0.45 * width), Tissue.PULMONARY_ARTERY),
        *sketch.vessel(right, (0.7 * width, 0.42 * width), Tissue.PULMONARY_ARTERY),
        *sketch.vessel((*root, fork), (width, 0.9 * width), Tissue.PULMONARY_ARTERY, 2),
    )


def _aorta(
    sketch: _Sketch, root: tuple[Vector, ...], side: float, narrowing: float
) -> tuple[Layer, ...]:
    """The vessels to the head, then the aorta; `side` is 1 for a left arch and -1 for a right."""
    base, width = sketch.base, sketch.heart.aorta_mm
    layers: list[Layer] = []
    for start, end in (((16, -4), (26, 2)), ((8, -14), (8, -8)), ((0, -24), (-12, -22))):
        points = (base.place((*start, 84.0)), base.place((*end, 115.0)), base.place((*end, 150.0)))
        thickness = float(sketch.rng.uniform(2.2, 5.5))
        layers += sketch.vessel(points, (thickness, 0.8 * thickness), Tissue.AORTA)
    course: tuple[Vector, ...] = (
        *root,
        base.place((27, 10, 48)),
        base.place((20, 0, 78)),
        base.place((2, -24, 92)),
        (-20.0 * side, -44.0, 74.0),
        (-23.0 * side, -47.0, 40.0),
        (-21.0 * side, -47.0, -60.0),
        (-12.0, -44.0, -190.0),
    )
    layers += sketch.vessel(course, (width, narrowing * width), Tissue.AORTA, 2)
    return tuple(layers)


def _vector(point: NDArray[np.floating]) -> Vector:
    x, y, z = point.tolist()
    return x, y, z
