"""Figures of heart function: volume curves, bull's eye of the wall, Bland-Altman plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.labels import SCHEMES
from cardioseg.evaluation.figures import new_figure
from cardioseg.evaluation.function import HeartFunction
from cardioseg.evaluation.function_agreement import QuantityAgreement
from cardioseg.evaluation.function_values import MASS
from cardioseg.evaluation.wall import SECTORS, WallThickness

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

Float64Array = NDArray[np.float64]

COLOR_MAP = "cividis"
"""Grows evenly in brightness and reads alike for colour-blind readers (Nunez et al. 2018)."""

_RINGS = ((0.75, 1.0), (0.5, 0.75), (0.25, 0.5))
_FIRST_CENTRE_DEG = 90.0
_UNDEFINED = "#DDDDDD"
_COLORS = {s.name: s.color for scheme in SCHEMES for s in scheme.structures}
_STYLES = ("-", "--", "-.", ":")
_BRIGHTNESS = (0.299, 0.587, 0.114)
_DARK_BELOW = 0.55


@dataclass(frozen=True)
class _Patch:
    """A part of a ring: angle of its middle and width in rad, inner and outer radius."""

    centre: float
    width: float
    inner: float
    outer: float


def volume_curves(function: HeartFunction) -> Figure:
    """Volume of each structure over the cycle, with end diastole and end systole marked.

    Parameters
    ----------
    function
        With two frames or more and their volumes; against time where times are known, else against
        frames.

    Returns
    -------
    Figure
    """
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    frames = len(next(iter(function.volumes_ml.values())))
    timed = len(function.times_ms) == frames
    places = np.asarray(function.times_ms if timed else function.frame_numbers, np.float64)
    for index, (name, curve) in enumerate(function.volumes_ml.items()):
        style = _STYLES[index % len(_STYLES)]
        axes.plot(places, curve, style, color=_COLORS.get(name), marker=".", label=name)
    for name, frame in (("ED", function.ed), ("ES", function.es)):
        if frame is not None:
            axes.axvline(float(places[frame]), color="#555555", linewidth=0.8, linestyle=":")
            top = (float(places[frame]), 1.0)
            where = ("data", "axes fraction")
            axes.annotate(
                f"{name}, frame {function.number(frame)}",
                top,
                (2, 3),
                xycoords=where,
                textcoords="offset points",
                fontsize="small",
            )
    axes.set_xlabel("time (ms)" if timed else "frame")
    axes.set_ylabel("volume (ml)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def bulls_eye(walls: Mapping[str, WallThickness]) -> Figure:
    """Wall thickness of the 17 AHA segments as rings, base outside, one disc a phase.

    Parameters
    ----------
    walls
        Title of each disc and its wall; all share one scale.

    Returns
    -------
    Figure
        Anterior is up and the septum left, as in a short-axis picture; grey is undefined. In each
        segment stand its value in mm and, small, its number.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    known = [v for wall in walls.values() for v in wall.values_mm if v is not None]
    scale = Normalize(0.0, max(known, default=1.0))
    colors = ScalarMappable(scale, colormaps[COLOR_MAP])
    figure = new_figure(3.7 * len(walls) + 0.7, 3.9)
    discs = []
    for place, (title, wall) in enumerate(walls.items(), start=1):
        axes = figure.add_subplot(1, len(walls), place, projection="polar")
        axes.set_axis_off()
        axes.set_ylim(0, 1.0)
        axes.set_title(title, fontsize="medium")
        _disc(axes, wall, colors)
        discs.append(axes)
    figure.colorbar(colors, ax=discs, label="wall thickness (mm)", shrink=0.8)
    return figure


def _disc(axes: Axes, wall: WallThickness, colors: ScalarMappable) -> None:
    values = iter(enumerate(wall.values_mm, start=1))
    for (inner, outer), count in zip(_RINGS, SECTORS, strict=True):
        width = 360.0 / count
        for sector in range(count):
            # Segments follow each other against the clock from the anterior wall, which is up.
            centre = float(np.deg2rad(_FIRST_CENTRE_DEG + sector * width))
            patch = _Patch(centre, float(np.deg2rad(width)), inner, outer)
            _segment(axes, patch, next(values), colors)
    _segment(axes, _Patch(0.0, 2 * np.pi, 0.0, _RINGS[-1][0]), next(values), colors)


def _segment(
    axes: Axes, patch: _Patch, content: tuple[int, float | None], colors: ScalarMappable
) -> None:
    number, value = content
    color = _UNDEFINED if value is None else colors.to_rgba(np.array([value]))[0]
    height = patch.outer - patch.inner
    line = 0.0 if patch.inner == 0 else 1.5  # a full disc has no side
    place = (patch.centre, height, patch.width, patch.inner)
    axes.bar(*place, color=color, edgecolor="white", linewidth=line)
    dark = value is not None and float(np.dot(color[:3], _BRIGHTNESS)) < _DARK_BELOW
    ink = "white" if dark else "black"
    middle = (patch.centre, 0.0 if patch.inner == 0 else (patch.inner + patch.outer) / 2)
    for told, size, above in (
        ("-" if value is None else f"{value:.1f}", 8, -1),
        (str(number), 5, 8),
    ):
        axes.annotate(
            told,
            middle,
            (0, above),
            textcoords="offset points",
            fontsize=size,
            ha="center",
            color=ink,
        )


def bland_altman_figure(found: Sequence[QuantityAgreement]) -> Figure:
    """Difference against mean for each quantity, with bias and limits of agreement.

    Parameters
    ----------
    found
        Quantities with two patients or more.

    Returns
    -------
    Figure
        One panel a quantity; the line is the bias, the dashed ones the limits.
    """
    columns = min(4, max(1, len(found)))
    rows = -(-max(1, len(found)) // columns)
    figure = new_figure(2.9 * columns, 2.5 * rows)
    for place, each in enumerate(found, start=1):
        axes = figure.add_subplot(rows, columns, place)
        _agreement_panel(axes, each)
    return figure


def _agreement_panel(axes: Axes, each: QuantityAgreement) -> None:
    table = np.array(list(each.values.values()))
    axes.plot(
        table.mean(axis=1),
        table[:, 0] - table[:, 1],
        "o",
        markersize=4,
        color=_COLORS.get(each.structure, "#0072B2"),
        markeredgecolor="black",
        markeredgewidth=0.4,
    )
    axes.axhline(0.0, color="#BBBBBB", linewidth=0.8)
    if each.limits is not None:
        axes.axhline(each.limits.bias, color="black", linewidth=1.0)
        for limit in (each.limits.lower, each.limits.upper):
            axes.axhline(limit, color="black", linewidth=1.0, linestyle="--")
        farthest = np.abs([each.limits.lower, each.limits.upper, *(table[:, 0] - table[:, 1])])
        axes.set_ylim(-1.15 * float(farthest.max()) - 1e-6, 1.15 * float(farthest.max()) + 1e-6)
    phase = f", {each.phase}" if each.quantity == MASS else ""
    axes.set_title(f"{each.structure}\n{each.quantity}{phase}", fontsize="small")
    axes.set_xlabel(f"mean of both ({each.unit})", fontsize="small")
    axes.set_ylabel(f"difference ({each.unit})", fontsize="small")
    axes.tick_params(labelsize="small")
    axes.grid(alpha=0.3)
