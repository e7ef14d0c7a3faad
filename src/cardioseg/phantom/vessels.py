"""The atria and the great vessels as solids, from the heart's numbers."""

from __future__ import annotations

import numpy as np

from cardioseg.phantom.anatomy import HeartShape
from cardioseg.phantom.raster import Layer
from cardioseg.phantom.shapes import Ellipsoid, Frame, Vector, tube
from cardioseg.phantom.tissue import Tissue


def vessel_layers(heart: HeartShape) -> tuple[Layer, ...]:
    """Great veins, atria with the pulmonary veins, and great arteries, in the order of painting."""
    return (*_veins(heart), *_atria(heart), *_arteries(heart))


def _atria(heart: HeartShape) -> tuple[Layer, ...]:
    frame = heart.pose.frame
    la = Ellipsoid(frame.moved(heart.la.centre), heart.la.semi_axes)
    ra = Ellipsoid(frame.moved(heart.ra.centre), heart.ra.semi_axes)
    veins = [
        tube((la.frame.origin, _shifted(la.frame, near), _shifted(la.frame, far)), 7.0, 4.5)
        for near, far in (
            ((28.0, -12.0, -4.0), (52.0, -22.0, -10.0)),
            ((26.0, -8.0, 13.0), (48.0, -14.0, 30.0)),
            ((-28.0, -14.0, -2.0), (-54.0, -24.0, -8.0)),
            ((-26.0, -10.0, 14.0), (-52.0, -18.0, 30.0)),
        )
    ]
    return (
        Layer(ra, Tissue.RA),
        Layer(la, Tissue.LA),
        *(Layer(rod, Tissue.LA) for vein in veins for rod in vein),
    )


def _shifted(frame: Frame, offset: Vector) -> Vector:
    x, y, z = np.add(frame.origin, offset).tolist()
    return x, y, z


def _veins(heart: HeartShape) -> tuple[Layer, ...]:
    """The two great veins, from above and below into the right atrium."""
    base, ra = Frame(heart.pose.base_centre), Frame(heart.pose.frame.place(heart.ra.centre))
    svc = (base.place((43.0, -10.0, 125.0)), base.place((44.0, -10.0, 60.0)), ra.place((0, -6, 8)))
    ivc = (ra.place((-4, -8, -10)), ra.place((-14, -20, -45)), (24.0, -32.0, -190.0))
    return (
        *(Layer(rod, Tissue.SVC) for rod in tube(svc, heart.svc_mm, heart.svc_mm)),
        *(Layer(rod, Tissue.IVC) for rod in tube(ivc, heart.ivc_mm, heart.ivc_mm)),
    )


def _arteries(heart: HeartShape) -> tuple[Layer, ...]:
    """The pulmonary trunk with its branches, and the aorta with its arch."""
    base, frame = Frame(heart.pose.base_centre), heart.pose.frame
    aorta, pulmonary = heart.aorta_mm, heart.pulmonary_mm
    fork = base.place((-6.0, -8.0, 60.0))
    a, b, _ = heart.lv.semi_axes
    outflow = (0.5 * a, -0.6 * b, 4.0) if heart.rv is None else (30.0, -30.0, 10.0)
    trunk = (frame.place(outflow), frame.place((27, -40, -13)), fork)
    left = (fork, base.place((-38, -24, 62)), base.place((-66, -36, 56)))
    right = (fork, base.place((22, -16, 56)), base.place((50, -22, 53)), base.place((78, -30, 46)))
    ascending = (
        frame.place((11, -9, 3)),
        frame.place((17, -16, -15)),
        base.place((27, 10, 48)),
        base.place((20, 0, 78)),
        base.place((2, -24, 92)),
        (-20.0, -44.0, 74.0),
        (-23.0, -47.0, 40.0),
    )
    descending = ((-23.0, -47.0, 40.0), (-21.0, -47.0, -60.0), (-12.0, -44.0, -190.0))
    return (
        *(
            Layer(rod, Tissue.PULMONARY_ARTERY)
            for points, start, end in ((left, 0.8, 0.5), (right, 0.8, 0.5), (trunk, 1.0, 0.85))
            for rod in tube(points, start * pulmonary, end * pulmonary)
        ),
        *(Layer(rod, Tissue.AORTA) for rod in tube(ascending, aorta, 0.8 * aorta)),
        *(Layer(rod, Tissue.AORTA) for rod in tube(descending, 0.8 * aorta, 0.7 * aorta)),
    )
