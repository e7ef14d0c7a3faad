"""What is written and read again is the same, on any grid."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.strategies_geometry import grids, sheared_grids

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, MYOCARDIUM_BLOOD, LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import ReadWarning
from cardioseg.io.nifti import (
    read_frames,
    read_geometry,
    read_labels,
    read_scores,
    read_volume,
    write_frames,
    write_labels,
    write_scores,
    write_volume,
)
from cardioseg.io.nifti_file import read_header

LAWS = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
SUFFIXES = st.sampled_from((".nii", ".nii.gz"))
SCHEMES = st.sampled_from((ACDC, HVSMR2, MYOCARDIUM_BLOOD))


@LAWS
@given(grids(), SEEDS, SUFFIXES)
def test_volumes_round_trip(grid: Geometry, seed: int, suffix: str) -> None:
    array = np.random.default_rng(seed).normal(0, 1e3, grid.shape).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{suffix}"
        write_volume(Volume(array, grid), path)
        again = read_volume(path)
        # A grid that was read once is written and read without any further rounding.
        write_volume(again, path)
        np.testing.assert_array_equal(read_geometry(path).affine, again.geometry.affine)
    np.testing.assert_array_equal(again.array, array)
    assert again.geometry.is_same(grid)
    assert again.geometry.orientation == grid.orientation


@LAWS
@given(grids(), SEEDS, SUFFIXES, SCHEMES)
def test_labels_round_trip(grid: Geometry, seed: int, suffix: str, scheme: LabelScheme) -> None:
    array = np.random.default_rng(seed).integers(0, scheme.class_count, grid.shape, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{suffix}"
        write_labels(LabelMap(array, grid, scheme), path)
        again = read_labels(path, scheme)
        header = read_header(path)
    np.testing.assert_array_equal(again.array, array)
    assert again.geometry.is_same(grid)
    assert header.sform_code == 1
    assert header.qform_code == 1 or _is_near_a_half_turn(grid)
    assert header.notes == ()


def _is_near_a_half_turn(grid: Geometry) -> bool:
    """Whether a qform may not hold the grid's directions well enough to place its corners.

    A qform stores three of a quaternion's four numbers in float32. The fourth is the root of what
    they leave of 1, so a rounding of 6e-8 in them is 6e-8 / w in it, and w is 0 at a half turn.
    """
    turn = grid.affine[:3, :3] / grid.spacing
    turn[:, 2] *= np.sign(np.linalg.det(turn))
    return bool(np.sqrt(max(0.0, 1 + np.trace(turn))) / 2 < 0.01)


def test_a_qform_that_would_bend_the_grid_is_left_out() -> None:
    angle = np.pi - 1e-3
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * (1.0, 1.0, 4.0)
    grid = Geometry((1, 1, 4), affine)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.nii"
        write_volume(Volume(np.zeros(grid.shape, np.float32), grid), path)
        header = read_header(path)
        assert read_geometry(path).is_same(grid)
    assert (header.sform_code, header.qform_code) == (1, 0)


@LAWS
@given(sheared_grids(), SUFFIXES)
def test_sheared_grids_round_trip_without_being_bent(grid: Geometry, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadWarning)
        path = Path(folder) / f"case{suffix}"
        write_volume(Volume(np.zeros(grid.shape, np.float32), grid), path)
        assert read_volume(path).geometry.is_same(grid)
        header = read_header(path)
    assert len(header.notes) == 1
    assert "sheared" in header.notes[0]


@LAWS
@given(grids(), SEEDS, st.integers(1, 3))
def test_frames_and_scores_round_trip(grid: Geometry, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    frames = [Volume(rng.random(grid.shape, np.float32), grid) for _ in range(count)]
    scores = rng.random((count + 1, *grid.shape), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        write_frames(frames, Path(folder) / "cine.nii.gz")
        write_scores(scores, grid, Path(folder) / "scores.nii.gz")
        again = read_frames(Path(folder) / "cine.nii.gz")
        scores_again, geometry = read_scores(Path(folder) / "scores.nii.gz")
    for frame, expected in zip(again, frames, strict=True):
        np.testing.assert_array_equal(frame.array, expected.array)
    np.testing.assert_array_equal(scores_again, scores)
    assert geometry.is_same(grid)
