"""A still picture of a heart's meshes: three shaded views, drawn without a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cardioseg.core.geometry import Float64Array
from cardioseg.core.mesh import Mesh
from cardioseg.errors import GeometryError
from cardioseg.evaluation.figures import new_figure, png_bytes
from cardioseg.evaluation.raster import Float32Array, Layer, rasterise, vertex_normals
from cardioseg.io.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_PIXELS = 460
SUPERSAMPLING = 2
MARGIN = 0.06
"""Free border of a panel, as a share of its side."""

_KEY, _FILL = (np.array(v) / np.linalg.norm(v) for v in ([-0.45, 0.65, 0.75], [0.8, -0.1, 0.45]))
_SHADE_MM = (2.5, 7.0)
_GLASS = ("myocardium", "shell")
_BAR_MM = 20.0


@dataclass(frozen=True)
class View:
    """Where a camera stands.

    Parameters
    ----------
    name
        Title of the panel.
    azimuth_deg
        From the patient's front towards the left.
    elevation_deg
        Above the horizontal.
    """

    name: str
    azimuth_deg: float
    elevation_deg: float

    @property
    def axes(self) -> Float64Array:
        """Rows (3, 3), in RAS+: the picture's right, its up, and towards the camera."""
        azimuth, elevation = np.deg2rad([self.azimuth_deg, self.elevation_deg])
        level = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        towards = np.cos(elevation) * level + np.array([0.0, 0.0, np.sin(elevation)])
        right = np.cross([0.0, 0.0, 1.0], level)
        return np.stack([right, np.cross(towards, right), towards])


VIEWS = (
    View("from the front", 0.0, 12.0),
    View("from the left", 75.0, 20.0),
    View("from behind", 180.0, 25.0),
)
"""As the grid orients the patient."""


def render(
    meshes: Sequence[Mesh], path: str | Path, views: Sequence[View] = VIEWS, model_id: str = ""
) -> None:
    """Write a PNG of meshes, atomically: one panel a view, a scale bar, the structures' names.

    Parameters
    ----------
    meshes
        RAS+ mm. Muscle and shells are drawn as glass where there is something else to see.
    path
        The file.
    views
        Cameras, from left to right.
    model_id
        Id of the model that made the labels; empty where none did.

    Raises
    ------
    GeometryError
        If there is nothing to draw.
    FormatError
        If the file cannot be written.
    """
    write_bytes(path, png_bytes(mesh_figure(meshes, views), model_id=model_id))


def mesh_figure(meshes: Sequence[Mesh], views: Sequence[View] = VIEWS) -> Figure:
    """Meshes from several sides, as a figure; parameters and errors as :func:`render`."""
    from matplotlib.patches import Patch

    if not any(len(mesh.faces) for mesh in meshes):
        raise GeometryError("no mesh to draw")
    points = np.concatenate([mesh.vertices[np.unique(mesh.faces)] for mesh in meshes])
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    reach = float(max(np.abs((points - centre) @ view.axes[:2].T).max() for view in views))
    figure = new_figure(3.1 * len(views), 3.75)
    panels = figure.subplots(1, len(views), squeeze=False)[0]
    for panel, view in zip(panels, views, strict=True):
        picture = _drawn(meshes, view, centre, reach)
        panel.imshow(picture, interpolation="antialiased")
        panel.set_title(view.name, fontsize=10, color="#333333")
        panel.set_axis_off()
    _scale_bar(panels[0], reach)
    colors = {mesh.name: mesh.color for mesh in meshes}
    figure.legend(
        handles=[Patch(color=color, label=name) for name, color in colors.items()],
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=9,
    )
    return figure


def _scale_bar(panel: Axes, reach_mm: float) -> None:
    length = _BAR_MM * PANEL_PIXELS * (1 - 2 * MARGIN) / (2 * reach_mm)
    left, low = 0.03 * PANEL_PIXELS, 0.97 * PANEL_PIXELS
    panel.plot([left, left + length], [low, low], color="#333333", linewidth=2)
    panel.text(left, low - 8, f"{_BAR_MM:g} mm", fontsize=8, color="#333333")


def _drawn(meshes: Sequence[Mesh], view: View, centre: Float64Array, reach: float) -> Float32Array:
    """One view as an RGB picture, (pixels, pixels, 3), 0 to 1."""
    side = PANEL_PIXELS * SUPERSAMPLING
    scale = side * (1 - 2 * MARGIN) / (2 * reach)
    layers = [_layer(mesh, view, centre, scale, side) for mesh in meshes]
    glass = [_is_glass(mesh, meshes) for mesh in meshes]
    solid = np.full((side, side), -np.inf, np.float32)
    for layer, clear in zip(layers, glass, strict=True):
        if not clear:
            solid = np.maximum(solid, layer.depth)
    shade = _shade(solid, scale)
    picture = np.ones((side, side, 3), np.float32)
    # From back to front, pixel by pixel: few layers, so their order is sorted as a stack.
    order = np.argsort(np.stack([layer.depth for layer in layers]), axis=0)
    for place in range(len(layers)):
        for number, (mesh, layer, clear) in enumerate(zip(meshes, layers, glass, strict=True)):
            here = (order[place] == number) & np.isfinite(layer.depth)
            color, opacity = _lit(mesh, layer.normals[here], clear)
            color = color if clear else color * shade[here, None]
            picture[here] += opacity[:, None] * (color - picture[here])
    small = picture.reshape(PANEL_PIXELS, SUPERSAMPLING, PANEL_PIXELS, SUPERSAMPLING, 3)
    averaged: Float32Array = np.clip(small.mean(axis=(1, 3)), 0, 1)
    return averaged


def _is_glass(mesh: Mesh, meshes: Sequence[Mesh]) -> bool:
    def named(each: Mesh) -> bool:
        return any(word in each.name for word in _GLASS)

    return named(mesh) and not all(named(each) for each in meshes)


def _layer(mesh: Mesh, view: View, centre: Float64Array, scale: float, side: int) -> Layer:
    turned = (mesh.vertices - centre) @ view.axes.T
    points = np.stack(
        [side / 2 + scale * turned[:, 0], side / 2 - scale * turned[:, 1], turned[:, 2]], axis=1
    )
    normals = vertex_normals(mesh.vertices, mesh.faces) @ view.axes.T
    return rasterise(points, normals, mesh.faces, (side, side))


def _lit(mesh: Mesh, normals: Float32Array, glass: bool) -> tuple[Float32Array, Float32Array]:
    """Colour (P, 3) and opacity (P,) of pixels by the direction of the surface there."""
    base = np.array(list(bytes.fromhex(mesh.color.removeprefix("#"))), np.float32) / 255
    key = np.clip(normals @ _KEY, 0, None)
    fill = np.clip(normals @ _FILL, 0, None)
    light = 0.40 + 0.10 * normals[:, 1] + 0.55 * key + 0.14 * fill
    half = _KEY + np.array([0.0, 0.0, 1.0])
    gloss = 0.22 * np.clip(normals @ (half / np.linalg.norm(half)), 0, None) ** 32
    color = base * light[:, None] + gloss[:, None]
    if not glass:
        return color.astype(np.float32), np.ones(len(normals), np.float32)
    rim = (1 - np.clip(normals[:, 2], 0, 1)) ** 2
    return color.astype(np.float32), (0.2 + 0.65 * rim + gloss).clip(0, 1).astype(np.float32)


def _shade(depth: Float32Array, scale: float) -> Float32Array:
    """Darkening of what lies deeper than its surroundings, at two distances."""
    from scipy.ndimage import gaussian_filter

    seen = np.isfinite(depth)
    shade = np.ones(depth.shape, np.float32)
    if not seen.any():
        return shade
    weight = seen.astype(np.float32)
    filled = np.where(seen, depth, 0)
    for radius in _SHADE_MM:
        around = gaussian_filter(filled, radius * scale) / np.maximum(
            gaussian_filter(weight, radius * scale), 1e-3
        )
        shade *= 1 - 0.38 * np.clip((around - filled) / (1.3 * radius), 0, 1)
    return shade
