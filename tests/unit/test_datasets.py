"""What is particular to each layout: names, facts files, variants, label names; and real data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets import Dataset, read_dataset
from cardioseg.datasets.acdc import phase_and_group, read_acdc
from cardioseg.datasets.hvsmr import read_hvsmr, read_hvsmr_labels
from cardioseg.datasets.layout import images_by_stem
from cardioseg.datasets.nnunet import read_nnunet
from cardioseg.errors import DatasetError, LabelError
from cardioseg.io.nifti import write_labels

GRID = Geometry((2, 3, 4), np.eye(4))


def patient(folder: Path, info: str = "ED: 1\nES: 8\nGroup: NOR\n") -> Path:
    folder.mkdir(parents=True)
    (folder / "Info.cfg").write_text(info)
    for frame in ("01", "08", "05"):
        (folder / f"{folder.name}_frame{frame}.nii.gz").touch()
    return folder


def test_acdc_phase_group_and_frame_come_from_info(tmp_path: Path) -> None:
    patient(tmp_path / "patient001", "\n  ED : 1 \r\n\r\nES:8\nGroup:  DCM\nHeight: 184.0\n")
    facts = [(case.frame, case.phase, case.group) for case in read_acdc(tmp_path)]
    assert facts == [(1, "ED", "DCM"), (5, "", "DCM"), (8, "ES", "DCM")]


def test_acdc_claims_no_orientation(tmp_path: Path) -> None:
    patient(tmp_path / "patient001")
    assert not any(case.orientation_known for case in read_acdc(tmp_path))


def test_acdc_without_groups_has_none(tmp_path: Path) -> None:
    patient(tmp_path / "patient001", "ED: 1\nES: 8\n")
    assert {case.group for case in read_acdc(tmp_path)} == {""}


@pytest.mark.parametrize("info", ["", "ED: 1\n", "ED: first\nES: 8\n"])
def test_acdc_with_half_an_info_is_told(tmp_path: Path, info: str) -> None:
    patient(tmp_path / "patient001", info)
    with pytest.raises(DatasetError, match=r"patient001/Info\.cfg: no frame number 'E[DS]: N'"):
        read_acdc(tmp_path)


def test_acdc_patient_in_both_parts_is_refused(tmp_path: Path) -> None:
    patient(tmp_path / "training" / "patient001")
    patient(tmp_path / "testing" / "patient001")
    with pytest.raises(DatasetError, match="patient001 is there twice"):
        read_acdc(tmp_path)


def test_acdc_file_of_another_patient_is_refused(tmp_path: Path) -> None:
    (patient(tmp_path / "patient001") / "patient002_frame01.nii.gz").touch()
    with pytest.raises(DatasetError, match=r"patient002_frame01\.nii\.gz: a file of another pat"):
        read_acdc(tmp_path)


def test_acdc_patient_without_frames_is_told(tmp_path: Path) -> None:
    patient(tmp_path / "patient001")
    (tmp_path / "patient002").mkdir()
    with pytest.raises(DatasetError, match=r"patient002: expected patient002_frameNN\.nii\.gz, fo"):
        read_acdc(tmp_path)


def test_acdc_facts_of_one_case(tmp_path: Path) -> None:
    folder = patient(tmp_path / "patient001")
    assert phase_and_group(folder, "patient001_frame08") == ("ES", "NOR")
    assert phase_and_group(folder, "pat4") == ("", "")
    assert phase_and_group(tmp_path, "patient001_frame08") == ("", "")


def hvsmr(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.nii.gz").touch()
    return folder


def test_hvsmr_lists_one_variant_of_a_patient(tmp_path: Path) -> None:
    hvsmr(tmp_path, "training_axial_full_pat4", "training_axial_crop_pat4")
    assert [case.id for case in read_hvsmr(tmp_path)] == ["training_axial_crop_pat4"]
    assert [case.id for case in read_hvsmr(tmp_path, "full")] == ["training_axial_full_pat4"]


def test_hvsmr_takes_full_where_there_is_no_crop(tmp_path: Path) -> None:
    hvsmr(tmp_path, "training_axial_full_pat4")
    assert [case.id for case in read_hvsmr(tmp_path)] == ["training_axial_full_pat4"]
    with pytest.raises(DatasetError, match="no crop images, only full ones"):
        read_hvsmr(tmp_path, "crop")


def test_hvsmr_finds_labels_in_another_folder(tmp_path: Path) -> None:
    hvsmr(tmp_path / "images", "training_axial_crop_pat4")
    hvsmr(tmp_path / "labels", "training_axial_crop_pat4-label")
    (case,) = read_hvsmr(tmp_path)
    assert case.load_labels is not None


def test_hvsmr_copies_of_a_file_are_refused(tmp_path: Path) -> None:
    hvsmr(tmp_path / "a", "training_axial_crop_pat4")
    hvsmr(tmp_path / "b", "training_axial_crop_pat4")
    with pytest.raises(DatasetError, match="are the same file; remove one of them"):
        read_hvsmr(tmp_path)


def test_hvsmr_files_in_folders_of_their_names_are_found(tmp_path: Path) -> None:
    hvsmr(tmp_path / "training_axial_crop_pat4.nii.gz", "training_axial_crop_pat4")
    (case,) = read_hvsmr(tmp_path)
    assert case.id == "training_axial_crop_pat4"


def test_hvsmr_labels_alone_are_no_case_but_can_be_read(tmp_path: Path) -> None:
    labels = LabelMap(np.ones((2, 3, 4), np.uint8), GRID, MYOCARDIUM_BLOOD)
    write_labels(labels, tmp_path / "training_axial_full_pat9-label.nii.gz")
    with pytest.raises(DatasetError, match=r"expected \{training,testing\}_axial_\{crop,full\}"):
        read_hvsmr(tmp_path)
    found = read_hvsmr_labels(tmp_path)
    assert list(found) == ["training_axial_full_pat9"]
    assert found["training_axial_full_pat9"]().mask("myocardium").all()
    with pytest.raises(DatasetError, match="expected training_axial_crop_patN-label"):
        read_hvsmr_labels(tmp_path, "crop")


def nnunet(root: Path, labels: object, *names: str) -> str:
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(json.dumps({"labels": labels, "license": "CC0"}))
    for name in names or ("case_1_0000",):
        (root / "imagesTr" / f"{name}.nii.gz").touch()
    return f"nnunet:{root}"


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "RV": 3, "MYO": 2, "LV": 1},
        {"0": "background", "3": "right ventricle", "2": "LV_myocardium", "1": "left ventricle"},
        {"background": 0, "LVBP": 1, "LVM": 2, "RV": 3},
    ],
)
def test_nnunet_numbers_are_translated_by_name(tmp_path: Path, labels: dict[str, object]) -> None:
    spec = nnunet(tmp_path, labels)
    values = np.array([1, 2, 3], np.uint8).reshape(3, 1, 1)
    grid = Geometry((3, 1, 1), np.eye(4))
    write_labels(LabelMap(values, grid, ACDC), tmp_path / "labelsTr" / "case_1.nii.gz")
    dataset = read_dataset(spec)
    assert dataset.scheme == ACDC
    assert dataset.license == "CC0"
    assert dataset.cases[0].labels().array.ravel().tolist() == [3, 2, 1]


def test_nnunet_names_tell_the_phase(tmp_path: Path) -> None:
    labels = {"background": 0, "LVBP": 1, "LVM": 2, "RV": 3}
    spec = nnunet(tmp_path, labels, "A0S9V9_ED_0000", "A0S9V9_ES_0000", "b_DE_0000")
    cases = read_dataset(spec).cases
    assert [case.phase for case in cases] == ["ED", "ES", ""]
    assert [case.subject for case in cases] == ["A0S9V9", "A0S9V9", "b"]


def test_nnunet_of_eight_structures(tmp_path: Path) -> None:
    names = ["LV", "RV", "LA", "RA", "AO", "PA", "SVC", "IVC"]
    labels = {"background": 0, **{name: n for n, name in enumerate(names, 1)}}
    assert read_dataset(nnunet(tmp_path, labels)).scheme == HVSMR2


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"background": 0, "liver": 1}, "no scheme knows all of the labels liver; name the scheme"),
        (
            {"background": 0, "LV": 1, "RV": 2},
            r"several schemes know the labels LV, RV; .*acdc, hv",
        ),
        ({"background": 0, "heart": [1, 2]}, "no regions"),
        ({"background": 0, "RV": "one"}, "no regions"),
        (None, r"dataset\.json: labels: "),
    ],
)
def test_nnunet_labels_that_fit_no_scheme(tmp_path: Path, labels: object, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        read_dataset(nnunet(tmp_path, labels))


def test_nnunet_in_a_named_scheme_where_several_fit(tmp_path: Path) -> None:
    spec = nnunet(tmp_path, {"background": 0, "LV": 1, "RV": 2})
    assert read_dataset(spec, HVSMR2).scheme == HVSMR2


def test_nnunet_in_a_scheme_without_one_of_its_labels(tmp_path: Path) -> None:
    nnunet(tmp_path, {"background": 0, "LV": 1, "aorta": 2})
    with pytest.raises(DatasetError, match=r"dataset\.json: label 'aorta' is not in scheme acdc"):
        read_nnunet(tmp_path, ACDC)


def test_nnunet_with_several_channels_is_refused(tmp_path: Path) -> None:
    labels = {"background": 0, "myocardium": 1, "blood": 2}
    with pytest.raises(DatasetError, match="a second channel"):
        read_dataset(nnunet(tmp_path, labels, "case_0000", "case_0001"))
    with pytest.raises(DatasetError, match="expected a name such as CASE_0000"):
        read_dataset(nnunet(tmp_path / "b", labels, "case"))


def test_nnunet_without_images_is_told(tmp_path: Path) -> None:
    spec = nnunet(tmp_path, {"background": 0, "myocardium": 1, "blood": 2})
    (tmp_path / "imagesTr" / "case_1_0000.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"expected imagesTr/CASE_0000\.nii\.gz, found dataset"):
        read_dataset(spec)


@pytest.mark.parametrize("spec", ["", "acdc", "acdc:", "liver:folder", ":folder"])
def test_a_spec_without_a_known_kind_lists_the_kinds(spec: str) -> None:
    with pytest.raises(
        DatasetError, match=r"write one of acdc:FOLDER, camus:FOLDER, .*nnunet:FOLDER"
    ):
        read_dataset(spec)


def case(name: str) -> Case:
    zeros = np.zeros((2, 3, 4), np.float32)
    return Case(name, "s", load_image=lambda: Volume(zeros, GRID))


def test_a_data_set_has_cases_and_each_once() -> None:
    with pytest.raises(DatasetError, match="data set x has no case"):
        Dataset("x", (), ACDC, "CC0")
    with pytest.raises(DatasetError, match="data set x: two cases have the id a"):
        Dataset("x", (case("a"), case("a")), ACDC, "CC0")


def test_a_finer_scheme_is_refused() -> None:
    with pytest.raises(
        LabelError, match="labels of scheme myocardium_blood cannot be read as acdc"
    ):
        Dataset("x", (case("a"),), MYOCARDIUM_BLOOD, "CC0").read_as(ACDC)


def test_one_name_with_two_suffixes_is_refused(tmp_path: Path) -> None:
    for name in ("a.nii", "a.nii.gz"):
        (tmp_path / name).touch()
    with pytest.raises(DatasetError, match=r"a\.nii and a\.nii\.gz: remove one of them"):
        images_by_stem(tmp_path)


def test_real_acdc(acdc_root: Path) -> None:
    dataset = read_dataset(f"acdc:{acdc_root}")
    assert (len(dataset.subjects), len(dataset.cases)) == (80, 160)
    assert {case.phase for case in dataset.cases} == {"ED", "ES"}
    assert {case.group for case in dataset.cases} == {"NOR", "DCM", "HCM", "MINF", "RV"}
    image, labels = dataset.cases[0].pair()
    assert image.geometry.spacing[2] == pytest.approx(10.0)
    assert 50 < labels.volume_ml("LV cavity") < 500


def test_real_hvsmr(hvsmr_root: Path) -> None:
    (case,) = read_dataset(f"hvsmr:{hvsmr_root}").cases
    image, labels = case.pair()
    assert (case.subject, image.geometry.orientation) == ("pat4", "PIR")
    assert labels.volume_ml("blood pool") > labels.volume_ml("myocardium")
    assert len(read_hvsmr_labels(hvsmr_root)) == 7
