"""Readers of public data sets as they come: one module a layout, each gives cases."""

from __future__ import annotations

from cardioseg.datasets.dataset import READERS, Dataset, read_dataset

__all__ = ["READERS", "Dataset", "read_dataset"]
