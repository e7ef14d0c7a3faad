"""Pictures of a report: slices with contours, volumes over the beat, PNGs as data URIs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import require_same_grid
from cardioseg.core.labels import SCHEMES
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.evaluation.charts import SERIES_COLORS
from cardioseg.evaluation.figures import contour, crop_box, new_figure, png_bytes
from cardioseg.evaluation.paired import BlandAltman
from cardioseg.evaluation.views import view
from cardioseg.workflows.report.messages import Message, Words
from cardioseg.workflows.report.terms import structure_name

MOST_SLICES = 12
"""Slices shown of one frame; more are thinned out evenly."""

_WINDOW_PERCENT = (1.0, 99.5)
_INCHES = 2.2


@dataclass(frozen=True)
class Picture:
    """A picture of a page: its data URI, the text for who can't see it, and what stands below."""

    data: str
    alt: str
    caption: str = ""


def data_uri(png: bytes) -> str:
    """A PNG as a data URI."""
    return "data:image/png;base64," + b64encode(png).decode()


def slice_pictures(
    image: Volume | None,
    labels: LabelMap,
    frame: str,
    words: Words,
    orientation_known: bool = True,
) -> tuple[Picture, ...]:
    """The labelled slices of one frame as pictures, contours over the image.

    Parameters
    ----------
    image
        On the labels' grid; None draws the labels filled.
    labels
        The label map.
    frame
        Its name, for the texts.
    words
        The language.
    orientation_known
        Whether the grid's directions can be trusted; if not, slices are shown as stored.

    Raises
    ------
    GeometryError
        If the grids differ.
    """
    if image is not None:
        require_same_grid(labels.geometry, image.geometry, "labels and image")
    axis = labels.geometry.shown_axis
    layout = view(labels.geometry, axis, orientation_known)
    others = tuple(a for a in range(3) if a != axis)
    labelled = np.flatnonzero(labels.array.any(axis=others))
    found = labelled if labelled.size else np.arange(labels.array.shape[axis])
    places = np.unique(np.linspace(0, len(found) - 1, MOST_SLICES).round().astype(int))
    box = crop_box((labels,), layout, tuple(int(k) for k in found), labels.geometry)
    low, high = (0.0, 1.0) if image is None else np.percentile(image.array, _WINDOW_PERCENT)
    window = (float(low), float(high) if high > low else float(low) + 1)
    answer = []
    for index in (int(found[place]) for place in places):
        drawn = layout.slice(labels.array, index)[box]
        shown = None if image is None else layout.slice(image.array, index)[box]
        png = _slice_png(shown, drawn, labels, (layout.aspect(labels.geometry), window))
        numbers = {"number": index + 1, "count": labels.array.shape[axis]}
        names = [
            structure_name(s.name, words.language)
            for s in labels.scheme.structures
            if (drawn == s.value).any()
        ]
        alt = (
            words.say(Message.SLICE_ALT, **numbers, frame=frame, structures=", ".join(names))
            if names
            else words.say(Message.SLICE_EMPTY, **numbers, frame=frame)
        )
        answer.append(Picture(data_uri(png), alt, words.say(Message.SLICE, **numbers)))
    return tuple(answer)


def _slice_png(
    shown: NDArray[np.float32] | None,
    drawn: NDArray[np.uint8],
    labels: LabelMap,
    look: tuple[float, tuple[float, float]],
) -> bytes:
    aspect, window = look
    rows, columns = drawn.shape
    figure = new_figure(_INCHES, _INCHES * rows * aspect / columns)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    picture = np.zeros(drawn.shape, np.float32) if shown is None else shown
    axes.imshow(picture, cmap="gray", aspect="auto", vmin=window[0], vmax=window[1])
    for structure in labels.scheme.structures:
        mask = drawn == structure.value
        if shown is None and mask.any():
            axes.contourf(mask.astype(np.float32), [0.5, 1.5], colors=[structure.color])
        contour(axes, mask, structure.color)
    return png_bytes(figure, dpi=120)


def curves_picture(
    volumes_ml: dict[str, list[float]], times_ms: Sequence[float], words: Words
) -> Picture:
    """Volume of each structure over the beat; by frame number where there are no times."""
    figure = new_figure(6.4, 3.2)
    axes = figure.add_subplot()
    colors = {s.name: s.color for scheme in SCHEMES for s in scheme.structures}
    values = [value for curve in volumes_ml.values() for value in curve]
    timed = all(len(curve) == len(times_ms) for curve in volumes_ml.values())
    for place, (name, curve) in enumerate(volumes_ml.items()):
        color = colors.get(name, SERIES_COLORS[place % len(SERIES_COLORS)])
        along = list(times_ms) if timed else list(range(1, len(curve) + 1))
        axes.plot(along, curve, "o-", color=color, label=structure_name(name, words.language))
    axes.set_xlabel(words.say(Message.TIME if timed else Message.FRAME_AXIS))
    axes.set_ylabel(words.say(Message.VOLUME_AXIS))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=min(len(volumes_ml), 4))
    ends = {"largest": words.number(max(values)), "smallest": words.number(min(values))}
    return Picture(data_uri(png_bytes(figure, dpi=110)), words.say(Message.CURVES_ALT, **ends))


def bland_altman_picture(
    pairs: Sequence[tuple[float, float]],
    limits: BlandAltman,
    quantity: str,
    unit: str,
    words: Words,
) -> Picture:
    """Difference of prediction and reference against their mean, with bias and limits."""
    predicted, reference = np.array(pairs).T
    figure = new_figure(4.2, 3.2)
    axes = figure.add_subplot()
    axes.plot((predicted + reference) / 2, predicted - reference, "o", color=SERIES_COLORS[0])
    axes.axhline(0, color="#999999", linewidth=0.8)
    for level, style in ((limits.bias, "-"), (limits.lower, "--"), (limits.upper, "--")):
        axes.axhline(level, color=SERIES_COLORS[5], linestyle=style, linewidth=1.2)
    axes.set_xlabel(words.say(Message.AVERAGE_AXIS, unit=unit))
    axes.set_ylabel(words.say(Message.DIFFERENCE_AXIS, unit=unit))
    axes.set_title(quantity, fontsize="medium")
    axes.grid(alpha=0.3)
    alt = words.say(
        Message.BLAND_ALTMAN_ALT,
        quantity=quantity,
        unit=unit,
        bias=words.number(limits.bias),
        low=words.number(limits.lower),
        high=words.number(limits.upper),
    )
    title = words.say(Message.BLAND_ALTMAN, quantity=quantity)
    return Picture(data_uri(png_bytes(figure, dpi=110)), alt, title)
