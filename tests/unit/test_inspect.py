"""What `inspect` finds out about files and data sets."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import DatasetError, FormatError
from cardioseg.io.nifti import write_frames, write_labels, write_volume
from cardioseg.workflows.grid_words import axis_words, own_plane_words, slice_words
from cardioseg.workflows.inspect import FileFacts, inspect_dataset, inspect_file

SHAPE = (9, 8, 7)
LAS = np.array([[-1.5, 0, 0, 40], [0, 1.5, 0, -30], [0, 0, 8, 12], [0, 0, 0, 1.0]])

SHEAR = np.array([[1, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def turned(degrees: float) -> np.ndarray:
    """An affine whose slices are tilted about the axis to the patient's right."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
    return rotation @ np.diag([1.5, 1.5, 8.0, 1.0])


def image() -> np.ndarray:
    return np.random.default_rng(3).gamma(2.0, 100.0, SHAPE).astype(np.float32)


def inspected(tmp_path: Path, array: np.ndarray, affine: np.ndarray = LAS) -> FileFacts:
    grid = Geometry(array.shape, affine)
    write_volume(Volume(array, grid), tmp_path / "case.nii.gz")
    return inspect_file(tmp_path / "case.nii.gz")


def saved(tmp_path: Path, array: np.ndarray, **header: object) -> FileFacts:
    kept = nib.Nifti1Image(array, LAS)
    kept.header.set_xyzt_units("mm")
    for key, value in header.items():
        kept.header[key] = value
    nib.save(kept, tmp_path / "case.nii")
    return inspect_file(tmp_path / "case.nii")


def test_axes_in_words() -> None:
    grid = Geometry(SHAPE, LAS)
    assert (
        axis_words(grid, 0) == "axis 1 points to the patient's left; slices across it are sagittal"
    )
    assert axis_words(grid, 1) == (
        "axis 2 points to the patient's front (anterior); slices across it are coronal"
    )
    assert axis_words(grid, 2) == (
        "axis 3 points to the patient's head (superior); slices across it are axial"
    )


@pytest.mark.parametrize(
    ("degrees", "words"),
    [
        (0, "axial"),
        (0.4, "axial"),
        (10, "axial, 10 degrees off"),
        (40, "oblique, 40 degrees from axial"),
        (-60, "oblique, 30 degrees from coronal"),
        (90, "coronal"),
        (180, "axial"),
    ],
)
def test_planes_with_their_angle(degrees: float, words: str) -> None:
    assert slice_words(Geometry(SHAPE, turned(degrees)), 2) == words


def test_a_plane_of_a_sheared_grid_is_spanned_by_its_axes() -> None:
    affine = np.diag([1.5, 1.5, 8.0, 1.0])
    affine[0, 2] = 4.0  # each slice is shifted to the right of the one below it
    grid = Geometry(SHAPE, affine)
    assert slice_words(grid, 2) == "axial"
    assert "27 degrees off; slices across it are axial" in axis_words(grid, 2)


def test_own_plane_and_tie() -> None:
    assert own_plane_words(Geometry(SHAPE, LAS)) == "across axis 3, 8 mm apart: axial"
    assert own_plane_words(Geometry(SHAPE, LAS), False) == "across axis 3, 8 mm apart"
    assert own_plane_words(Geometry(SHAPE, np.eye(4))).startswith("none: no spacing is the single")


def test_an_ordinary_image_has_nothing_suspicious(tmp_path: Path) -> None:
    array = image()
    facts = inspected(tmp_path, array)
    assert facts.notes == ()
    assert (facts.shape, facts.orientation, facts.frames) == (SHAPE, "LAS", 1)
    assert facts.spacing_mm == pytest.approx((1.5, 1.5, 8.0))
    assert facts.format == "NIfTI-1, float32"
    assert facts.label_volumes_ml == {}
    expected = np.percentile(array, (0, 1, 50, 99, 100))
    np.testing.assert_allclose(list(facts.intensity.values()), expected, rtol=1e-4)


def test_labels_are_recognised_and_measured(tmp_path: Path) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[0], array[1, 0] = 3, 1
    labels = LabelMap(array, Geometry(SHAPE, LAS), ACDC)
    write_labels(labels, tmp_path / "l.nii.gz")
    plain = inspect_file(tmp_path / "l.nii.gz")
    assert list(plain.label_volumes_ml) == ["1", "3"]
    named = inspect_file(tmp_path / "l.nii.gz", ACDC)
    assert named.label_volumes_ml == {
        "RV cavity": pytest.approx(labels.volume_ml("RV cavity"), abs=1e-3),
        "LV cavity": pytest.approx(labels.volume_ml("LV cavity"), abs=1e-3),
    }
    assert plain.notes == named.notes == ()


def test_labels_outside_a_scheme_are_told(tmp_path: Path) -> None:
    array = np.zeros(SHAPE, np.int16)
    array[0], array[1] = 500, 2
    saved(tmp_path, array)
    facts = inspect_file(tmp_path / "case.nii", ACDC)
    assert facts.notes == ("label values 500 are not in scheme acdc",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a * 0 + 7, "constant: every voxel is 7"),
        (lambda a: a - 300, "negative intensities, down to "),
        (lambda a: np.minimum(a, 300), "of the voxels are at the highest value, 300: clipped"),
    ],
)
def test_suspicious_intensities(tmp_path: Path, change: object, words: str) -> None:
    (note,) = inspected(tmp_path, change(image())).notes  # type: ignore[operator]
    assert words in note


def test_8_bits_are_named_where_they_clip(tmp_path: Path) -> None:
    facts = saved(tmp_path, np.minimum(image(), 255).astype(np.uint8))
    assert facts.notes[0].endswith("255: clipped, stored in 8 bits")


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (LAS @ np.diag([1, 1, 5, 1]), "a spacing of 40 mm: are the units right?"),
        (LAS @ np.diag([0.01, 1, 1, 1]), "a spacing of 0.015 mm: are the units right?"),
        (np.diag([1.5, 1.5, 8.0, 1.0]), "the patient's orientation was probably lost"),
        (np.diag([-1.5, -1.5, 8.0, 1.0]), "the patient's orientation was probably lost"),
        (LAS @ SHEAR, "a sheared grid"),
    ],
)
def test_suspicious_grids(tmp_path: Path, affine: np.ndarray, words: str) -> None:
    assert any(words in note for note in inspected(tmp_path, image(), affine).notes)


def test_no_directions_are_claimed_where_orientation_is_lost(tmp_path: Path) -> None:
    facts = inspected(tmp_path, image(), np.diag([1.5, 1.5, 8.0, 1.0]))
    assert facts.orientation == ""
    assert facts.axes == tuple(f"axis {n}: direction unknown" for n in (1, 2, 3))
    assert facts.native_plane == "across axis 3, 8 mm apart"
    for word in ("left", "right", "axial", "sagittal", "coronal", "RAS"):
        assert word not in facts.to_text()


def test_no_codes_are_told_once(tmp_path: Path) -> None:
    saved(tmp_path, image())
    raw = bytearray((tmp_path / "case.nii").read_bytes())
    raw[252:256] = bytes(4)  # qform_code, sform_code
    (tmp_path / "case.nii").write_bytes(raw)
    facts = inspect_file(tmp_path / "case.nii")
    assert len(facts.notes) == 1
    assert facts.notes[0].startswith("no orientation in the header")
    assert facts.orientation == ""


def test_a_missing_unit_is_told(tmp_path: Path) -> None:
    facts = saved(tmp_path, image(), xyzt_units=0)
    assert facts.notes == ("the header names no unit of length: millimetres are assumed",)


def test_few_slices_are_told(tmp_path: Path) -> None:
    assert inspected(tmp_path, image()[:, :, :1]).notes[0].startswith("only 1 slice: too few")
    assert inspected(tmp_path, image()[:, :, :3]).notes[0].startswith("only 3 slices: too few")


def test_a_cine_is_read_whole(tmp_path: Path) -> None:
    grid = Geometry(SHAPE, LAS)
    write_frames([Volume(image(), grid), Volume(image() * 9, grid)], tmp_path / "cine.nii.gz")
    facts = inspect_file(tmp_path / "cine.nii.gz")
    assert facts.frames == 2
    assert facts.intensity["max"] == pytest.approx(9 * image().max(), rel=1e-5)
    assert facts.notes == ("a cine of 2 frames: each is treated as a volume of its own",)


def test_facts_are_json_and_text(tmp_path: Path) -> None:
    facts = inspected(tmp_path, image())
    again = json.loads(json.dumps(facts.to_dict()))
    assert again["spacing_mm"] == pytest.approx([1.5, 1.5, 8.0])
    assert again["axes"][0].startswith("axis 1 points to the patient's left")
    assert "grid          9 x 8 x 7 voxels of 1.5 x 1.5 x 8 mm" in facts.to_text()


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "case.nii").write_bytes(b"")
    with pytest.raises(FormatError, match="the file is empty"):
        inspect_file(tmp_path / "case.nii")


@pytest.fixture
def acdc_folder(tmp_path: Path) -> Path:
    """Two patients with one labelled frame each; only the first has an RV."""
    for number, shape in ((1, (6, 6, 5)), (2, (8, 6, 7))):
        folder = tmp_path / f"patient00{number}"
        folder.mkdir()
        (folder / "Info.cfg").write_text(f"ED: 1\nES: 9\nGroup: {('DCM', 'NOR')[number - 1]}\n")
        grid = Geometry(shape, np.diag([1.5, 1.5, 4.0 + number, 1.0]))
        array = np.zeros(shape, np.uint8)
        array[0, 0, :2], array[1, 0, :4] = 2, 3
        array[2, 0, 0] = 1 if number == 1 else 0
        stem = folder / f"patient00{number}_frame01"
        write_volume(Volume(np.ones(shape, np.float32), grid), Path(f"{stem}.nii.gz"))
        write_labels(LabelMap(array, grid, ACDC), Path(f"{stem}_gt.nii.gz"))
        write_volume(
            Volume(np.ones(shape, np.float32), grid), folder / f"{stem.name[:-2]}09.nii.gz"
        )
    return tmp_path


def test_a_data_set(acdc_folder: Path) -> None:
    facts = inspect_dataset(f"acdc:{acdc_folder}")
    assert (facts.subjects, facts.cases, facts.labelled) == (2, 4, 2)
    assert facts.groups == {"DCM": 1, "NOR": 1}
    assert facts.phases == {"ED": 2, "ES": 2}
    assert facts.orientations == {"unknown": 4}
    assert facts.spacing_mm == pytest.approx((1.5, 1.5, 1.5))
    assert facts.slice_spacing_mm == pytest.approx((5.0, 5.5, 6.0))
    assert facts.slices == (5, 6, 7)
    assert facts.side == (6, 7, 8)
    told = {(f.case, f.kind): f.what for f in facts.findings}
    assert told["patient002_frame01", "structure-absent"] == "no voxel is RV cavity"
    assert told["patient001_frame09", "intensity"] == "constant: every voxel is 1"


def test_class_frequencies_by_hand(acdc_folder: Path) -> None:
    facts = inspect_dataset(f"acdc:{acdc_folder}")
    total, found = 6 * 6 * 5 + 8 * 6 * 7, {f.name: f for f in facts.frequencies}
    assert [f.voxels for f in facts.frequencies] == [total - 13, 1, 4, 8]
    assert found["LV cavity"].share == pytest.approx(8 / total)
    assert found["LV cavity"].share_of_labelled == pytest.approx(8 / 13)
    assert (found["RV cavity"].cases, found["LV cavity"].cases) == (1, 2)
    assert sum(f.share for f in facts.frequencies) == pytest.approx(1)
    assert sum(f.share_of_labelled for f in facts.frequencies) == pytest.approx(1)
    assert facts.case_shares["RV cavity"] == pytest.approx((1 / 180, 0))


def test_data_set_facts_are_json_and_text(acdc_folder: Path) -> None:
    facts = inspect_dataset(f"acdc:{acdc_folder}")
    again = json.loads(json.dumps(facts.to_dict()))
    assert again["frequencies"][3]["name"] == "LV cavity"
    text = facts.to_text()
    assert "groups        DCM 1, NOR 1" in text
    assert "LV cavity                    8" in text
    assert "not checked   mirrored and turned hearts: needs 5 subjects" in text
    assert text.rstrip().endswith(
        "check that it is the anatomy or the field of view, and not forgotten"
    )
    assert again["findings"][0]["kind"] == "intensity"


def test_a_case_that_cannot_be_read_is_told(acdc_folder: Path) -> None:
    broken = acdc_folder / "patient001" / "patient001_frame01.nii.gz"
    broken.write_bytes(b"")
    facts = inspect_dataset(f"acdc:{acdc_folder}")
    (unread,) = [f for f in facts.findings if f.kind == "unreadable"]
    assert unread.what.startswith(f"{broken}: the file is empty")
    assert (unread.subject, unread.severity) == ("patient001", "fault")
    assert facts.cases == 4
    for path in acdc_folder.rglob("*.nii.gz"):
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match=r"no case can be read; the first: .*the file is empty"):
        inspect_dataset(f"acdc:{acdc_folder}")


def test_without_labels_there_is_no_table(acdc_folder: Path) -> None:
    for path in acdc_folder.rglob("*_gt.nii.gz"):
        path.unlink()
    facts = inspect_dataset(f"acdc:{acdc_folder}")
    assert facts.frequencies == ()
    assert facts.case_shares["myocardium"] == ()
    assert "share" not in facts.to_text()


def test_real_hvsmr_patient(hvsmr_root: Path) -> None:
    facts = inspect_file(hvsmr_root / "training_axial_crop_pat4.nii.gz")
    assert facts.orientation == "PIR"
    assert facts.axes[2] == "axis 3 points to the patient's right; slices across it are sagittal"
    assert facts.native_plane.startswith("none")
    assert facts.notes == ()
    dataset = inspect_dataset(f"hvsmr:{hvsmr_root}")
    assert dataset.orientations == {"PIR": 1}


def test_real_acdc_patient(acdc_root: Path) -> None:
    path = acdc_root / "training" / "patient002" / "patient002_frame01.nii.gz"
    facts = inspect_file(path)
    assert facts.orientation == ""
    assert any("clipped, stored in 8 bits" in note for note in facts.notes)
