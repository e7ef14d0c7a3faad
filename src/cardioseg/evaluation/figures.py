"""The comparison figure: image, reference and predictions side by side, slice by slice.

Every function here and in `charts` returns a matplotlib Figure that belongs to nobody else: no
window, no global state. matplotlib is imported when a figure is made, not before.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry, require_same_grid
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import GeometryError
from cardioseg.evaluation.views import View, view
from cardioseg.io.frames import model_told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN_MM = 20.0
"""What is shown around the labelled structures."""

_PANEL_INCHES = 2.4
_HEADING_INCHES = 0.35
_LEGEND_INCHES = 0.4
_WINDOW_PERCENT = (1.0, 99.5)

Box = tuple[slice, slice]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches, whose parts make room for each other."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png_bytes(figure: Figure, dpi: int = 150, model_id: str = "") -> bytes:
    """The figure as a PNG file's content, whose description names the model that made the labels.

    Examples
    --------
    >>> png_bytes(new_figure(1, 1), dpi=10)[1:4]
    b'PNG'
    """
    buffer = io.BytesIO()
    told = {"Description": f"cardioseg{model_told(model_id)}"} if model_id else None
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata=told)
    return buffer.getvalue()


def comparison_figure(
    image: Volume,
    labels: Mapping[str, LabelMap],
    *,
    slice_axis: int | None = None,
    slices: Sequence[int] | None = None,
    orientation_known: bool = True,
) -> Figure:
    """Image, reference and predictions side by side, one slice a row, labels as contours.

    Parameters
    ----------
    image
        The image.
    labels
        Title of each further column (reference, then predictions) and its labels, on the image's
        grid and all in one scheme.
    slice_axis
        Array axis to cut along; without it the axis of the largest spacing, or the last one where
        two tie.
    slices
        Slice indices; without them three, evenly spaced over the labelled ones.
    orientation_known
        Whether the grid's directions can be trusted; if not, slices are shown as stored.

    Returns
    -------
    Figure
        Cropped to the labelled structures and 20 mm around them, pixels in their true proportion.

    Raises
    ------
    GeometryError
        If the grids differ, or the axis or a slice is outside the volume.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> grid = Geometry((8, 8, 4), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> image = Volume(np.zeros(grid.shape, np.float32), grid)
    >>> reference = LabelMap(np.full(grid.shape, 3, np.uint8), grid, ACDC)
    >>> len(comparison_figure(image, {"reference": reference}, slices=[1, 2]).axes)
    4
    """
    for name, label_map in labels.items():
        require_same_grid(label_map.geometry, image.geometry, f"{name} and image")
    axis = image.geometry.shown_axis if slice_axis is None else slice_axis
    if axis not in range(3):
        raise GeometryError(f"slice axis {axis}: a volume has axes 0, 1 and 2")
    shown = _chosen_slices(tuple(labels.values()), image.geometry, axis, slices)
    layout = view(image.geometry, axis, orientation_known)
    box = crop_box(tuple(labels.values()), layout, shown, image.geometry)
    columns: list[tuple[str, LabelMap | None]] = [("image", None), *labels.items()]
    return _draw(image, columns, layout, shown, box)


def _draw(
    image: Volume,
    columns: Sequence[tuple[str, LabelMap | None]],
    layout: View,
    shown: Sequence[int],
    box: Box,
) -> Figure:
    rows_long, columns_long = (part.stop - part.start for part in box)
    aspect = layout.aspect(image.geometry)
    panel_height = _PANEL_INCHES * rows_long * aspect / columns_long
    height = panel_height * len(shown) + _HEADING_INCHES + _LEGEND_INCHES
    figure = new_figure(_PANEL_INCHES * len(columns) + 0.3, height)
    panels = figure.subplots(len(shown), len(columns), squeeze=False)
    low, high = np.percentile(image.array, _WINDOW_PERCENT)
    window = (low, high) if high > low else (low - 1, high + 1)
    for line, index in zip(panels, shown, strict=True):
        for axes, (title, labels) in zip(line, columns, strict=True):
            picture = layout.slice(image.array, index)[box]
            axes.imshow(picture, cmap="gray", aspect=aspect, vmin=window[0], vmax=window[1])
            axes.set_xticks([])
            axes.set_yticks([])
            if labels is not None:
                _contours(axes, layout.slice(labels.array, index)[box], labels.scheme)
            if index == shown[0]:
                axes.set_title(title, fontsize="medium")
        line[0].set_ylabel(f"slice {index}")
    _legend(figure, [labels for _, labels in columns if labels is not None])
    return figure


def contour(axes: Axes, mask: NDArray[np.bool_], color: str) -> None:
    """Draw a mask's outline; it closes where the picture's edge cuts the mask."""
    if mask.any():
        rows, columns = (np.arange(-1, n + 1) for n in mask.shape)
        padded = np.pad(mask, 1).astype(np.float32)
        axes.contour(columns, rows, padded, [0.5], colors=color, linewidths=1.3)
    axes.set_xlim(-0.5, mask.shape[1] - 0.5)
    axes.set_ylim(mask.shape[0] - 0.5, -0.5)


def _contours(axes: Axes, labels: NDArray[np.uint8], scheme: LabelScheme) -> None:
    for structure in scheme.structures:
        contour(axes, labels == structure.value, structure.color)


def _legend(figure: Figure, label_maps: Sequence[LabelMap]) -> None:
    from matplotlib.lines import Line2D

    if label_maps:
        structures = label_maps[0].scheme.structures
        handles = [Line2D([], [], color=s.color, linewidth=3, label=s.name) for s in structures]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4))


def _chosen_slices(
    label_maps: Sequence[LabelMap], geometry: Geometry, axis: int, slices: Sequence[int] | None
) -> tuple[int, ...]:
    count = geometry.shape[axis]
    if slices is not None:
        outside = [index for index in slices if index not in range(count)]
        if outside or not slices:
            raise GeometryError(f"slices {list(slices)}: choose from 0 to {count - 1}")
        return tuple(slices)
    labelled = np.zeros(count, np.bool_)
    for label_map in label_maps[:1]:
        others = tuple(other for other in range(3) if other != axis)
        labelled |= label_map.array.any(axis=others)
    found = np.flatnonzero(labelled) if labelled.any() else np.arange(count)
    # The middles of three equal parts: the outermost slices show little.
    places = (np.array([1, 3, 5]) * len(found)) // 6
    return tuple(dict.fromkeys(int(found[place]) for place in places))


def crop_box(
    label_maps: Sequence[LabelMap], layout: View, shown: Sequence[int], geometry: Geometry
) -> Box:
    """Rows and columns of the picture that hold what is labelled, and 20 mm around it."""
    shape = (geometry.shape[layout.row_axis], geometry.shape[layout.column_axis])
    found = np.zeros(shape, np.bool_)
    for label_map in label_maps:
        for index in shown:
            found |= layout.slice(label_map.array, index) > 0
    if not found.any():
        return slice(0, shape[0]), slice(0, shape[1])
    parts = []
    for axis, along in ((0, layout.row_axis), (1, layout.column_axis)):
        margin = round(MARGIN_MM / geometry.spacing[along])
        places = np.flatnonzero(found.any(axis=1 - axis))
        start = max(0, int(places[0]) - margin)
        parts.append(slice(start, min(shape[axis], int(places[-1]) + margin + 1)))
    return parts[0], parts[1]
