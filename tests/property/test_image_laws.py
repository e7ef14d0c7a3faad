"""Any format gives back what it was given, on any grid, and places it where ITK does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.strategies_geometry import grids

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, MYOCARDIUM_BLOOD, LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.io.images import (
    read_frames,
    read_geometry,
    read_label_frames,
    read_labels,
    read_volume,
    write_frames,
    write_label_frames,
    write_labels,
    write_volume,
)
from cardioseg.workflows.convert import convert_file

LAWS = settings(max_examples=30, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
ALL = (".nii", ".nii.gz", ".nrrd", ".seg.nrrd", ".mha")
SUFFIXES = st.sampled_from(ALL)
IMAGES = st.sampled_from((".nrrd", ".mha"))
SCHEMES = st.sampled_from((ACDC, HVSMR2, MYOCARDIUM_BLOOD))


def random_labels(grid: Geometry, seed: int, scheme: LabelScheme) -> LabelMap:
    array = np.random.default_rng(seed).integers(0, scheme.class_count, grid.shape, np.uint8)
    return LabelMap(array, grid, scheme)


def random_frames(grid: Geometry, seed: int, count: int) -> list[Volume]:
    rng = np.random.default_rng(seed)
    return [Volume(rng.normal(0, 1e3, grid.shape).astype(np.float32), grid) for _ in range(count)]


def itk_corners(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Corner voxels' positions as SimpleITK places them, in LPS+ mm turned to RAS+."""
    image = SimpleITK.ReadImage(str(path))
    grid = Geometry(shape, np.eye(4))
    points = [image.TransformIndexToPhysicalPoint([int(n) for n in c]) for c in grid.corners()]
    return np.array(points) * (-1, -1, 1)


@LAWS
@given(grids(), SEEDS, SUFFIXES, SUFFIXES, SCHEMES)
def test_labels_keep_voxels_and_place_through_two_formats(
    grid: Geometry, seed: int, first: str, second: str, scheme: LabelScheme
) -> None:
    labels = random_labels(grid, seed, scheme)
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder) / f"a{first}", Path(folder) / f"b{second}"
        write_labels(labels, one, "0123456789abcdef")
        convert_file(one, two, scheme)
        again = read_labels(two, scheme)
    np.testing.assert_array_equal(again.array, labels.array)
    assert again.geometry.is_same(grid)
    assert again.geometry.orientation == grid.orientation


@LAWS
@given(grids(), SEEDS, IMAGES)
def test_images_round_trip_and_lie_where_itk_places_them(
    grid: Geometry, seed: int, suffix: str
) -> None:
    (image,) = random_frames(grid, seed, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{suffix}"
        write_volume(image, path)
        again = read_volume(path)
        placed = itk_corners(path, grid.shape)
        values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        write_volume(again, path)
        np.testing.assert_allclose(
            read_geometry(path).affine, again.geometry.affine, rtol=1e-12, atol=1e-9
        )
    np.testing.assert_array_equal(again.array, image.array)
    np.testing.assert_array_equal(values.T, image.array)
    assert again.geometry.is_same(grid)
    np.testing.assert_allclose(placed, grid.corners(), atol=1e-3)


@LAWS
@given(grids(), SEEDS, IMAGES)
def test_what_itk_writes_is_read_where_nibabel_reads_it(
    grid: Geometry, seed: int, suffix: str
) -> None:
    """One image, written by ITK as NIfTI and in another format: nibabel and we agree."""
    (image,) = random_frames(grid, seed, 1)
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder) / "ours.mha"
        write_volume(image, ours)
        itk = SimpleITK.ReadImage(str(ours))
        SimpleITK.WriteImage(itk, str(Path(folder) / "a.nii"))
        SimpleITK.WriteImage(itk, str(Path(folder) / f"a{suffix}"))
        affine = nib.load(Path(folder) / "a.nii").affine
        again = read_volume(Path(folder) / f"a{suffix}")
    expected = Geometry(grid.shape, affine)
    np.testing.assert_allclose(again.geometry.corners(), expected.corners(), atol=1e-2)
    np.testing.assert_array_equal(again.array, image.array)


@LAWS
@given(grids(), SEEDS, st.integers(1, 3), IMAGES, SCHEMES)
def test_frames_round_trip(
    grid: Geometry, seed: int, count: int, suffix: str, scheme: LabelScheme
) -> None:
    frames = random_frames(grid, seed, count)
    maps = [random_labels(grid, seed + each, scheme) for each in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        write_frames(frames, Path(folder) / f"cine{suffix}")
        write_label_frames(maps, Path(folder) / f"labels{suffix}")
        again = read_frames(Path(folder) / f"cine{suffix}")
        labels = read_label_frames(Path(folder) / f"labels{suffix}", scheme)
    assert len(again) == count
    for frame, expected in zip(again, frames, strict=True):
        np.testing.assert_array_equal(frame.array, expected.array)
        assert frame.geometry.is_same(grid)
    for each, wanted in zip(labels, maps, strict=True):
        np.testing.assert_array_equal(each.array, wanted.array)
