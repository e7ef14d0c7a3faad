"""The plots of docs/performance.md; a part that was not measured has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from benchmarks.speed.accuracy import CURVES, LARGEST
from benchmarks.speed.pace import Spread
from benchmarks.speed.results import Duel, Results, name_of

from cardioseg.evaluation.charts import SERIES_COLORS
from cardioseg.evaluation.figures import new_figure, png_bytes
from cardioseg.io.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def duels_figure(duels: Sequence[Duel]) -> Figure:
    """Images a second of every contender, median and range; a panel a network and batch."""
    names = list(dict.fromkeys(name for duel in duels for name in duel.images_per_s))
    figure = new_figure(3.2 + 2.4 * len(duels), 1.2 + 0.32 * len(names))
    panels = figure.subplots(1, len(duels), sharey=True, squeeze=False)[0]
    for axes, duel in zip(panels, duels, strict=True):
        for row, name in enumerate(names):
            if name not in duel.images_per_s:
                continue
            _bar(axes, row, duel.images_per_s[name], SERIES_COLORS[0 if _is_ours(name) else 1])
        axes.set(title=f"{duel.network}, batch {duel.batch}", xlabel="images / s", xlim=(0, None))
        axes.set_yticks(range(len(names)), [name_of(name) for name in names])
    panels[0].invert_yaxis()
    return figure


def _bar(axes: Axes, row: int, spread: Spread, color: str) -> None:
    """The median as a bar, smallest and largest as its whisker."""
    reach = [[spread.median - spread.min], [spread.max - spread.median]]
    axes.barh(row, spread.median, xerr=reach, color=color, ecolor="0.3", capsize=2)


def _is_ours(name: str) -> bool:
    return name.startswith(("onnx", "openvino", "ours"))


def growth_figure(found: dict[str, list[dict]]) -> Figure:
    """Seconds above, memory below, against slices, pixels and volumes."""
    figure = new_figure(9, 5.4)
    panels = figure.subplots(2, 3)
    against = {
        "slices": [(e["slices"], e) for e in found["slices"]],
        "thousand pixels a slice": [(e["side"] ** 2 / 1000, e) for e in found["side"]],
        "volumes": [(e["volumes"], e) for e in found["volumes"]],
    }
    for column, (words, points) in enumerate(against.items()):
        for axes, key, unit in zip(
            panels[:, column], ("seconds", "mb"), ("s", "peak MiB"), strict=True
        ):
            there = [(size, each[key]) for size, each in points if key in each]
            _line(axes, there, words, unit)
    return figure


def _line(axes: Axes, points: Sequence[tuple[float, float]], x: str, y: str) -> None:
    columns = zip(*points, strict=True) if points else ((), ())
    axes.plot(*columns, "o-", color=SERIES_COLORS[0], markersize=4)
    axes.set(xlabel=x, ylabel=y, xlim=(0, None), ylim=(0, None))
    axes.grid(alpha=0.3)


def process_figure(found: dict) -> Figure:
    """Seconds of `predict` on one volume, every way of running it, and the targets."""
    runs = found["runs"]
    figure = new_figure(6, 1.2 + 0.35 * len(runs))
    axes = figure.subplots()
    for row, each in enumerate(runs.values()):
        _bar(axes, row, Spread(**each["seconds"]), SERIES_COLORS[0])
    axes.set_yticks(range(len(runs)), list(runs))
    axes.axvline(1.5, color="0.3", linestyle="--", linewidth=1, label="target")
    axes.axvline(0.7, color="0.3", linestyle=":", linewidth=1, label="aim")
    axes.set(xlabel="s, whole process", xlim=(0, None))
    axes.legend(frameon=False, fontsize=8)
    axes.invert_yaxis()
    return figure


def curve_figure(lines: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Dice of the validation patients against CPU minutes of training, a line each."""
    figure = new_figure(6, 3.6)
    axes = figure.subplots()
    for index, (name, line) in enumerate(lines.items()):
        points = [(each["cpu_minutes"], each["dice"]) for each in line]
        axes.plot(
            *zip(*points, strict=True), "o-", color=SERIES_COLORS[index], label=name, markersize=4
        )
    axes.axhline(0.85, color="0.6", linewidth=0.8)
    axes.set(xlabel="CPU minutes of training", ylabel="mean Dice, validation", xlim=(0, None))
    axes.legend(frameon=False, loc="lower right")
    axes.grid(alpha=0.3)
    return figure


def _dice_lines(results: Results) -> dict[str, list[Mapping[str, float]]]:
    """Our trainings of each budget, the mean over seeds, and the peers'; largest pieces kept."""
    by_budget: dict[float, list[Mapping[str, float]]] = {}
    for rung in results.found("budgets") or ():
        by_budget.setdefault(rung["budget_cpu_minutes"], []).append(rung)
    ours: list[Mapping[str, float]] = [
        {key: fmean(rung[key] for rung in rungs) for key in ("cpu_minutes", "dice")}
        for _, rungs in sorted(by_budget.items())
    ]
    lines = {"cardioseg, a training for each budget": ours}
    curves = results.found("curve") or {}
    for name, (peer, way) in CURVES.items():
        points = [{**point, "dice": point[LARGEST]} for point in curves.get(name, ())]
        lines[f"{peer}, one training of an hour{way}"] = points
    return {name: line for name, line in lines.items() if line}


def write_plots(results: Results, folder: Path) -> tuple[Path, ...]:
    """Write NAME.png for every part that was measured."""
    made: list[Path] = []

    def draw(name: str, figure: Callable[[], Figure]) -> None:
        path = folder / f"{name}.png"
        write_bytes(path, png_bytes(figure(), dpi=110))
        made.append(path)

    for part in ("inference", "training"):
        if duels := results.duels(part):
            draw(part, lambda duels=duels: duels_figure(duels))
    for part, make in {"growth": growth_figure, "process": process_figure}.items():
        found = results.found(part)
        if found:
            draw(part, lambda found=found, make=make: make(found))
    if lines := _dice_lines(results):
        draw("curve", lambda: curve_figure(lines))
    return tuple(made)
