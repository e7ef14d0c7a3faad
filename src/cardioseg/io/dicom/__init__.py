"""DICOM series in: find, choose and read them; what they hold is RAS+.

What is asked for is imported then: pydicom takes longer than everything that a NIfTI file needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cardioseg.io.dicom.choice import choose_series
    from cardioseg.io.dicom.files import holds_dicom
    from cardioseg.io.dicom.read import read_series
    from cardioseg.io.dicom.series import Series, find_series
    from cardioseg.io.dicom.slices import FileStack, read_stack
    from cardioseg.io.dicom.source import DicomScan, SourceSlice

_HOMES = {
    "DicomScan": "source",
    "FileStack": "slices",
    "Series": "series",
    "SourceSlice": "source",
    "choose_series": "choice",
    "find_series": "series",
    "holds_dicom": "files",
    "read_series": "read",
    "read_stack": "slices",
}

__all__ = [
    "DicomScan",
    "FileStack",
    "Series",
    "SourceSlice",
    "choose_series",
    "find_series",
    "holds_dicom",
    "read_series",
    "read_stack",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
