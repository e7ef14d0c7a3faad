"""What NIfTI files are read, with which values and on which grid; what is written."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import FormatError, GeometryError, LabelError, ReadWarning
from cardioseg.io import nifti_file
from cardioseg.io.nifti import (
    read_frames,
    read_geometry,
    read_label_frames,
    read_labels,
    read_scores,
    read_volume,
    write_frames,
    write_label_frames,
    write_labels,
    write_scores,
    write_volume,
)
from cardioseg.io.nifti_file import read_header
from cardioseg.io.scans import read_scan

SHAPE = (5, 6, 4)
PIR = np.array([[0, 0, 0.65, -42.9], [-1.05, 0, 0, 22.2], [0, -1.05, 0, 87.8], [0, 0, 0, 1.0]])
SHEARED = np.array([[1.5, 0.4, 0, 0], [0, 1.5, 0, 0], [0, 0, 8, 0], [0, 0, 0, 1.0]])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def oblique() -> np.ndarray:
    """A rotated, mirrored, anisotropic affine."""
    turn = SimpleITK.Euler3DTransform((0, 0, 0), 0.4, -0.3, 0.9).GetMatrix()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(turn, (3, 3)) @ np.diag([1.2, -1.4, 8.0])
    affine[:3, 3] = (-31.5, 12.25, 77.0)
    return affine


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8", ">i2", ">f4"])
def test_reads_both_versions_and_every_type(
    tmp_path: Path, rng: np.random.Generator, suffix: str, kind: type, dtype: str
) -> None:
    array = rng.integers(0, 200, SHAPE).astype(dtype)
    header = kind.header_class(endianness=">" if dtype[0] == ">" else "<")
    header.set_data_dtype(dtype)
    nib.save(kind(array, PIR, header), tmp_path / f"case{suffix}")
    volume = read_volume(tmp_path / f"case{suffix}")
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, array)
    np.testing.assert_allclose(volume.geometry.affine, PIR, atol=1e-5)
    assert volume.geometry.orientation == "PIR"


def test_scaling_is_applied(tmp_path: Path, rng: np.random.Generator) -> None:
    stored = rng.integers(-300, 300, SHAPE).astype(np.int16)
    image = nib.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(0.5, -10)
    nib.save(image, tmp_path / "case.nii")
    # nibabel scales by itself on saving; write the stored numbers over what it wrote.
    raw = bytearray((tmp_path / "case.nii").read_bytes())
    raw[352:] = stored.tobytes(order="F")
    raw[112:120] = np.array([0.5, -10], "<f4").tobytes()
    (tmp_path / "case.nii").write_bytes(raw)
    np.testing.assert_allclose(read_volume(tmp_path / "case.nii").array, stored * 0.5 - 10)
    expected = nib.load(tmp_path / "case.nii").get_fdata()
    np.testing.assert_allclose(read_volume(tmp_path / "case.nii").array, expected)


def test_scaled_labels_are_whole_again(tmp_path: Path) -> None:
    stored = np.zeros(SHAPE, np.int16)
    stored[2:] = 30000
    image = nib.Nifti1Image(stored, np.eye(4))
    nib.save(image, tmp_path / "case.nii")
    raw = bytearray((tmp_path / "case.nii").read_bytes())
    raw[112:120] = np.array([1e-4, 0], "<f4").tobytes()
    (tmp_path / "case.nii").write_bytes(raw)
    labels = read_labels(tmp_path / "case.nii", ACDC)
    np.testing.assert_array_equal(labels.array, stored // 10000)


def test_agrees_with_simpleitk_on_where_voxels_lie(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    volume = Volume(rng.random(SHAPE, np.float32), Geometry(SHAPE, oblique()))
    write_volume(volume, tmp_path / "case.nii.gz")
    image = SimpleITK.ReadImage(str(tmp_path / "case.nii.gz"))
    for index in [(0, 0, 0), (4, 5, 3), (1, 4, 2)]:
        left, posterior, superior = image.TransformIndexToPhysicalPoint(index)
        ours = volume.geometry.to_world(index)
        np.testing.assert_allclose(ours, (-left, -posterior, superior), atol=1e-3)
        assert image[index] == volume.array[index]


def test_reads_what_simpleitk_writes(tmp_path: Path, rng: np.random.Generator) -> None:
    array = rng.integers(0, 99, SHAPE[::-1]).astype(np.int16)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((1.5, 1.25, 9.0))
    image.SetOrigin((10.0, -20.0, 30.0))
    SimpleITK.WriteImage(image, str(tmp_path / "case.nii.gz"))
    volume = read_volume(tmp_path / "case.nii.gz")
    np.testing.assert_array_equal(volume.array, array.transpose())
    assert volume.geometry.orientation == "LPS"
    np.testing.assert_allclose(volume.geometry.origin, (-10.0, 20.0, 30.0), atol=1e-4)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("mm", 1.0), ("micron", 0.001)])
def test_units_become_mm(tmp_path: Path, unit: str, factor: float) -> None:
    image = nib.Nifti1Image(np.zeros(SHAPE, np.uint8), np.diag([2.0, 3.0, 4.0, 1.0]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "case.nii")
    spacing = read_geometry(tmp_path / "case.nii").spacing
    np.testing.assert_allclose(spacing, np.array([2.0, 3.0, 4.0]) * factor)


def placed(
    tmp_path: Path,
    sform: tuple[np.ndarray | None, int],
    qform: tuple[np.ndarray | None, int],
) -> Path:
    image = nib.Nifti1Image(np.zeros(SHAPE, np.uint8), None)
    image.header.set_zooms((1.5, 1.5, 8.0))
    image.set_qform(*qform)
    image.set_sform(*sform)
    nib.save(image, tmp_path / "case.nii")
    return tmp_path / "case.nii"


def test_sform_counts_before_qform(tmp_path: Path) -> None:
    path = placed(tmp_path, (np.diag([1.5, -1.5, 8.0, 1]), 2), (np.diag([-1.5, 1.5, 8.0, 1]), 1))
    with pytest.warns(ReadWarning, match=r"case\.nii: sform and qform place a corner .* mm apart"):
        assert read_volume(path).geometry.orientation == "RPS"


def test_qform_counts_where_the_sform_is_not_set(tmp_path: Path) -> None:
    path = placed(tmp_path, (np.diag([1.5, -1.5, 8.0, 1]), 0), (np.diag([-1.5, 1.5, 8.0, 1]), 1))
    assert read_volume(path).geometry.orientation == "LAS"


def test_no_orientation_is_told(tmp_path: Path) -> None:
    path = placed(tmp_path, (None, 0), (None, 0))
    with pytest.warns(ReadWarning, match=r"no orientation in the header"):
        geometry = read_volume(path).geometry
    assert geometry.orientation == "RAS"
    assert geometry.spacing == (1.5, 1.5, 8.0)


@pytest.mark.parametrize("pixdim", [[0, 1.5, 1.5, 8], [1, -1.5, 1.5, 8], [0, -1.5, -1.5, -8]])
@pytest.mark.parametrize("forms", [(0, 0), (0, 1), (1, 1)])
def test_a_qfac_of_0_is_1_and_a_spacing_has_no_sign(
    tmp_path: Path, pixdim: list[float], forms: tuple[int, int]
) -> None:
    affine = np.diag([1.5, 1.5, 8.0, 1])
    path = placed(tmp_path, (affine, forms[0]), (affine, forms[1]))
    raw = bytearray(path.read_bytes())
    raw[76:92] = np.array(pixdim, "<f4").tobytes()
    path.write_bytes(raw)
    header = read_header(path)
    assert header.geometry.orientation == "RAS"
    assert header.geometry.spacing == (1.5, 1.5, 8.0)
    assert all("no orientation" in note for note in header.notes)


def test_spacing_that_contradicts_the_sform_is_told(tmp_path: Path) -> None:
    path = placed(tmp_path, (np.diag([1.2, 1.2, 8.0, 1]), 1), (None, 0))
    with pytest.warns(ReadWarning, match=r"the header's spacing \(1.5, 1.5, 8\) mm is not its"):
        assert read_volume(path).geometry.spacing[0] == pytest.approx(1.2)


def test_a_broken_qform_beside_a_good_sform_is_told(tmp_path: Path) -> None:
    path = placed(tmp_path, (np.diag([1.5, 1.5, 8.0, 1]), 1), (np.diag([1.5, 1.5, 8.0, 1]), 1))
    raw = bytearray(path.read_bytes())
    raw[256:268] = np.array([5, 5, 5], "<f4").tobytes()
    path.write_bytes(raw)
    with pytest.warns(ReadWarning, match=r"the qform cannot be used .* the sform is used"):
        read_volume(path)


def test_a_sheared_grid_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "case.nii.gz"
    labels = LabelMap(np.ones(SHAPE, np.uint8), Geometry(SHAPE, SHEARED), ACDC)
    write_labels(labels, path)
    with pytest.warns(ReadWarning, match=r"a sheared grid: two of its axes meet at 75.1 degrees"):
        again = read_labels(path, ACDC)
    np.testing.assert_allclose(again.geometry.affine, SHEARED, atol=1e-6)
    # The qform knows no shear: it is left unset, not bent.
    assert read_header(path).qform_code == 0
    assert read_header(path).sform_code == 1


def test_header_alone_is_read_without_the_voxels(tmp_path: Path) -> None:
    path = tmp_path / "case.nii"
    write_volume(Volume(np.zeros(SHAPE, np.float32), Geometry(SHAPE, PIR)), path)
    path.write_bytes(path.read_bytes()[:352])
    header = read_header(path)
    assert (header.version, header.shape, header.unit, header.frames) == (1, SHAPE, "mm", 1)
    assert header.notes == ()
    assert read_geometry(path).orientation == "PIR"


def test_trailing_sides_of_one_are_left_out(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones((*SHAPE, 1, 1), np.int16), PIR), tmp_path / "case.nii")
    assert read_volume(tmp_path / "case.nii").geometry.shape == SHAPE


def test_a_single_slice_with_a_third_axis_is_a_volume(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones((5, 6, 1), np.int16), PIR), tmp_path / "case.nii")
    assert read_volume(tmp_path / "case.nii").geometry.shape == (5, 6, 1)


def test_frames_round_trip(tmp_path: Path, rng: np.random.Generator) -> None:
    grid = Geometry(SHAPE, oblique())
    frames = [Volume(rng.random(SHAPE, np.float32), grid) for _ in range(3)]
    write_frames(frames, tmp_path / "cine.nii.gz")
    again = read_frames(tmp_path / "cine.nii.gz")
    assert len(again) == 3
    for frame, expected in zip(again, frames, strict=True):
        np.testing.assert_array_equal(frame.array, expected.array)
        assert frame.geometry.is_same(grid)
    with pytest.raises(FormatError, match=r"cine\.nii\.gz: a cine of 3 frames where one is needed"):
        read_volume(tmp_path / "cine.nii.gz")


def test_label_frames_round_trip(tmp_path: Path, rng: np.random.Generator) -> None:
    grid = Geometry(SHAPE, PIR)
    frames = [LabelMap(rng.integers(0, 4, SHAPE, np.uint8), grid, ACDC) for _ in range(2)]
    write_label_frames(frames, tmp_path / "cine.nii.gz")
    again = read_label_frames(tmp_path / "cine.nii.gz", ACDC)
    for frame, expected in zip(again, frames, strict=True):
        np.testing.assert_array_equal(frame.array, expected.array)


def test_frames_of_different_grids_or_schemes_are_refused(tmp_path: Path) -> None:
    zeros = np.zeros(SHAPE, np.uint8)
    here, there = Geometry(SHAPE, PIR), Geometry(SHAPE, np.eye(4))
    first = LabelMap(zeros, here, ACDC)
    with pytest.raises(GeometryError, match=r"cine\.nii: frames 1 and 0 lie on different grids"):
        write_label_frames([first, LabelMap(zeros, there, ACDC)], tmp_path / "cine.nii")
    with pytest.raises(LabelError, match=r"different schemes: acdc, myocardium_blood"):
        write_label_frames([first, LabelMap(zeros, here, MYOCARDIUM_BLOOD)], tmp_path / "cine.nii")
    with pytest.raises(FormatError, match=r"no frames to write"):
        write_frames([], tmp_path / "cine.nii")
    assert list(tmp_path.iterdir()) == []


def test_scores_round_trip_and_are_not_frames(tmp_path: Path, rng: np.random.Generator) -> None:
    scores = rng.random((4, *SHAPE), np.float32)
    grid = Geometry(SHAPE, oblique())
    write_scores(scores, grid, tmp_path / "scores.nii.gz")
    again, geometry = read_scores(tmp_path / "scores.nii.gz")
    np.testing.assert_array_equal(again, scores)
    assert geometry.is_same(grid)
    assert nib.load(tmp_path / "scores.nii.gz").shape == (*SHAPE, 4)
    with pytest.raises(FormatError, match=r"scores\.nii\.gz: class scores, not an image"):
        read_frames(tmp_path / "scores.nii.gz")


def test_scores_of_half_precision_are_kept_as_float32(tmp_path: Path) -> None:
    scores = np.full((2, *SHAPE), 0.5, np.float16)
    write_scores(scores, Geometry(SHAPE, PIR), tmp_path / "scores.nii.gz")
    assert read_scores(tmp_path / "scores.nii.gz")[0].dtype == np.float32


def test_scores_of_another_shape_are_refused(tmp_path: Path) -> None:
    grid = Geometry(SHAPE, PIR)
    for shape in [(*SHAPE, 3), (1, *SHAPE), SHAPE]:
        with pytest.raises(FormatError, match=r"give \(classes, I, J, K\)"):
            write_scores(np.zeros(shape, np.float32), grid, tmp_path / "scores.nii.gz")
    write_volume(Volume(np.zeros(SHAPE, np.float32), grid), tmp_path / "image.nii.gz")
    with pytest.raises(FormatError, match=r"image\.nii\.gz: shape .* scores are \(I, J, K, cl"):
        read_scores(tmp_path / "image.nii.gz")


def test_labels_are_written_as_uint8_with_both_placements(tmp_path: Path) -> None:
    write_labels(LabelMap(np.ones(SHAPE, np.uint8), Geometry(SHAPE, PIR), ACDC), tmp_path / "a.nii")
    header = nib.load(tmp_path / "a.nii").header
    assert header.get_data_dtype() == np.uint8
    assert int(header["sform_code"]) == int(header["qform_code"]) == 1
    assert header.get_xyzt_units()[0] == "mm"


def test_equal_labels_are_equal_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = LabelMap(np.ones(SHAPE, np.uint8), Geometry(SHAPE, PIR), ACDC)
    write_labels(labels, tmp_path / "a.nii.gz")
    monkeypatch.setattr("time.time", lambda: 1e9)
    write_labels(labels, tmp_path / "b.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_labels_for_an_input_have_its_affine(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.int16), oblique()), tmp_path / "image.nii.gz")
    image = read_volume(tmp_path / "image.nii.gz")
    write_labels(LabelMap(np.zeros(SHAPE, np.uint8), image.geometry, ACDC), tmp_path / "l.nii.gz")
    np.testing.assert_array_equal(
        nib.load(tmp_path / "l.nii.gz").affine, nib.load(tmp_path / "image.nii.gz").affine
    )


def test_source_values_are_translated(tmp_path: Path) -> None:
    array = np.array([0, 205, 500, 600], np.uint16).reshape(1, 2, 2)
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "l.nii.gz")
    labels = read_labels(tmp_path / "l.nii.gz", ACDC, {205: 2, 500: 3, 600: 1})
    assert labels.array.ravel().tolist() == [0, 2, 3, 1]
    with pytest.raises(LabelError, match=r"l\.nii\.gz: labels: label value 600 is unknown"):
        read_labels(tmp_path / "l.nii.gz", ACDC, {205: 2, 500: 3})


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    volume = Volume(np.ones(SHAPE, np.float32), Geometry(SHAPE, PIR))
    write_volume(volume, tmp_path / "case.nii.gz")
    (tmp_path / "case.nii.gz").rename(tmp_path / "case.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "case.nii").array, volume.array)


def test_reading_loads_no_torch() -> None:
    heavy = "{'torch', 'pydantic', 'scipy.ndimage', 'pydicom'}"
    code = f"import sys, cardioseg.io.nifti; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_pydicom_is_whole_after_nibabel_did_without_it() -> None:
    code = "import cardioseg.io.nifti, pydicom.config; print(pydicom.dcmread.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pydicom.filereader"


def test_a_real_volume_and_its_labels(acdc_root: Path) -> None:
    patient = acdc_root / "training" / "patient002"
    image = read_volume(patient / "patient002_frame01.nii.gz")
    labels = read_labels(patient / "patient002_frame01_gt.nii.gz", ACDC)
    np.testing.assert_array_equal(
        image.array, nib.load(patient / "patient002_frame01.nii.gz").get_fdata(dtype=np.float32)
    )
    assert labels.geometry.is_same(image.geometry)


@pytest.mark.parametrize(
    ("step", "unit", "found"),
    [
        (0.04, "sec", 40.0),
        (40.0, "msec", 40.0),
        (40_000.0, "usec", 40.0),
        (1.0, "sec", None),  # what a header says that nobody set
        (40.0, "unknown", None),
        (0.0, "sec", None),
        (float("nan"), "sec", None),
    ],
)
def test_a_cine_has_the_times_of_its_header(
    tmp_path: Path, step: float, unit: str, found: float | None
) -> None:
    cine = nib.Nifti1Image(np.zeros((4, 4, 3, 20), np.uint8), np.diag([1.5, 1.5, 8, 1]))
    cine.header.set_xyzt_units("mm", unit)
    cine.header["pixdim"][4] = step
    nib.save(cine, tmp_path / "cine.nii")
    scan = read_scan(tmp_path / "cine.nii")
    expected = () if found is None else tuple(found * number for number in range(20))
    assert scan.times_ms == pytest.approx(expected, rel=1e-5)
    assert not any("heartbeat" in note for note in scan.notes)


@pytest.mark.parametrize("count", [2, 3])
def test_the_second_of_a_header_that_nobody_set_is_no_time(tmp_path: Path, count: int) -> None:
    """Two or three frames of 1 s would pass for a slow heartbeat."""
    write_frames(
        [Volume(np.zeros(SHAPE, np.float32), Geometry(SHAPE, PIR))] * count, tmp_path / "a.nii"
    )
    scan = read_scan(tmp_path / "a.nii")
    assert (scan.times_ms, scan.notes) == ((), ())


@pytest.mark.parametrize("frame_ms", [40.0, 33.37, 21.8, None])
def test_a_written_cine_tells_the_time_between_its_frames(
    tmp_path: Path, frame_ms: float | None
) -> None:
    grid, path = Geometry(SHAPE, PIR), tmp_path / "cine.nii.gz"
    maps = [LabelMap(np.full(SHAPE, n, np.uint8), grid, ACDC) for n in range(3)]
    write_label_frames(maps, path, frame_ms=frame_ms)
    # What no one says stands in the header as one second, as other programs leave it.
    seconds = 1.0 if frame_ms is None else frame_ms / 1000
    assert nib.load(path).header.get_zooms()[3] == pytest.approx(seconds)
    assert nib.load(path).header.get_xyzt_units() == ("mm", "sec")
    first = path.read_bytes()
    write_frames([Volume(each.array, grid) for each in maps] * 9, path, frame_ms)
    expected = () if frame_ms is None else tuple(frame_ms * n for n in range(27))
    assert read_scan(path).times_ms == pytest.approx(expected, rel=1e-6)
    write_label_frames(maps, path, frame_ms=frame_ms)
    assert path.read_bytes() == first


def test_times_that_are_no_heartbeat_are_told_and_left(tmp_path: Path) -> None:
    cine = nib.Nifti1Image(np.zeros((4, 4, 3, 20), np.uint8), np.diag([1.5, 1.5, 8, 1]))
    cine.header.set_xyzt_units("mm", "sec")
    cine.header["pixdim"][4] = 2.5
    nib.save(cine, tmp_path / "cine.nii")
    scan = read_scan(tmp_path / "cine.nii")
    assert scan.times_ms == ()
    assert "20 frames 2500 ms apart by the header" in " ".join(scan.notes)


def test_a_packed_file_holds_the_bytes_of_a_plain_one_and_is_packed_alike_in_one_part(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    values = rng.integers(0, 4, (61, 53, 47), dtype=np.uint8)
    labels = LabelMap(values, Geometry(values.shape, np.eye(4)), ACDC)
    for name in ("labels.nii", "labels.nii.gz"):
        write_labels(labels, tmp_path / name)
    plain, packed = ((tmp_path / name).read_bytes() for name in ("labels.nii", "labels.nii.gz"))
    assert gzip.decompress(packed) == plain
    assert nifti_file._pack([plain]) == packed
