"""DICOM series in: find, choose and read them; LPS becomes RAS here and nowhere else."""

from __future__ import annotations

from cardioseg.io.dicom.source import DicomScan, SourceSlice

__all__ = ["DicomScan", "SourceSlice"]
