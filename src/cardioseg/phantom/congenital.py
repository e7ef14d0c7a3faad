"""Hearts from infants to adults, healthy and malformed: far wider ranges than `draw_heart`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cardioseg.phantom.anatomy import Chamber, HeartShape, LeftVentricle, Pose, RightVentricle
from cardioseg.phantom.draw import draw_heart
from cardioseg.phantom.shapes import Vector

SINGLE_VENTRICLE, DEFECT, MIRRORED = 0.12, 0.35, 0.15
"""Shares of the hearts; a heart may have several of them."""


def draw_congenital_heart(rng: np.random.Generator) -> HeartShape:
    """A random heart of a patient with congenital heart disease, at an adult's size.

    Ventricles from hypoplastic to dilated, walls from thin to hypertrophic (the right one as thick
    as the left in some), dilated atria and arteries, septal defects, single ventricles, and hearts
    turned or mirrored in the chest.

    Parameters
    ----------
    rng
        Source of randomness.

    Examples
    --------
    >>> hearts = [draw_congenital_heart(np.random.default_rng(n)) for n in range(40)]
    >>> sum(heart.rv is None for heart in hearts) > 0, sum(h.mirrored for h in hearts) > 0
    (True, True)
    """
    heart = draw_heart(rng)
    single, defect, mirrored = rng.random(3) < (SINGLE_VENTRICLE, DEFECT, MIRRORED)
    lv = _changed_lv(heart.lv, rng)
    rv = None if heart.rv is None else _changed_rv(heart.rv, lv, rng)
    radii = rng.uniform((9, 6, 6, 7), (19, 19, 11, 14)).tolist()
    aorta, pulmonary, svc, ivc = radii
    return replace(
        heart,
        pose=_turned(heart.pose, rng),
        lv=_single(lv, rng) if single else lv,
        rv=None if single else rv,
        la=_changed_atrium(heart.la, rng),
        ra=_changed_atrium(heart.ra, rng),
        aorta_mm=aorta,
        pulmonary_mm=pulmonary,
        svc_mm=svc,
        ivc_mm=ivc,
        fat_mm=float(rng.uniform(0.5, 8)),
        defect_mm=float(rng.uniform(3, 11)) if defect else 0.0,
        variant="mirrored" if mirrored else "normal",
    )


def _turned(pose: Pose, rng: np.random.Generator) -> Pose:
    azimuth, descent, roll = rng.normal((0, 0, 0), (10, 9, 14)).tolist()
    return replace(
        pose,
        azimuth_deg=pose.azimuth_deg + azimuth,
        descent_deg=pose.descent_deg + descent,
        roll_deg=pose.roll_deg + roll,
    )


def _scaled(axes: Vector, factors: np.ndarray) -> Vector:
    a, b, c = np.multiply(axes, factors).tolist()
    return a, b, c


def _changed_lv(lv: LeftVentricle, rng: np.random.Generator) -> LeftVentricle:
    size = float(np.exp(rng.normal(0.11, 0.17)))
    axes = _scaled(lv.semi_axes, size * np.exp(rng.normal(0, (0.08, 0.08, 0.08))))
    wall = float(np.exp(rng.normal(np.log(7.6), 0.26)))
    depth = min(lv.depth_mm, 0.5 * axes[2])
    return replace(
        lv,
        semi_axes=axes,
        depth_mm=depth,
        wall_mm=wall,
        apex_wall_mm=float(rng.uniform(0.45, 1.0)) * wall,
        lobes=tuple(replace(lobe, amplitude=1.5 * lobe.amplitude) for lobe in lv.lobes),
        papillary_deg=(float(rng.uniform(190, 250)), float(rng.uniform(95, 150))),
    )


def _changed_rv(rv: RightVentricle, lv: LeftVentricle, rng: np.random.Generator) -> RightVentricle:
    size = float(np.exp(rng.normal(0.2, 0.2)))
    axes = _scaled(rv.semi_axes, size * np.exp(rng.normal(0, (0.1, 0.08, 0.08))))
    _, v, w = rv.centre
    outer = lv.semi_axes[0] + lv.wall_mm
    u = float(rng.uniform(0.75, 1.0)) * outer
    v += float(rng.normal(0, 4))
    return replace(
        rv,
        centre=(u, v, min(w, axes[2] - 1.0)),
        semi_axes=axes,
        wall_mm=float(np.clip(np.exp(rng.normal(np.log(3.2), 0.45)), 1.2, 9)),
        bend_per_mm=float(rng.uniform(-0.006, 0.001)),
    )


def _single(lv: LeftVentricle, rng: np.random.Generator) -> LeftVentricle:
    return replace(
        lv, semi_axes=_scaled(lv.semi_axes, rng.uniform((1.1, 1.1, 1.0), (1.6, 1.5, 1.2)))
    )


def _changed_atrium(atrium: Chamber, rng: np.random.Generator) -> Chamber:
    size = float(np.exp(rng.normal(0.12, 0.17)))
    axes = _scaled(atrium.semi_axes, size * np.exp(rng.normal(0, 0.1, 3)))
    u, v, w = np.add(atrium.centre, rng.normal(0, (3, 3, 2))).tolist()
    # The floor of a larger atrium stays at the valve.
    return Chamber((u, v, w - (axes[2] - atrium.semi_axes[2])), axes)
