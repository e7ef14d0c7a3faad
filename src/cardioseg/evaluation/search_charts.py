"""Charts of a search: trial by trial, epoch by epoch, and which key mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cardioseg.evaluation.charts import SERIES_COLORS
from cardioseg.evaluation.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COMPLETE, _BEST = SERIES_COLORS[0], SERIES_COLORS[5]
_PRUNED = "#999999"


@dataclass(frozen=True)
class TrialCurve:
    """One trial of a search.

    Parameters
    ----------
    number
        Its number.
    complete
        Whether it ran to its end; if not, it was pruned.
    dice
        Mean validation Dice of each validated epoch.
    """

    number: int
    complete: bool
    dice: Mapping[int, float]

    @property
    def best(self) -> float:
        """The highest Dice."""
        return max(self.dice.values())


def history_figure(curves: Sequence[TrialCurve]) -> Figure:
    """Left the best Dice of each trial and of all so far; right each trial's Dice by epoch.

    Parameters
    ----------
    curves
        Trials with at least one validation, in order. The complete one with the highest Dice is
        drawn in its own colour.

    Returns
    -------
    Figure
    """
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2, sharey=True)
    complete = [curve for curve in curves if curve.complete]
    best = max(complete, key=lambda curve: curve.best, default=None)
    _points(left, [curve for curve in curves if not curve.complete], ("x", _PRUNED, "pruned"))
    _points(left, complete, ("o", _COMPLETE, "complete"))
    if best is not None:
        first = complete[0].number
        numbers = [curve.number for curve in curves if curve.number >= first]
        reached = [max(c.best for c in complete if c.number <= number) for number in numbers]
        left.step(numbers, reached, where="post", color=_BEST, label="best so far")
    for curve in curves:
        is_best = curve is best
        color = _BEST if is_best else _COMPLETE if curve.complete else _PRUNED
        right.plot(
            list(curve.dice),
            list(curve.dice.values()),
            color=color,
            marker="." if curve.complete else "x",
            alpha=1 if is_best else 0.6,
            linewidth=2 if is_best else 1,
            zorder=3 if is_best else 2,
            label=f"trial {curve.number}" if is_best else None,
        )
    left.set_xlabel("trial")
    left.set_ylabel("mean Dice, validation")
    left.xaxis.get_major_locator().set_params(integer=True)
    right.set_xlabel("epoch")
    right.xaxis.get_major_locator().set_params(integer=True)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small")
    return figure


def importance_figure(shares: Mapping[str, float], trials: int) -> Figure:
    """How much each key set the best trials apart, as bars.

    Parameters
    ----------
    shares
        Key and share, 0 to 1.
    trials
        Complete trials that the shares come from.

    Returns
    -------
    Figure
    """
    figure = new_figure(6.5, 1.2 + 0.4 * len(shares))
    axes = figure.add_subplot()
    ordered = sorted(shares.items(), key=lambda each: each[1])
    bars = axes.barh([name for name, _ in ordered], [share for _, share in ordered])
    for bar in bars:
        bar.set_color(_COMPLETE)
    axes.bar_label(bars, [f"{share:.2f}" for _, share in ordered], padding=3)
    axes.set_xlim(0, 1.08)
    axes.set_xlabel(f"importance (share), from {trials} complete trials")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return figure


def _points(axes: Axes, curves: Sequence[TrialCurve], look: tuple[str, str, str]) -> None:
    marker, color, label = look
    if curves:
        numbers, values = [c.number for c in curves], [c.best for c in curves]
        axes.plot(numbers, values, marker, color=color, label=label)
