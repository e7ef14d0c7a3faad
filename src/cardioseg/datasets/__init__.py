"""Data sets as they come: one reader a layout, each listing cases with their subjects.

Names are imported when they are first used: who predicts reads no data set.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cardioseg.datasets.dataset import Dataset
    from cardioseg.datasets.reading import READERS, read_dataset

_HOMES = {"READERS": "reading", "Dataset": "dataset", "read_dataset": "reading"}

__all__ = ["READERS", "Dataset", "read_dataset"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'cardioseg.datasets' has no attribute {name!r}")
    return getattr(import_module(f"cardioseg.datasets.{_HOMES[name]}"), name)
