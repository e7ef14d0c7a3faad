"""Charts of a study of observers: agreement by pair, deviation of volumes, outlines of all."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from cardioseg.core.volume import LabelMap, Volume
from cardioseg.evaluation.charts import SERIES_COLORS
from cardioseg.evaluation.figures import contour, crop_box, new_figure
from cardioseg.evaluation.observers import ObserverStudy
from cardioseg.evaluation.readings import DICE, STAPLE_CONSENSUS, patient_means, volume_table
from cardioseg.evaluation.views import view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODEL_COLOR = "#000000"

_PANEL_INCHES = 3.0


def agreement_chart(study: ObserverStudy) -> Figure:
    """Dice of every pair by structure: a point a patient, a line at the mean.

    Pairs of observers are coloured, pairs with the model are black.
    """
    structures = study.structures
    raters = (*study.observers, study.model) if study.model else study.observers
    pairs = list(combinations(raters, 2))
    figure = new_figure(2.5 + 0.42 * len(structures) * len(pairs), 4.2)
    axes = figure.add_subplot()
    width = 0.8 / len(pairs)
    handles = []
    for index, pair in enumerate(pairs):
        with_model = study.model in pair
        color = MODEL_COLOR if with_model else SERIES_COLORS[index % len(SERIES_COLORS)]
        marker = "D" if with_model else "o"
        for place, structure in enumerate(structures):
            rows = [
                r
                for r in study.readings
                if r.structure == structure
                and r.metric == DICE
                and {r.first, r.second} == set(pair)
            ]
            values = sorted(patient_means(rows).values())
            x = place + (index - (len(pairs) - 1) / 2) * width
            points = np.linspace(x - width / 4, x + width / 4, len(values)) if values[1:] else [x]
            if values:
                axes.plot(points, values, marker, color=color, markersize=4, alpha=0.6)
                axes.plot([x - width / 2.5, x + width / 2.5], [fmean(values)] * 2, color=color)
        handles.append(axes.plot([], [], marker, color=color, label=" / ".join(pair))[0])
    axes.set_xticks(range(len(structures)), structures)
    axes.set_ylabel("Dice, by patient")
    axes.grid(axis="y", alpha=0.3)
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 3))
    return figure


def volume_chart(study: ObserverStudy) -> Figure:
    """Each rater's volume minus the observers' mean, against that mean: a point a case.

    There is a panel a structure.
    """
    structures = study.structures
    figure = new_figure(_PANEL_INCHES * max(len(structures), 1) + 0.6, 3.6)
    panels = figure.subplots(1, max(len(structures), 1), squeeze=False)[0]
    raters = (*study.observers, study.model) if study.model else study.observers
    for axes, structure in zip(panels, structures, strict=False):
        rows = [r for r in study.readings if r.structure == structure]
        for index, name in enumerate(raters):
            table = volume_table(rows, (name, *study.observers)).volumes
            means = table[:, 1:].mean(axis=1)
            offsets = table[:, 0] - means
            is_model = name == study.model
            color = MODEL_COLOR if is_model else SERIES_COLORS[index % len(SERIES_COLORS)]
            marker = "D" if is_model else "o"
            axes.plot(means, offsets, marker, color=color, markersize=4, alpha=0.8, label=name)
        axes.axhline(0, color="#888888", linewidth=0.8)
        axes.set_title(structure, fontsize="medium")
        axes.set_xlabel("observers' mean (ml)")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("rater minus mean (ml)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(max(len(labels), 1), 5))
    return figure


def outlines_figure(labels: Mapping[str, LabelMap], image: Volume | None = None) -> Figure:
    """Outlines of every rater on one slice, a panel a structure, over the image if there is one.

    The slice is the one where the raters differ in most voxels, cut along the axis of the largest
    spacing, or along the last axis where two spacings tie.
    """
    maps = tuple(labels.values())
    geometry, scheme = maps[0].geometry, maps[0].scheme
    axis = geometry.shown_axis
    disputed = np.any([each.array != maps[0].array for each in maps[1:]], axis=0)
    in_plane = tuple(other for other in range(3) if other != axis)
    index = int(disputed.sum(axis=in_plane).argmax())
    layout = view(geometry, axis)
    box = crop_box(maps, layout, (index,), geometry)
    structures = [s for s in scheme.structures if any((m.array == s.value).any() for m in maps)]
    figure = new_figure(_PANEL_INCHES * max(len(structures), 1), _PANEL_INCHES + 0.8)
    panels = figure.subplots(1, max(len(structures), 1), squeeze=False)[0]
    for axes, structure in zip(panels, structures, strict=False):
        if image is not None:
            picture, colors = layout.slice(image.array, index)[box], "gray"
        else:
            votes = np.mean([each.array == structure.value for each in maps], axis=0)
            picture, colors = layout.slice(votes.astype(np.float32), index)[box], "Greys"
        axes.imshow(picture, cmap=colors, aspect=layout.aspect(geometry))
        for place, each in enumerate(maps):
            color = SERIES_COLORS[place % len(SERIES_COLORS)]
            contour(axes, layout.slice(each.array, index)[box] == structure.value, color)
        axes.set_title(structure.name, fontsize="medium")
        axes.set_xticks([])
        axes.set_yticks([])
    handles = [
        panels[0].plot([], [], color=SERIES_COLORS[p % len(SERIES_COLORS)], label=name)[0]
        for p, name in enumerate(labels)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))
    figure.suptitle(f"slice {index}", fontsize="medium")
    return figure


def least_agreement(study: ObserverStudy) -> str:
    """The case on which the observers' mean Dice with one another is lowest."""
    found: dict[str, list[float]] = {}
    for r in study.readings:
        ours = {r.first, r.second} <= set(study.observers)
        if r.metric == DICE and r.second != STAPLE_CONSENSUS and ours and r.value is not None:
            found.setdefault(r.case, []).append(r.value)
    cases = dict.fromkeys(r.case for r in study.readings)
    return min(found, key=lambda case: fmean(found[case])) if found else next(iter(cases))
