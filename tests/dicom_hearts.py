"""A heart that the fastest baseline finds, as a DICOM cine on an oblique grid."""

from __future__ import annotations

import numpy as np
from tests.dicom_sources import dicom_scan, oblique_grid

from cardioseg.io.dicom.source import DicomScan


def ring_cine() -> DicomScan:
    """A ring of muscle around blood, at end-diastole and at end-systole."""
    grid = oblique_grid((72, 72, 6), (2.0, 2.0, 8.0))
    column, row, _ = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    distance = 2.0 * np.hypot(column - 36, row - 36)
    noise = np.random.default_rng(0).normal(0, 8, (2, *grid.shape))
    frames = [
        np.select([distance < blood, distance < blood + wall], [900, 150], 350)
        for blood, wall in ((24, 9), (16, 12))
    ]
    return dicom_scan(grid, (np.stack(frames) + noise).clip(0).round())
