"""What every reader of a data set promises; a new reader joins with one function in LAYOUTS."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from tests.sunnybrook_folder import write_sunnybrook

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import (
    ACDC,
    CAMUS,
    EMIDEC,
    FOREGROUND,
    HVSMR2,
    LEFT_ATRIUM,
    LEFT_VENTRICLE,
    MMWHS,
    MYOCARDIUM_BLOOD,
    MYOPS,
    LabelScheme,
    scheme_named,
)
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets import READERS, read_dataset
from cardioseg.datasets import mmwhs as mmwhs_reader
from cardioseg.datasets import mnms as mnms_reader
from cardioseg.datasets import myops as myops_reader
from cardioseg.datasets.layout import IMAGE_SUFFIXES
from cardioseg.errors import DatasetError, FormatError
from cardioseg.io.images import write_exact, write_frames, write_labels, write_volume

SHAPE = (10, 5, 4)
IMAGE_ENDS = (*IMAGE_SUFFIXES, ".png", ".dcm")


@dataclass(frozen=True)
class Layout:
    """A tiny data set on disk, and what its reader must find.

    `cases` are id and subject; `unlabelled` are the ids without reference labels; `needed` is a
    file or folder without which the folder is no such data set.
    """

    kind: str
    folder: Path
    scheme: LabelScheme
    cases: tuple[tuple[str, str], ...]
    unlabelled: tuple[str, ...]
    needed: str

    @property
    def spec(self) -> str:
        return f"{self.kind}:{self.folder}"


def image(path: Path, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(len(path.name)).random(SHAPE, np.float32)
    write_volume(Volume(array, Geometry(SHAPE, affine)), path)


def labels(path: Path, affine: np.ndarray, scheme: LabelScheme) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_labels(LabelMap(every_structure(scheme), Geometry(SHAPE, affine), scheme), path)


def source_labels(
    path: Path,
    affine: np.ndarray,
    scheme: LabelScheme,
    own: Mapping[int, int],
    filled: tuple[bool, ...] = (True,),
) -> None:
    """Labels in the data set's own numbers, in the filled ones of its frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = every_structure(scheme)
    numbers = np.zeros(SHAPE, np.int16)
    for source, value in own.items():
        numbers[array == value] = source
    write_exact(Geometry(SHAPE, affine), [numbers * each for each in filled], path)


def every_structure(scheme: LabelScheme) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    array[1 : 1 + len(scheme.structures), 1:4] = np.arange(1, scheme.class_count)[:, None, None]
    return array


def acdc(root: Path) -> Layout:
    affine = np.diag([1.4, 1.4, 10.0, 1.0])
    for part, patient, es in (("training", "patient002", 12), ("testing", "patient101", 9)):
        folder = root / part / patient
        for frame in (1, es):
            image(folder / f"{patient}_frame{frame:02d}.nii.gz", affine)
        labels(folder / f"{patient}_frame01_gt.nii.gz", affine, ACDC)
        (folder / f"{patient}_4d.nii.gz").write_bytes(b"not read")
        (folder / "Info.cfg").write_text(f"ED: 1\nES: {es}\nGroup: DCM\n")
    cases = (
        ("patient002_frame01", "patient002"),
        ("patient002_frame12", "patient002"),
        ("patient101_frame01", "patient101"),
        ("patient101_frame09", "patient101"),
    )
    unlabelled = ("patient002_frame12", "patient101_frame09")
    return Layout("acdc", root, ACDC, cases, unlabelled, "training/patient002/Info.cfg")


def hvsmr(root: Path) -> Layout:
    affine = np.array([[0, 0, 0.65, -42], [-1.05, 0, 0, 22], [0, -1.05, 0, 87], [0, 0, 0, 1.0]])
    for name in (
        "training_axial_crop_pat0",
        "training_axial_crop_pat4",
        "testing_axial_crop_pat10",
    ):
        image(root / f"{name}.nii.gz", affine)
    for name in ("training_axial_crop_pat0", "training_axial_crop_pat4"):
        labels(root / f"{name}-label.nii.gz", affine, MYOCARDIUM_BLOOD)
    image(root / "training_axial_full_pat4.nii.gz", affine)
    labels(root / "labels_full" / "training_axial_full_pat9-label.nii.gz", affine, MYOCARDIUM_BLOOD)
    cases = (
        ("testing_axial_crop_pat10", "pat10"),
        ("training_axial_crop_pat0", "pat0"),
        ("training_axial_crop_pat4", "pat4"),
    )
    unlabelled = ("testing_axial_crop_pat10",)
    return Layout("hvsmr", root, MYOCARDIUM_BLOOD, cases, unlabelled, "")


def nnunet(root: Path) -> Layout:
    affine = np.array([[0, 1.4, 0, 3], [-1.4, 0, 0, 5], [0, 0, 8, 7], [0, 0, 0, 1.0]])
    for name in ("patient001_frame01", "patient001_frame12", "patient007_frame01"):
        image(root / "imagesTr" / f"{name}_0000.nii.gz", affine)
        labels(root / "labelsTr" / f"{name}.nii.gz", affine, ACDC)
    image(root / "imagesTs" / "patient009_frame01_0000.nii.gz", affine)
    facts = {
        "channel_names": {"0": "cineMRI"},
        "labels": {"background": 0, "RV": 1, "MLV": 2, "LVC": 3},
        "numTraining": 3,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(facts))
    cases = (
        ("patient001_frame01", "patient001"),
        ("patient001_frame12", "patient001"),
        ("patient007_frame01", "patient007"),
        ("patient009_frame01", "patient009"),
    )
    return Layout("nnunet", root, ACDC, cases, ("patient009_frame01",), "dataset.json")


def hvsmr2(root: Path) -> Layout:
    affine = np.array([[0, 0, 0.9, -42], [-0.8, 0, 0, 22], [0, -0.8, 0, 87], [0, 0, 0, 1.0]])
    for variant in ("orig", "cropped", "cropped_norm"):
        for patient in ("pat0", "pat12"):
            image(root / variant / f"{patient}_{variant}.nii.gz", affine)
            if variant != "cropped_norm" and patient == "pat0":
                labels(root / variant / f"{patient}_{variant}_seg.nii.gz", affine, HVSMR2)
                labels(root / variant / f"{patient}_{variant}_seg_endpoints.nii.gz", affine, HVSMR2)
    (root / "hvsmr_clinical.csv").write_text("Pat,Category\n0,simple\n")
    cases = (("pat0_cropped", "pat0"), ("pat12_cropped", "pat12"))
    return Layout("hvsmr2", root, HVSMR2, cases, ("pat12_cropped",), "")


def lasc(root: Path) -> Layout:
    affine = np.diag([-0.625, -0.625, 0.625, 1.0])
    for part, name in (("Training Set", "0RZDK210BSMWAA6467LU"), ("Testing Set", "4SLROJZ1V82Q")):
        image(root / part / name / "lgemri.nrrd", affine)
    path = root / "Training Set" / "0RZDK210BSMWAA6467LU" / "laendo.nrrd"
    source_labels(path, affine, LEFT_ATRIUM, {255: 1})
    cases = tuple((name, name) for name in ("0RZDK210BSMWAA6467LU", "4SLROJZ1V82Q"))
    return Layout("lasc", root, LEFT_ATRIUM, cases, ("4SLROJZ1V82Q",), "")


def mmwhs(root: Path) -> Layout:
    affine = np.array([[0, 0, 1.1, -42], [-0.9, 0, 0, 22], [0, -0.9, 0, 87], [0, 0, 0, 1.0]])
    for name in ("mr_train/mr_train_1001", "mr_test/mr_test_2001", "ct_train/ct_train_1001"):
        image(root / f"{name}_image.nii.gz", affine)
    own = mmwhs_reader.SOURCE_VALUES
    source_labels(root / "mr_train" / "mr_train_1001_label.nii.gz", affine, MMWHS, own)
    cases = (("mr_test_2001", "mr_test_2001"), ("mr_train_1001", "mr_train_1001"))
    return Layout("mmwhs", root, MMWHS, cases, ("mr_test_2001",), "")


def mnms(root: Path) -> Layout:
    affine = np.array([[0, 1.2, 0, 3], [-1.2, 0, 0, 5], [0, 0, 9.6, 7], [0, 0, 0, 1.0]])
    grid = Geometry(SHAPE, affine)
    for part, name in (("Training/Labeled", "A0S9V9"), ("Training/Unlabeled", "B2C5E7")):
        folder = root / part / name
        folder.mkdir(parents=True)
        still = Volume(np.random.default_rng(len(part)).random(SHAPE, np.float32), grid)
        write_frames([still] * 3, folder / f"{name}_sa.nii.gz")
    own = mnms_reader.SOURCE_VALUES
    path = root / "Training" / "Labeled" / "A0S9V9" / "A0S9V9_sa_gt.nii.gz"
    source_labels(path, affine, ACDC, own, filled=(False, True, True))
    rows = "External code,Vendor,Pathology,ED,ES\nA0S9V9,A,HCM,2,1\nB2C5E7,B,NOR,2,1\n"
    (root / mnms_reader.TABLE).write_text(rows)
    cases = tuple(
        (f"{name}_frame{frame:02d}", name) for name in ("A0S9V9", "B2C5E7") for frame in (1, 2)
    )
    unlabelled = ("B2C5E7_frame01", "B2C5E7_frame02")
    return Layout("mnms", root, ACDC, cases, unlabelled, mnms_reader.TABLE)


def mnms2(root: Path) -> Layout:
    affine = np.array([[0, 1.2, 0, 3], [-1.2, 0, 0, 5], [0, 0, 9.6, 7], [0, 0, 0, 1.0]])
    own = mnms_reader.SOURCE_VALUES
    for patient in ("001", "161"):
        for view in ("SA", "LA"):
            for phase in ("ED", "ES"):
                name = root / "dataset" / patient / f"{patient}_{view}_{phase}"
                image(Path(f"{name}.nii.gz"), affine)
                if patient == "001":
                    source_labels(Path(f"{name}_gt.nii.gz"), affine, ACDC, own)
    (root / "dataset_information.csv").write_text("SUBJECT_CODE,DISEASE\n1,HCM\n161,TRI\n")
    cases = tuple((f"{p}_SA_{phase}", p) for p in ("001", "161") for phase in ("ED", "ES"))
    return Layout("mnms2", root, ACDC, cases, ("161_SA_ED", "161_SA_ES"), "")


def msd(root: Path) -> Layout:
    affine = np.diag([1.25, 1.25, 1.37, 1.0])
    for name in ("imagesTr/la_003", "imagesTr/la_004", "imagesTs/la_001"):
        image(root / f"{name}.nii.gz", affine)
    for name in ("la_003", "la_004"):
        labels(root / "labelsTr" / f"{name}.nii.gz", affine, LEFT_ATRIUM)
    facts = {"name": "LeftAtrium", "labels": {"0": "background", "1": "left atrium"}}
    (root / "dataset.json").write_text(json.dumps(facts))
    cases = tuple((name, name) for name in ("la_001", "la_003", "la_004"))
    return Layout("msd", root, LEFT_ATRIUM, cases, ("la_001",), "dataset.json")


def emidec(root: Path) -> Layout:
    affine = np.diag([1.5, 1.5, 8.0, 1.0])
    for name in ("Case_N006", "Case_P042", "Case_103"):
        image(root / name / "Images" / f"{name}.nii.gz", affine)
        if name != "Case_103":
            labels(root / name / "Contours" / f"{name}.nii.gz", affine, EMIDEC)
        (root / f"{name.replace('_', ' ')}.txt").write_text("Age : 60\n")
    cases = tuple((name, name) for name in ("Case_103", "Case_N006", "Case_P042"))
    return Layout("emidec", root, EMIDEC, cases, ("Case_103",), "")


def myops(root: Path) -> Layout:
    affine = np.diag([0.75, 0.75, 12.0, 1.0])
    for part, name in (("train25", "myops_training_101"), ("test20", "myops_test_201")):
        for sequence in ("C0", "DE", "T2"):
            image(root / part / f"{name}_{sequence}.nii.gz", affine)
    path = root / "train25_myops_gd" / "myops_training_101_gd.nii.gz"
    source_labels(path, affine, MYOPS, myops_reader.SOURCE_VALUES)
    cases = tuple(
        (f"{name}_{sequence}", name)
        for name in ("myops_test_201", "myops_training_101")
        for sequence in ("C0", "DE", "T2")
    )
    return Layout("myops", root, MYOPS, cases, tuple(c for c, s in cases if "test" in s), "")


def camus(root: Path) -> Layout:
    """Pictures of two axes as ITK writes them, which is how the set is said to have been made."""
    seed = 0
    for patient in ("patient0001", "patient0451"):
        folder = root / "database_nifti" / patient
        folder.mkdir(parents=True)
        for view in ("2CH", "4CH"):
            for phase in ("ED", "ES"):
                seed += 1
                array = np.random.default_rng(seed).integers(0, 256, SHAPE[1::-1]).astype(np.uint8)
                flat(folder / f"{patient}_{view}_{phase}.nii.gz", array)
                if patient == "patient0001":
                    values = every_structure(CAMUS)[..., 1].T
                    flat(folder / f"{patient}_{view}_{phase}_gt.nii.gz", values)
            half = SimpleITK.GetImageFromArray(np.zeros((3, *SHAPE[1::-1]), np.uint8))
            SimpleITK.WriteImage(half, str(folder / f"{patient}_{view}_half_sequence.nii.gz"))
            (folder / f"Info_{view}.cfg").write_text("ED: 1\nES: 9\nImageQuality: Good\n")
    cases = tuple(
        (f"{patient}_{view}_{phase}", patient)
        for patient in ("patient0001", "patient0451")
        for view in ("2CH", "4CH")
        for phase in ("ED", "ES")
    )
    return Layout("camus", root, CAMUS, cases, tuple(c for c, s in cases if "0451" in s), "")


def flat(path: Path, array: np.ndarray) -> None:
    picture = SimpleITK.GetImageFromArray(array)
    picture.SetSpacing((0.308, 0.308))
    SimpleITK.WriteImage(picture, str(path))


def png(root: Path) -> Layout:
    for part in ("images", "masks"):
        (root / part / "dish1").mkdir(parents=True)
    mask = every_structure(FOREGROUND)[..., 1].T * np.uint8(255)
    for seed, name in enumerate(("dish1/t000", "dish1/t001", "cell7_frame02", "lonely")):
        grey = np.random.default_rng(seed).integers(0, 256, mask.shape).astype(np.uint8)
        Image.fromarray(grey).save(root / "images" / f"{name}.png", dpi=(50.8, 50.8))
        if name != "lonely":
            Image.fromarray(mask).save(root / "masks" / f"{name}.png", dpi=(50.8, 50.8))
    cases = (
        ("cell7_frame02", "cell7"),
        ("dish1_t000", "dish1"),
        ("dish1_t001", "dish1"),
        ("lonely", "lonely"),
    )
    return Layout("png", root, FOREGROUND, cases, ("lonely",), "")


def sunnybrook(root: Path) -> Layout:
    write_sunnybrook(root, {"SC-HF-I-01": "SCD0000101", "SC-N-09": "SCD0004201"})
    cases = tuple((name, name) for name in ("SC-HF-I-01", "SC-N-09"))
    return Layout("sunnybrook", root, LEFT_VENTRICLE, cases, (), "scd_patientdata.csv")


LAYOUTS: tuple[Callable[[Path], Layout], ...] = (
    acdc,
    camus,
    emidec,
    hvsmr,
    hvsmr2,
    lasc,
    mmwhs,
    mnms,
    mnms2,
    msd,
    myops,
    nnunet,
    png,
    sunnybrook,
)


@pytest.fixture(params=LAYOUTS, ids=lambda make: make.__name__)
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Layout:
    found: Layout = request.param(tmp_path / "data")
    return found


def images_of(layout: Layout) -> list[Path]:
    return [path for path in layout.folder.rglob("*") if path.name.endswith(IMAGE_ENDS)]


def test_every_reader_takes_part() -> None:
    assert [make.__name__ for make in LAYOUTS] == [name for name, _ in READERS]


def test_lists_all_cases_once_sorted_with_their_subjects(layout: Layout) -> None:
    dataset = read_dataset(layout.spec)
    assert tuple((case.id, case.subject) for case in dataset.cases) == layout.cases
    assert [case.id for case in dataset.cases] == sorted({case.id for case in dataset.cases})
    assert dataset.subjects == tuple(sorted({subject for _, subject in layout.cases}))


def test_says_under_which_terms_it_came(layout: Layout) -> None:
    dataset = read_dataset(layout.spec)
    assert dataset.license
    assert dataset.scheme == layout.scheme


def test_listing_opens_no_image(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    for owner, name in ((Path, "open"), (builtins, "open")):
        original = getattr(owner, name)

        def spy(
            path: object, *rest: object, original: object = original, **named: object
        ) -> object:
            opened.append(str(path))
            return original(path, *rest, **named)  # type: ignore[operator]

        monkeypatch.setattr(owner, name, spy)
    dataset = read_dataset(layout.spec)
    assert [path for path in opened if path.endswith(IMAGE_ENDS)] == []
    # The spy sees what is opened: reading one case afterwards shows up.
    dataset.cases[0].image()
    assert [path for path in opened if path.endswith(IMAGE_ENDS)] != []


def test_listing_survives_damaged_images_and_reading_tells(layout: Layout) -> None:
    for path in images_of(layout):
        path.write_bytes(b"")
    dataset = read_dataset(layout.spec)
    assert len(dataset.cases) == len(layout.cases)
    with pytest.raises(FormatError, match="the file is empty"):
        dataset.cases[0].image()


def test_labels_hold_values_of_the_scheme_on_the_images_grid(layout: Layout) -> None:
    for case in read_dataset(layout.spec).cases:
        if case.load_labels is None:
            continue
        volume, reference = case.pair()
        np.testing.assert_allclose(volume.geometry.affine, reference.geometry.affine, atol=1e-5)
        assert reference.scheme == layout.scheme
        assert set(np.unique(reference.array)) == set(range(layout.scheme.class_count))


def test_frames_without_labels_are_cases_without_labels(layout: Layout) -> None:
    cases = read_dataset(layout.spec).cases
    assert tuple(case.id for case in cases if case.load_labels is None) == layout.unlabelled
    for case in cases:
        if case.id in layout.unlabelled:
            with pytest.raises(DatasetError, match=f"case {case.id} has no reference labels"):
                case.labels()


def test_labels_are_read_in_a_coarser_scheme(layout: Layout) -> None:
    coarser = scheme_named(next(iter(layout.scheme.merges), layout.scheme.name))
    cases = read_dataset(layout.spec, coarser).cases
    first = next(case for case in cases if case.load_labels is not None)
    assert first.labels().scheme == coarser
    expected = set(layout.scheme.merge_table(coarser).tolist())
    assert set(np.unique(first.labels().array)) == expected


def test_reading_twice_gives_the_same(layout: Layout) -> None:
    case = read_dataset(layout.spec).cases[0]
    np.testing.assert_array_equal(case.image().array, case.image().array)


def test_leftovers_of_a_broken_write_are_no_cases(layout: Layout) -> None:
    for path in images_of(layout):
        path.with_name(f".{path.name}").write_bytes(b"half")
    assert len(read_dataset(layout.spec).cases) == len(layout.cases)


def test_a_missing_folder_is_told(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="absent: no such folder"):
        read_dataset(f"{layout.kind}:{tmp_path / 'absent'}")


def test_a_file_in_place_of_the_folder_is_told(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"file: a file; name the .* folder that holds it"):
        read_dataset(f"{layout.kind}:{tmp_path / 'file'}")


def test_an_empty_folder_is_told(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty: expected .*, found nothing"):
        read_dataset(f"{layout.kind}:{tmp_path / 'empty'}")


def test_another_layout_is_told_with_what_was_found(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for name in ("holiday.jpg", "notes.txt"):
        (tmp_path / "other" / name).touch()
    with pytest.raises(DatasetError, match=r"other: expected .*, found holiday\.jpg, notes\.txt"):
        read_dataset(f"{layout.kind}:{tmp_path / 'other'}")


def test_a_missing_description_is_told(layout: Layout) -> None:
    if not layout.needed:
        pytest.skip("this layout has no file of facts")
    (layout.folder / layout.needed).unlink()
    with pytest.raises(DatasetError, match=Path(layout.needed).name):
        read_dataset(layout.spec)
