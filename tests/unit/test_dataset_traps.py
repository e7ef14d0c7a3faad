"""The known traps of the layouts of volumes: swapped numbers, stray values, absent anatomy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, LEFT_ATRIUM, MMWHS
from cardioseg.core.volume import LabelMap
from cardioseg.datasets import nnunet
from cardioseg.datasets.hvsmr2 import read_hvsmr2
from cardioseg.datasets.lasc import read_lasc
from cardioseg.datasets.mmwhs import read_mmwhs
from cardioseg.datasets.mnms import read_mnms
from cardioseg.datasets.mnms2 import read_mnms2
from cardioseg.datasets.msd import read_msd
from cardioseg.errors import DatasetError, LabelError
from cardioseg.io.images import read_labels, write_exact, write_labels
from cardioseg.phantom.cohort import phantom_case

GRID = Geometry((4, 5, 3), np.diag([1.4, 1.4, 8.0, 1.0]))


def numbers(path: Path, values: dict[int, int], frames: int = 1) -> None:
    """A label file with so many voxels of each value, in every frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = np.repeat(list(values), list(values.values())).astype(np.int16)
    array = np.zeros(60, np.int16)
    array[: len(flat)] = flat
    write_exact(GRID, [array.reshape(GRID.shape)] * frames, path)


def mnms(root: Path, table: str = "External code,ED,ES\nA,0,1\n", frames: int = 2) -> Path:
    numbers(root / "Testing" / "A" / "A_sa.nii.gz", {1: 9}, frames)
    numbers(root / "Testing" / "A" / "A_sa_gt.nii.gz", {1: 9, 2: 5, 3: 2}, frames)
    (root / "facts.csv").write_text(table)
    return root


def test_the_lv_of_mnms_is_1_and_of_acdc_3(tmp_path: Path) -> None:
    """Read as ACDC numbers them, the ventricles would be swapped without an error."""
    labels = read_mnms(mnms(tmp_path))[0].labels()
    ml = GRID.voxel_volume_mm3 / 1000
    assert labels.volume_ml("LV cavity") == pytest.approx(9 * ml)
    assert labels.volume_ml("RV cavity") == pytest.approx(2 * ml)
    numbers(tmp_path / "two" / "001_SA_ED.nii.gz", {1: 9})
    numbers(tmp_path / "two" / "001_SA_ED_gt.nii.gz", {1: 9, 2: 5, 3: 2})
    again = read_mnms2(tmp_path / "two")[0].labels()
    np.testing.assert_array_equal(again.array, labels.array)
    swapped = read_labels(tmp_path / "two" / "001_SA_ED_gt.nii.gz", ACDC)
    assert swapped.volume_ml("RV cavity") == labels.volume_ml("LV cavity")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("External code,ED,ES\nB,0,1\n", "the table has no row of A"),
        ("External code,ED,ES\nA,,1\n", "the table has no frame ED of A"),
        ("External code,ED,ES\nA,0\n", "the table has no frame ES of A"),
        ("External code,ED,ES\nA,0.5,1\n", "the table has no frame ED of A"),
        ("External code,ED\nA,0\n", "no table with the columns 'External code', 'ED' and 'ES'"),
    ],
)
def test_an_incomplete_table_of_mnms_is_told(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        read_mnms(mnms(tmp_path, table))


def test_a_frame_of_mnms_that_is_not_there_is_told_when_it_is_read(tmp_path: Path) -> None:
    ed, es = read_mnms(mnms(tmp_path, "External code,ED,ES\nA,0,2\n"))
    assert (ed.subject, ed.phase, es.phase) == ("A", "ED", "ES")
    ed.pair()
    for read in (es.image, es.labels):
        with pytest.raises(DatasetError, match="2 frames, and the table names frame 2, from 0"):
            read()


def test_the_empty_labels_of_mnms_unlabelled_patients_are_no_labels(tmp_path: Path) -> None:
    """Read as labels they would teach that a heart is background."""
    folder = mnms(tmp_path) / "Training" / "Unlabeled" / "B"
    for name in ("B_sa", "B_sa_gt"):
        numbers(folder / f"{name}.nii.gz", {0: 9}, frames=2)
    (tmp_path / "facts.csv").write_text("External code,ED,ES\nA,0,1\nB,0,1\n")
    labelled = {case.subject: case.load_labels is not None for case in read_mnms(tmp_path)}
    assert labelled == {"A": True, "B": False}


def test_frames_of_mnms_saved_with_a_decimal_point_are_frames(tmp_path: Path) -> None:
    ed, es = read_mnms(mnms(tmp_path, "External code,ED,ES\nA,0.0,1.0\n"))
    assert (ed.frame, es.frame) == (0, 1)


def test_a_patient_of_mnms_without_its_file_is_told(tmp_path: Path) -> None:
    (mnms(tmp_path) / "Testing" / "C").mkdir()
    with pytest.raises(DatasetError, match=r"C: expected C_sa\.nii\.gz"):
        read_mnms(tmp_path)


def test_long_axis_views_and_cines_of_mnms2_are_no_cases(tmp_path: Path) -> None:
    for name in ("007_SA_ED", "007_SA_ES", "007_LA_ED", "007_SA_CINE"):
        numbers(tmp_path / "007" / f"{name}.nii.gz", {1: 1})
    (tmp_path / "dataset_information.csv").write_text("SUBJECT_CODE,DISEASE\n7,ARR\n")
    cases = read_mnms2(tmp_path)
    assert [(case.id, case.subject, case.group) for case in cases] == [
        ("007_SA_ED", "007", "ARR"),
        ("007_SA_ES", "007", "ARR"),
    ]


def test_the_stray_421_of_mmwhs_is_left_atrium_and_422_is_told(tmp_path: Path) -> None:
    for case, values in (("1001", {420: 5, 421: 2}), ("1002", {420: 5, 422: 2})):
        numbers(tmp_path / f"mr_train_{case}_image.nii.gz", {1: 1})
        numbers(tmp_path / f"mr_train_{case}_label.nii.gz", values)
    first, second = read_mmwhs(tmp_path)
    assert np.count_nonzero(first.labels().mask("LA")) == 7
    with pytest.raises(LabelError, match=r"mr_train_1002_label.*label value 422 is unknown"):
        second.labels()


def test_a_heart_of_hvsmr2_without_rv_is_no_error(tmp_path: Path) -> None:
    numbers(tmp_path / "pat3_orig.nii.gz", {1: 1})
    numbers(tmp_path / "pat3_orig_seg.nii.gz", {1: 9, 3: 4})
    labels = read_hvsmr2(tmp_path)[0].labels()
    assert labels.volume_ml("RV") == 0
    assert labels.volume_ml("LV") > 0


def test_one_variant_of_hvsmr2_is_listed_and_norm_has_the_labels_of_cropped(tmp_path: Path) -> None:
    for name in ("pat3_orig", "pat3_cropped", "pat3_cropped_norm", "pat3_cropped_seg"):
        numbers(tmp_path / f"{name}.nii.gz", {1: 1})
    assert [case.id for case in read_hvsmr2(tmp_path)] == ["pat3_cropped"]
    (norm,) = read_hvsmr2(tmp_path, "cropped_norm")
    assert norm.labels().scheme == HVSMR2
    (whole,) = read_hvsmr2(tmp_path, "orig")
    assert whole.load_labels is None
    (tmp_path / "pat3_orig.nii.gz").unlink()
    with pytest.raises(DatasetError, match="no orig images; there are: cropped_norm, cropped"):
        read_hvsmr2(tmp_path, "orig")


def test_another_task_of_msd_is_told(tmp_path: Path) -> None:
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "dataset.json").write_text('{"labels": {"0": "background", "1": "liver"}}')
    with pytest.raises(DatasetError, match="not those of Task02_Heart"):
        read_msd(tmp_path)


def test_lasc_foreground_is_255_and_a_copied_scan_is_told(tmp_path: Path) -> None:
    for part in ("one", "two"):
        numbers(tmp_path / part / "ABC" / "lgemri.nrrd", {1: 1})
        numbers(tmp_path / part / "ABC" / "laendo.nrrd", {255: 6})
    (case,) = read_lasc(tmp_path / "one")
    assert np.count_nonzero(case.labels().mask("LA")) == 6
    with pytest.raises(DatasetError, match="have one name"):
        read_lasc(tmp_path)


def test_a_phantom_in_the_numbers_of_mnms_is_the_phantom(tmp_path: Path) -> None:
    """Myocardium encloses the cavity that the reader calls LV."""
    truth = phantom_case(0, 0, size=64).labels()
    own = np.array([0, 3, 2, 1], np.uint8)[truth.array]
    (tmp_path / "001_SA_ED.nii.gz").parent.mkdir(exist_ok=True)
    write_labels(LabelMap(own, truth.geometry, ACDC), tmp_path / "001_SA_ED_gt.nii.gz")
    write_labels(LabelMap(own, truth.geometry, ACDC), tmp_path / "001_SA_ED.nii.gz")
    labels = read_mnms2(tmp_path)[0].labels()
    np.testing.assert_array_equal(labels.array, truth.array)


def test_labels_by_name_choose_the_scheme_that_they_fill() -> None:
    """New schemes share names with old ones: ACDC in nnU-Net's layout stays ACDC."""
    for names, scheme in (
        (("RV", "myocardium", "LV"), ACDC),
        (("LV", "RV", "LA", "RA", "myocardium", "aorta", "pulmonary artery"), MMWHS),
        (("left atrium",), LEFT_ATRIUM),
    ):
        labels = {name: value for value, name in enumerate(names, start=1)}
        description = nnunet.Description("", "", "", labels)
        assert nnunet.own_scheme(description, "folder", None) == scheme
