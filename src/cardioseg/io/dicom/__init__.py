"""DICOM series in: find, choose and read them; what they hold is RAS+."""

from __future__ import annotations

from cardioseg.io.dicom.choice import choose_series
from cardioseg.io.dicom.files import holds_dicom
from cardioseg.io.dicom.read import read_series
from cardioseg.io.dicom.series import Series, find_series
from cardioseg.io.dicom.slices import FileStack, read_stack
from cardioseg.io.dicom.source import DicomScan, SourceSlice

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
