"""The ventricles and their coat as a list of solids, each painted over the ones before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cardioseg.phantom.anatomy import HeartShape
from cardioseg.phantom.raster import Layer
from cardioseg.phantom.shapes import Capsule, Ellipsoid, Lobe, Shape, Vector
from cardioseg.phantom.tissue import Tissue
from cardioseg.phantom.vessels import vessel_layers

VALVE_PLATE_MM = 5.0
"""Half thickness of the fibrous plates between atria and ventricles."""


def heart_layers(heart: HeartShape, vessels: tuple[Layer, ...] | None = None) -> tuple[Layer, ...]:
    """All solids of a heart in the order of painting; the ventricles come last and whole.

    Parameters
    ----------
    heart
        The heart.
    vessels
        Its atria and great vessels; None takes the usual ones.
    """
    blood = vessel_layers(heart) if vessels is None else vessels
    return (
        *_fat(heart, blood),
        *_thin_walls(heart),
        *blood,
        *_right_ventricle(heart),
        *_left_ventricle(heart),
        *_septal_defect(heart),
    )


def _fat(heart: HeartShape, blood: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """A coat around everything, thin beside the lung and thick over the right ventricle."""
    coats: list[Shape] = [_loose(heart.epicardium, heart.fat_mm / 2)]
    if heart.rv_body is not None and heart.rv is not None:
        coats.append(_loose(heart.rv_body, heart.rv.wall_mm + 0.6 * heart.fat_mm))
    for layer in blood:
        if isinstance(layer.shape, Capsule):
            coats.append(_wider(layer.shape, 2.0))
        elif isinstance(layer.shape, Ellipsoid):
            coats.append(layer.shape.grown(heart.fat_mm / 2))
    outer = heart.epicardium.semi_axes[0] + heart.fat_mm
    coats.append(Ellipsoid(heart.pose.frame, (outer, outer, 10.0)))
    return tuple(Layer(shape, Tissue.FAT, Tissue.LUNG) for shape in coats)


def _loose(solid: Ellipsoid, thickness_mm: float) -> Ellipsoid:
    a, b, c = solid.semi_axes
    lobes = (*solid.lobes, Lobe(3, 0.07, 40.0, 1.0), Lobe(5, 0.05, 0.0, -2.0))
    return replace(solid, semi_axes=(a + thickness_mm, b + thickness_mm, c), lobes=lobes)


def _wider(rod: Capsule, thickness_mm: float) -> Capsule:
    start, end = rod.start_radius_mm + thickness_mm, rod.end_radius_mm + thickness_mm
    return replace(rod, start_radius_mm=start, end_radius_mm=end)


def _thin_walls(heart: HeartShape) -> tuple[Layer, ...]:
    """The right ventricle's free wall, and the plates that carry the valves at the base."""
    outer = 0.95 * heart.epicardium.semi_axes[0]
    plate = Layer(Ellipsoid(heart.pose.frame, (outer, outer, VALVE_PLATE_MM)), Tissue.RV_WALL)
    if heart.rv_body is None or heart.rv is None:
        return (plate,)
    (u, v, _), (a, b, _) = heart.rv.centre, heart.rv.semi_axes
    right = Ellipsoid(heart.pose.frame.moved((u, v, 0.0)), (0.9 * a, 0.9 * b, VALVE_PLATE_MM))
    wall = heart.rv_body.grown(heart.rv.wall_mm)
    return (plate, Layer(right, Tissue.RV_WALL), Layer(wall, Tissue.RV_WALL))


def _right_ventricle(heart: HeartShape) -> tuple[Layer, ...]:
    body = heart.rv_body
    if body is None:
        return ()
    return (
        Layer(body, Tissue.RV),
        *(Layer(s, Tissue.RV_TRABECULAE, Tissue.RV) for s in _rv_trabeculae(heart, body)),
    )


def _rv_trabeculae(heart: HeartShape, body: Ellipsoid) -> tuple[Capsule, ...]:
    """Muscle bundles that cross the apical half of the right ventricle."""
    a, b, c = body.semi_axes
    rods = []
    for n in range(9):
        angle = np.deg2rad(heart.trabeculae_deg + 137.5 * n)
        w = (0.12 + 0.08 * n) * c
        ring = np.sqrt(1 - (w / c) ** 2)
        outer = (0.98 * a * ring * np.cos(angle / 5), b * ring * np.sin(angle), w)
        inner = (0.35 * a * ring, 0.55 * b * ring * np.sin(angle + 1.0), w + 9.0)
        place = body.frame.place
        rods.append(Capsule(place(outer), place(inner), 2.6, 1.4))
    return tuple(rods)


def _left_ventricle(heart: HeartShape) -> tuple[Layer, ...]:
    cavity = heart.lv_cavity
    a, b, c = cavity.semi_axes
    ragged = Ellipsoid(
        cavity.frame,
        (0.94 * a, 0.94 * b, 0.93 * c),
        cavity.floor_mm,
        (
            *cavity.lobes,
            Lobe(11, 0.07, heart.trabeculae_deg, 2.5),
            Lobe(17, 0.05, 2 * heart.trabeculae_deg, -3.5),
        ),
    )
    papillary = tuple(
        Layer(rod, Tissue.LV_TRABECULAE, Tissue.LV)
        for angle in heart.lv.papillary_deg
        for rod in _papillary_muscle(cavity, angle)
    )
    return (
        Layer(heart.epicardium, Tissue.MYOCARDIUM),
        Layer(cavity, Tissue.LV_TRABECULAE),
        Layer(ragged, Tissue.LV),
        *papillary,
    )


def _papillary_muscle(cavity: Ellipsoid, angle_deg: float) -> tuple[Capsule, ...]:
    """Two heads that join the wall towards the apex."""
    a, b, c = cavity.semi_axes
    rods = []
    for turn, size in ((-9.0, 0.15), (11.0, 0.12)):
        angle = np.deg2rad(angle_deg + turn)

        def at(radius: float, w: float, angle: float = angle) -> Vector:
            ring = radius * np.sqrt(1 - w**2)
            return cavity.frame.place(
                (float(a * ring * np.cos(angle)), float(b * ring * np.sin(angle)), w * c)
            )

        rods.append(Capsule(at(0.66, 0.0), at(0.92, 0.6), size * a, 1.25 * size * a))
    return tuple(rods)


def _septal_defect(heart: HeartShape) -> tuple[Layer, ...]:
    """A hole below the base: blood of the left ventricle through to the right one."""
    if not heart.defect_mm:
        return ()
    inner, outer = heart.lv_cavity.semi_axes[0], heart.epicardium.semi_axes[0]
    place = heart.pose.frame.place
    level = heart.defect_mm + 9.0
    hole = Capsule(
        place((inner - 6.0, 0.0, level)),
        place((outer + 4.0, 0.0, level)),
        heart.defect_mm,
        heart.defect_mm,
    )
    return (Layer(hole, Tissue.LV, Tissue.MYOCARDIUM), Layer(hole, Tissue.LV, Tissue.RV_WALL))
