"""Evaluation: metrics of a prediction against its reference, statistics over patients, figures."""

from cardioseg.evaluation.charts import box_plots, class_frequency_figure, learning_curves
from cardioseg.evaluation.comparison import Comparison, compare, comparison_table
from cardioseg.evaluation.figures import comparison_figure, png_bytes
from cardioseg.evaluation.measure import Settings, evaluate, evaluate_case
from cardioseg.evaluation.report import Report, combine
from cardioseg.evaluation.rows import Row
from cardioseg.evaluation.summary import Summary
from cardioseg.evaluation.surface import SurfaceDistances, surface_distances

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
