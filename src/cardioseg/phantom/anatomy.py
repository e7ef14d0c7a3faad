"""The heart as closed-form solids: its numbers, its volumes and its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from cardioseg.errors import LabelError
from cardioseg.phantom.shapes import Ellipsoid, Frame, Lobe, Vector

Variant = Literal["normal", "dilated_rv", "septal_defect", "single_ventricle", "mirrored"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)


@dataclass(frozen=True)
class Pose:
    """Where the left ventricle's base lies and where its long axis points.

    Parameters
    ----------
    base_centre
        Centre of the mitral plane, RAS+ mm.
    azimuth_deg
        Angle of the long axis (base to apex) from the patient's front towards the left.
    descent_deg
        Angle of the long axis below the horizontal.
    roll_deg
        Turn about the long axis; at 0 the right ventricle lies level with the left.
    """

    base_centre: Vector
    azimuth_deg: float
    descent_deg: float
    roll_deg: float

    @property
    def frame(self) -> Frame:
        """The heart's axes: u from LV to RV, v towards the inferior wall, w from base to apex."""
        azimuth, descent, roll = np.deg2rad([self.azimuth_deg, self.descent_deg, self.roll_deg])
        level = np.cos(descent)
        w = np.array([-np.sin(azimuth) * level, np.cos(azimuth) * level, -np.sin(descent)])
        right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        down = np.cross(w, right)
        u = np.cos(roll) * right + np.sin(roll) * down
        axes = [(float(x), float(y), float(z)) for x, y, z in (u, np.cross(w, u), w)]
        return Frame(self.base_centre, (axes[0], axes[1], axes[2]))


@dataclass(frozen=True)
class LeftVentricle:
    """A truncated ellipsoid of blood in a thicker one of muscle, both cut at the base plane.

    Parameters
    ----------
    semi_axes
        Of the cavity along u, v and w, in mm.
    depth_mm
        Distance of the ellipsoid's centre below the base plane.
    wall_mm, apex_wall_mm
        Thickness of the muscle around and at the tip.
    lobes
        Waves of the outline, shared by both surfaces.
    papillary_deg
        Angles of the two papillary muscles, from u towards v.
    """

    semi_axes: Vector
    depth_mm: float
    wall_mm: float
    apex_wall_mm: float
    lobes: tuple[Lobe, ...] = ()
    papillary_deg: tuple[float, float] = (222.0, 122.0)


@dataclass(frozen=True)
class RightVentricle:
    """An ellipsoid wrapped around the left ventricle: what the left one covers is not its own.

    Both ventricles end at one base plane.

    Parameters
    ----------
    centre
        Of the ellipsoid, in the heart's axes, mm.
    semi_axes
        Along u, v and w, in mm.
    wall_mm
        Thickness of its free wall.
    bend_per_mm
        Curvature of its centre line towards the left ventricle.
    lobes
        Waves of the outline.
    """

    centre: Vector
    semi_axes: Vector
    wall_mm: float
    bend_per_mm: float = 0.0
    lobes: tuple[Lobe, ...] = ()


@dataclass(frozen=True)
class Chamber:
    """An atrium: centre in the heart's axes and semi-axes along them, in mm."""

    centre: Vector
    semi_axes: Vector


@dataclass(frozen=True)
class HeartShape:
    """A heart as numbers, in mm and degrees.

    The solids below are those of the unmirrored heart; a mirrored heart is the same one with the
    patient's left and right exchanged when it is drawn on a grid.

    Parameters
    ----------
    pose
        Where it lies.
    lv, rv
        The ventricles; rv is None in a single ventricle.
    la, ra
        The atria.
    aorta_mm, pulmonary_mm, svc_mm, ivc_mm
        Radii of the great vessels.
    fat_mm
        Thickness of the fat around the heart.
    trabeculae_deg
        Turns the trabeculae.
    defect_mm
        Radius of a hole in the septum; 0 for none.
    variant
        Which congenital variant it is.

    Raises
    ------
    LabelError
        If the variant is unknown.
    """

    pose: Pose
    lv: LeftVentricle
    rv: RightVentricle | None
    la: Chamber
    ra: Chamber
    aorta_mm: float
    pulmonary_mm: float
    svc_mm: float
    ivc_mm: float
    fat_mm: float
    trabeculae_deg: float = 0.0
    defect_mm: float = 0.0
    variant: Variant = "normal"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            known = ", ".join(VARIANTS)
            raise LabelError(f"unknown heart variant {self.variant!r}; known: {known}")

    @property
    def mirrored(self) -> bool:
        """Whether left and right are exchanged."""
        return self.variant == "mirrored"

    @property
    def lv_cavity(self) -> Ellipsoid:
        """The left ventricle's blood, papillary muscles included."""
        frame = self.pose.frame.moved((0.0, 0.0, self.lv.depth_mm))
        return Ellipsoid(frame, self.lv.semi_axes, -self.lv.depth_mm, self.lv.lobes)

    @property
    def epicardium(self) -> Ellipsoid:
        """The left ventricle's blood and muscle."""
        a, b, c = self.lv.semi_axes
        wall = self.lv.wall_mm
        outer = (a + wall, b + wall, c + self.lv.apex_wall_mm)
        return Ellipsoid(self.lv_cavity.frame, outer, -self.lv.depth_mm, self.lv.lobes)

    @property
    def rv_body(self) -> Ellipsoid | None:
        """The ellipsoid of which the right ventricle is what the epicardium leaves free."""
        if self.rv is None:
            return None
        frame, floor = self.pose.frame.moved(self.rv.centre), -self.rv.centre[2]
        return Ellipsoid(frame, self.rv.semi_axes, floor, self.rv.lobes, self.rv.bend_per_mm)

    @property
    def lv_cavity_ml(self) -> float:
        """Exact volume of the left ventricle's cavity, in ml: with papillary muscles, without
        the hole of a septal defect.
        """
        return self.lv_cavity.volume_ml

    @property
    def myocardium_ml(self) -> float:
        """Exact volume of the left ventricle's muscle, in ml; a septal defect is not taken off."""
        return self.epicardium.volume_ml - self.lv_cavity.volume_ml
