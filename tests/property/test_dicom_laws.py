"""Laws of DICOM in: on any pose, mirrored or with a sheared stack, a voxel lies where it was."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dicom_series import noise, values_at, write_series
from tests.grids import grids

from cardioseg.core.geometry import Geometry
from cardioseg.errors import ReadWarning
from cardioseg.io.dicom import choose_series, find_series, read_series


@st.composite
def stacks(draw) -> Geometry:
    """Orthogonal slices of any pose, each perhaps shifted against the last."""
    grid = draw(grids(sides=(2, 5)))
    affine = grid.affine.copy()
    for axis in (0, 1):
        affine[:3, 2] += grid.directions[:, axis] * draw(st.integers(-2, 2))
    return Geometry(grid.shape, affine)


@settings(max_examples=25, deadline=None)
@given(grid=stacks(), frames=st.integers(1, 3))
def test_values_lie_where_they_were_written(grid: Geometry, frames: int) -> None:
    written = noise(grid, frames)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadWarning)
        series = choose_series(find_series(write_series(Path(folder), written, grid)))
        found = read_series(series)
    assert len(found.scan.frames) == frames
    for frame, values in zip(found.scan.frames, written, strict=True):
        assert np.array_equal(values_at(frame, grid), values)
    geometry = found.scan.frames[0].geometry
    assert np.isclose(geometry.voxel_volume_mm3, grid.voxel_volume_mm3, rtol=1e-4)
    normal = np.cross(geometry.directions[:, 0], geometry.directions[:, 1])
    assert normal @ geometry.directions[:, 2] > 0, "slices follow the images' normal"
