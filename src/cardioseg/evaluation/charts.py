"""Charts: metrics by structure, training by epoch, class frequency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.labels import SCHEMES, LabelScheme
from cardioseg.evaluation.figures import new_figure
from cardioseg.evaluation.report import Report
from cardioseg.evaluation.rows import BACKGROUND, Level
from cardioseg.evaluation.summary import MEAN_OF_STRUCTURES, subject_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Float64Array = NDArray[np.float64]

SERIES_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Okabe and Ito's colours, for models and curves."""

METRIC_TITLES = {
    "dice": "Dice",
    "jaccard": "Jaccard",
    "cce": "cross-entropy (nat)",
    "hd95_mm": "HD95 (mm)",
    "assd_mm": "ASSD (mm)",
    "surface_dice": "surface Dice",
    "volume_ml": "volume (ml)",
    "volume_error_ml": "volume error (ml)",
}

_BACKGROUND_COLOR = "#BBBBBB"
_MARKERS = ("o", "s", "^", "D", "v", "P")


def box_plots(reports: Mapping[str, Report], metric: str, level: Level = "volume") -> Figure:
    """One metric by structure: a box for each report, a point for each patient.

    Parameters
    ----------
    reports
        Title of each report (such as a model's name) and the report.
    metric
        Name of the metric.
    level
        `volume` or `slice`; of slices, each point is a patient's mean.

    Returns
    -------
    Figure
        Boxes are quartiles, whiskers reach 1.5 box lengths.
    """
    structures = tuple(dict.fromkeys(s for report in reports.values() for s in report.structures))
    figure = new_figure(2.2 + 1.1 * len(structures) * max(len(reports), 1) ** 0.7, 3.8)
    axes = figure.add_subplot()
    width = 0.8 / max(len(reports), 1)
    handles = []
    for index, report in enumerate(reports.values()):
        color = SERIES_COLORS[index % len(SERIES_COLORS)]
        offset = (index - (len(reports) - 1) / 2) * width
        table = subject_table(report.select(metric=metric, level=level).rows, structures)
        for column in range(len(structures)):
            values = table[:, column]
            _box(axes, column + offset, values[np.isfinite(values)], (width, color, index))
        handles.append(_marker(color, index))
    axes.set_xticks(range(len(structures)), structures)
    axes.set_xlim(-0.6, len(structures) - 0.4)
    axes.set_ylabel(f"{METRIC_TITLES.get(metric, metric)}, per {level}")
    axes.grid(axis="y", alpha=0.3)
    if len(reports) > 1:
        figure.legend(handles, list(reports), loc="outside upper center", ncols=len(reports))
    return figure


def learning_curves(epochs: Sequence[Mapping[str, float]]) -> Figure:
    """Loss and validation Dice by epoch.

    Parameters
    ----------
    epochs
        One record an epoch, in order. Names that contain `loss` are drawn left, names that start
        with `dice` right; others, such as seconds, are left out. `epoch` counts from 1 without
        that entry. A name may be missing in some epochs: validation can be rarer.

    Returns
    -------
    Figure
    """
    figure = new_figure(9, 3.6)
    names = tuple(dict.fromkeys(name for record in epochs for name in record))
    panels = {
        "loss": [name for name in names if "loss" in name],
        "Dice, validation": [name for name in names if name.startswith("dice")],
    }
    colors = {s.name: s.color for scheme in SCHEMES for s in scheme.structures} | {"dice": "black"}
    for place, (title, shown) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, 2, place)
        for index, name in enumerate(shown):
            points = [
                (record.get("epoch", count), record[name])
                for count, record in enumerate(epochs, start=1)
                if name in record
            ]
            structure = name.removeprefix("dice ")
            color = colors.get(structure, SERIES_COLORS[index % len(SERIES_COLORS)])
            label = MEAN_OF_STRUCTURES if name == "dice" else structure
            dots = "." if len(points) < 40 else ""
            axes.plot(*zip(*points, strict=True), color=color, label=label, marker=dots)
        axes.set_xlabel("epoch")
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
        if shown:
            axes.legend(fontsize="small")
    return figure


def class_frequency_figure(
    frequencies: Mapping[str, Sequence[float]], scheme: LabelScheme
) -> Figure:
    """How much of the images each class fills, on a logarithmic axis.

    Parameters
    ----------
    frequencies
        Name of each class (`background` too) and its share of the voxels, 0 to 1, of each case.
    scheme
        The colours.

    Returns
    -------
    Figure
        Bars are means, points are cases.
    """
    figure = new_figure(1.6 + 1.3 * len(frequencies), 3.8)
    axes = figure.add_subplot()
    colors = {BACKGROUND: _BACKGROUND_COLOR, **{s.name: s.color for s in scheme.structures}}
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    for place, (name, shares) in enumerate(frequencies.items()):
        percent = 100 * np.asarray(shares, dtype=np.float64)
        mean = float(percent.mean()) if percent.size else 0.0
        axes.bar(place, mean, width=0.7, color=colors.get(name, _BACKGROUND_COLOR), zorder=2)
        seen = percent[percent > 0]
        axes.plot(_spread(place, seen.size, 0.5), seen, "k.", alpha=0.4, markersize=4, zorder=3)
        top = float(max(mean, seen.max())) if seen.size else mean
        if top > 0:
            axes.annotate(
                f"{mean:.3g} %", (place, top), (0, 4), textcoords="offset points", ha="center"
            )
    axes.set_xticks(range(len(frequencies)), list(frequencies))
    axes.set_ylabel("share of voxels (%)")
    axes.margins(y=0.15)
    axes.grid(axis="y", alpha=0.3, zorder=0)
    return figure


def _box(axes: Axes, position: float, values: Float64Array, look: tuple[float, str, int]) -> None:
    width, color, series = look
    if values.size == 0:
        return
    axes.boxplot(
        [values],
        positions=[position],
        widths=0.8 * width,
        manage_ticks=False,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": color, "alpha": 0.35},
        medianprops={"color": "black"},
    )
    marker = _MARKERS[series % len(_MARKERS)]
    spread = _spread(position, values.size, 0.4 * width)
    axes.plot(
        spread,
        np.sort(values),
        marker,
        color=color,
        markersize=3.5,
        markeredgecolor="white",
        markeredgewidth=0.3,
    )


def _marker(color: str, series: int) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, marker=_MARKERS[series % len(_MARKERS)], linestyle="")


def _spread(position: float, count: int, width: float) -> Float64Array:
    """Places side by side for points that would hide each other."""
    if count < 2:
        return np.full(count, position)
    steps = np.arange(count, dtype=np.float64) * 0.618 % 1 - 0.5
    places: Float64Array = position + width * steps
    return places
