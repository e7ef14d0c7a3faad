"""Random hearts within the range of adults, their congenital variants and their systole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from cardioseg.phantom.anatomy import (
    Chamber,
    HeartShape,
    LeftVentricle,
    Pose,
    RightVentricle,
    Variant,
)
from cardioseg.phantom.shapes import Lobe

LONGITUDINAL_SHARE = 0.30
"""Part of the ejection fraction that shortens the long axis: about 18 % at 60 %."""


def draw_heart(rng: np.random.Generator, variant: Variant = "normal") -> HeartShape:
    """A random heart at end diastole.

    Parameters
    ----------
    rng
        Source of randomness; the same generator state gives the same heart, and hearts of two
        variants from one state differ only in what the variant changes.
    variant
        `normal`, `dilated_rv`, `septal_defect`, `single_ventricle` or `mirrored`.

    Raises
    ------
    LabelError
        If the variant is unknown.

    Examples
    --------
    >>> heart = draw_heart(np.random.default_rng(1), "normal")
    >>> 70 < heart.lv_cavity_ml < 230
    True
    """
    size = float(rng.normal(1, 0.06))
    lv = _draw_lv(rng, size)
    rv = _draw_rv(rng, size, lv)
    outer = lv.semi_axes[0] + lv.wall_mm
    la, ra = _draw_atria(rng, size, outer)
    aorta, pulmonary, svc, ivc = (rng.uniform((12, 11, 7.5, 9), (15.5, 14, 10, 13))).tolist()
    heart = HeartShape(
        pose=_draw_pose(rng),
        lv=lv,
        rv=rv,
        la=la,
        ra=ra,
        aorta_mm=aorta,
        pulmonary_mm=pulmonary,
        svc_mm=svc,
        ivc_mm=ivc,
        fat_mm=float(rng.uniform(3.5, 8)),
        trabeculae_deg=float(rng.uniform(0, 360)),
        variant=variant,
    )
    return _changed(heart, float(rng.uniform(0.3, 1)))


def _draw_pose(rng: np.random.Generator) -> Pose:
    x, y, z = rng.normal((-8, 8, 0), (4, 3, 5)).tolist()
    azimuth, descent, roll = rng.normal((46, 27, -14), (6, 6, 7)).tolist()
    return Pose((x, y, z), azimuth, descent, roll)


def _draw_lv(rng: np.random.Generator, size: float) -> LeftVentricle:
    radius = float(np.clip(rng.normal(26.5, 2.0), 22, 32)) * size
    oval = rng.uniform(0.95, 1.05)
    length = float(rng.uniform(56, 66)) * size
    wall = float(np.clip(rng.normal(9, 1.2), 6.5, 13))
    lobes = tuple(
        Lobe(order, float(rng.uniform(0, top)), float(rng.uniform(0, 360)), twist)
        for order, top, twist in ((2, 0.06, 0.0), (3, 0.04, 0.5), (5, 0.03, -0.8))
    )
    angles = (float(rng.normal(222, 6)), float(rng.normal(122, 6)))
    axes = (radius * oval, radius / oval, length)
    return LeftVentricle(axes, float(rng.uniform(15, 21)) * size, wall, 0.75 * wall, lobes, angles)


def _draw_rv(rng: np.random.Generator, size: float, lv: LeftVentricle) -> RightVentricle:
    outer = lv.semi_axes[0] + lv.wall_mm
    a, b, c = (rng.uniform((27.5, 40, 57), (32.5, 46, 65)) * size).tolist()
    centre = (float(0.86 * outer), float(rng.normal(-1, 3)), float(rng.uniform(8, 14)))
    lobes = (
        Lobe(3, float(rng.uniform(0.10, 0.18)), float(rng.normal(180, 15)), 0.3),
        Lobe(4, float(rng.uniform(0, 0.05)), float(rng.uniform(0, 360)), 0.5),
    )
    wall = float(rng.uniform(2.5, 3.5))
    return RightVentricle(centre, (a, b, c), wall, -0.0035, lobes)


def _draw_atria(rng: np.random.Generator, size: float, outer: float) -> tuple[Chamber, Chamber]:
    spread = rng.normal(1, 0.06, (2, 3))
    a, b, c = (np.array((25, 29, 23)) * size * spread[0]).tolist()
    left = Chamber((-4.0, 7.0, -20.0), (a, b, c))
    a, b, c = (np.array((25, 28, 25)) * size * spread[1]).tolist()
    return left, Chamber((1.2 * outer, 15.0, -19.0), (a, b, c))


def _changed(heart: HeartShape, severity: float) -> HeartShape:
    """What a variant changes; severity in 0 to 1."""
    lv, rv = heart.lv, heart.rv
    a, b, c = lv.semi_axes
    if heart.variant == "dilated_rv" and rv is not None:
        # A loaded right ventricle flattens the septum: the left one becomes a D.
        p, q, r = rv.semi_axes
        wide = (p * (1.15 + 0.25 * severity), q * (1.05 + 0.1 * severity), r * 1.08)
        rv = replace(rv, semi_axes=wide, wall_mm=rv.wall_mm + 2 * severity)
        return replace(heart, rv=rv, lv=replace(lv, semi_axes=(a * (1 - 0.14 * severity), b, c)))
    if heart.variant == "septal_defect":
        return replace(heart, defect_mm=5 + 5 * severity)
    if heart.variant == "single_ventricle":
        grown = 1.2 + 0.2 * severity
        lv = replace(lv, semi_axes=(a * grown * 1.08, b * grown, c * 1.1))
        return replace(heart, rv=None, lv=lv)
    return heart


def contracted(heart: HeartShape, ejection_fraction: float) -> HeartShape:
    """The same heart at end systole: less blood, a thicker wall, as much muscle.

    The apex stays, the base moves towards it, and the muscle's volume is kept exactly.

    Parameters
    ----------
    heart
        The heart at end diastole.
    ejection_fraction
        Part of the left ventricle's blood that is ejected, 0 to below 1.

    Examples
    --------
    >>> heart = draw_heart(np.random.default_rng(1), "normal")
    >>> systole = contracted(heart, 0.6)
    >>> round(systole.lv_cavity_ml / heart.lv_cavity_ml, 6)
    0.4
    >>> abs(systole.myocardium_ml - heart.myocardium_ml) < 1e-6
    True
    """
    along = 1 - LONGITUDINAL_SHARE * ejection_fraction
    across = float(np.sqrt((1 - ejection_fraction) / along))
    a, b, c = heart.lv.semi_axes
    axes = (a * across, b * across, c * along)
    smaller = replace(heart.lv, semi_axes=axes, depth_mm=heart.lv.depth_mm * along)
    apex = heart.lv.depth_mm + c + heart.lv.apex_wall_mm

    def with_wall(wall: float) -> HeartShape:
        share = heart.lv.apex_wall_mm / heart.lv.wall_mm
        return replace(heart, lv=replace(smaller, wall_mm=wall, apex_wall_mm=share * wall))

    def surplus(wall: float) -> float:
        return with_wall(wall).myocardium_ml - heart.myocardium_ml

    systole = with_wall(float(brentq(surplus, 0.1, 80.0, xtol=1e-10)))
    lv = systole.lv
    descent = apex - (lv.depth_mm + lv.semi_axes[2] + lv.apex_wall_mm)
    pose = replace(heart.pose, base_centre=heart.pose.frame.place((0.0, 0.0, descent)))
    narrowing = (lv.semi_axes[0] + lv.wall_mm) / (a + heart.lv.wall_mm)
    return replace(systole, pose=pose, rv=_contracted_rv(heart.rv, across, along, narrowing))


def _contracted_rv(
    rv: RightVentricle | None, across: float, along: float, narrowing: float
) -> RightVentricle | None:
    if rv is None:
        return None
    (u, v, w), (a, b, c) = rv.centre, rv.semi_axes
    across = 0.5 * (1 + across)
    return replace(
        rv, centre=(u * narrowing, v, w * along), semi_axes=(a * across, b * across, c * along)
    )
