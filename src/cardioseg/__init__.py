"""cardioseg: segment the heart in cardiac MR.

Examples
--------
>>> import cardioseg
>>> cardioseg.scheme_named("acdc").class_count
4
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cardioseg.core.case import Case
    from cardioseg.core.geometry import Geometry
    from cardioseg.core.labels import LabelScheme, scheme_named
    from cardioseg.core.volume import LabelMap, Volume
    from cardioseg.datasets import Dataset, read_dataset
    from cardioseg.errors import CardiosegError
    from cardioseg.evaluation.measure import evaluate
    from cardioseg.evaluation.report import Report
    from cardioseg.inference.predictor import Prediction, Predictor, load_model
    from cardioseg.io.images import read_frames, read_labels, read_volume, write_labels
    from cardioseg.prepare.plan import Plan

_HOMES = {
    "Case": "core.case",
    "Geometry": "core.geometry",
    "LabelScheme": "core.labels",
    "scheme_named": "core.labels",
    "LabelMap": "core.volume",
    "Volume": "core.volume",
    "Dataset": "datasets",
    "read_dataset": "datasets",
    "CardiosegError": "errors",
    "evaluate": "evaluation.measure",
    "Report": "evaluation.report",
    "Prediction": "inference.predictor",
    "Predictor": "inference.predictor",
    "load_model": "inference.predictor",
    "read_frames": "io.images",
    "read_labels": "io.images",
    "read_volume": "io.images",
    "write_labels": "io.images",
    "Plan": "prepare.plan",
}

__all__ = [
    "CardiosegError",
    "Case",
    "Dataset",
    "Geometry",
    "LabelMap",
    "LabelScheme",
    "Plan",
    "Prediction",
    "Predictor",
    "Report",
    "Volume",
    "evaluate",
    "load_model",
    "read_dataset",
    "read_frames",
    "read_labels",
    "read_volume",
    "scheme_named",
    "write_labels",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that the program starts fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cardioseg' has no attribute {name!r}")
    return getattr(import_module(f"cardioseg.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
