"""From a heart and its surroundings to tissues and labels on any grid."""

from __future__ import annotations

import numpy as np

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.phantom.anatomy import HeartShape
from cardioseg.phantom.layers import heart_layers
from cardioseg.phantom.raster import Layer, paint
from cardioseg.phantom.thorax import Thorax, paint_thorax
from cardioseg.phantom.tissue import TissueMap


def rasterise(
    heart: HeartShape,
    geometry: Geometry,
    thorax: Thorax | None = None,
    vessels: tuple[Layer, ...] | None = None,
) -> TissueMap:
    """The tissue at every voxel centre.

    Parameters
    ----------
    heart
        The heart; a mirrored one mirrors the thorax too (situs inversus).
    geometry
        Any grid, oblique and mirrored ones included.
    thorax
        What lies around the heart; None leaves air there.
    vessels
        Atria and great vessels; None takes the usual ones.

    Examples
    --------
    >>> from cardioseg.phantom.draw import draw_heart
    >>> heart = draw_heart(np.random.default_rng(0), "normal")
    >>> from cardioseg.phantom.tissue import Tissue
    >>> affine = np.eye(4)
    >>> affine[:3, 3] = heart.lv_cavity.frame.origin
    >>> rasterise(heart, Geometry((1, 1, 1), affine)).array.item() == Tissue.LV
    True
    """
    if heart.mirrored:
        reflected = Geometry(geometry.shape, np.diag([-1.0, 1.0, 1.0, 1.0]) @ geometry.affine)
    else:
        reflected = geometry
    canvas = np.zeros(geometry.shape, np.uint8)
    layers = heart_layers(heart, vessels)
    if thorax is not None:
        paint_thorax(canvas, reflected, thorax)
        layers = (*thorax.details, *layers)
    for layer in layers:
        paint(canvas, reflected, layer)
    return TissueMap(canvas, geometry)


def label(heart: HeartShape, geometry: Geometry, scheme: LabelScheme) -> LabelMap:
    """The reference labels of a heart: the structure at every voxel centre.

    Parameters
    ----------
    heart
        The heart.
    geometry
        Any grid.
    scheme
        `acdc` (the ventricles below their base planes), `myocardium_blood` or `hvsmr2` (atria and
        great vessels too).

    Raises
    ------
    LabelError
        If the phantom has no labels of that scheme.
    """
    return rasterise(heart, geometry).labels(scheme)
