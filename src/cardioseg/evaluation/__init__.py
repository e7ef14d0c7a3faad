"""Evaluation: metrics of a prediction against its reference, statistics over patients, figures.

Names are imported when they are first used: predicting needs heart function and none of these.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cardioseg.evaluation.charts import box_plots, class_frequency_figure, learning_curves
    from cardioseg.evaluation.comparison import Comparison, compare, comparison_table
    from cardioseg.evaluation.figures import comparison_figure, png_bytes
    from cardioseg.evaluation.measure import Settings, evaluate, evaluate_case
    from cardioseg.evaluation.report import Report, combine
    from cardioseg.evaluation.rows import Row
    from cardioseg.evaluation.summary import Summary
    from cardioseg.evaluation.surface import SurfaceDistances, surface_distances

_HOMES = {
    "box_plots": "charts",
    "class_frequency_figure": "charts",
    "learning_curves": "charts",
    "Comparison": "comparison",
    "compare": "comparison",
    "comparison_table": "comparison",
    "comparison_figure": "figures",
    "png_bytes": "figures",
    "Settings": "measure",
    "evaluate": "measure",
    "evaluate_case": "measure",
    "Report": "report",
    "combine": "report",
    "Row": "rows",
    "Summary": "summary",
    "SurfaceDistances": "surface",
    "surface_distances": "surface",
}

__all__ = [
    "Comparison",
    "Report",
    "Row",
    "Settings",
    "Summary",
    "SurfaceDistances",
    "box_plots",
    "class_frequency_figure",
    "combine",
    "compare",
    "comparison_figure",
    "comparison_table",
    "evaluate",
    "evaluate_case",
    "learning_curves",
    "png_bytes",
    "surface_distances",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'cardioseg.evaluation' has no attribute {name!r}")
    return getattr(import_module(f"cardioseg.evaluation.{_HOMES[name]}"), name)
