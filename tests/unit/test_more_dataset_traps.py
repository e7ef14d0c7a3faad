"""The traps of EMIDEC, MyoPS, CAMUS, folders of pictures and Sunnybrook, on phantom hearts."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from skimage.measure import find_contours
from tests.sunnybrook_folder import (
    CAVITY,
    ED,
    EPICARDIUM,
    ES,
    GRID,
    contours_of,
    number,
    write_cine,
    write_contour,
    write_sunnybrook,
)

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, FOREGROUND, LEFT_VENTRICLE, MYOPS
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets import read_dataset
from cardioseg.datasets.camus import read_camus
from cardioseg.datasets.emidec import read_emidec
from cardioseg.datasets.myops import read_myops
from cardioseg.datasets.pictures import read_pictures
from cardioseg.datasets.sunnybrook import read_sunnybrook
from cardioseg.errors import DatasetError, FormatError, LabelError, ReadWarning
from cardioseg.io.dicom import find_series, read_series
from cardioseg.io.images import write_exact, write_volume
from cardioseg.phantom.cohort import phantom_case


@pytest.fixture(scope="module")
def heart() -> tuple[Volume, LabelMap]:
    """A phantom's short-axis stack in ACDC's numbers: 1 RV cavity, 2 wall, 3 LV cavity."""
    case = phantom_case(0, 0, size=64)
    return case.image(), case.labels()


def written(path: Path, geometry: Geometry, numbers: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_exact(geometry, [numbers.astype(np.int16)], path)


def with_lesion(labels: LabelMap, wall: int, lesion: int) -> np.ndarray:
    """The wall's front half has the lesion's number."""
    array = np.zeros(labels.array.shape, np.int16)
    array[labels.mask("myocardium")] = wall
    array[labels.mask("myocardium") & (np.indices(array.shape)[0] < 32)] = lesion
    return array


def test_the_wall_of_emidec_is_healthy_infarcted_and_not_reflowed_muscle(
    heart: tuple[Volume, LabelMap], tmp_path: Path
) -> None:
    """Read as its number 2 alone, the wall of an infarcted heart would have a hole."""
    image, labels = heart
    numbers = with_lesion(labels, 2, 3) + labels.mask("LV cavity")
    for part, values in (("Images", image.array), ("Contours", numbers)):
        written(tmp_path / "Case_P001" / part / "Case_P001.nii.gz", image.geometry, values)
    (case,) = read_dataset(f"emidec:{tmp_path}").cases
    assert (case.id, case.group) == ("Case_P001", "pathological")
    found = case.labels()
    assert 0 < found.volume_ml("infarct") < labels.volume_ml("myocardium")
    assert found.volume_ml("no-reflow") == 0
    wall = found.read_as(LEFT_VENTRICLE)
    np.testing.assert_array_equal(wall.mask("myocardium"), labels.mask("myocardium"))
    np.testing.assert_array_equal(wall.mask("LV cavity"), labels.mask("LV cavity"))
    with pytest.raises(LabelError, match="cannot be read as acdc"):  # it has no RV: not labelled
        found.read_as(ACDC)


def test_emidec_without_image_or_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "a" / "Case_N001" / "Images").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"Images: expected Case_N001\.nii\.gz, found nothing"):
        read_emidec(tmp_path)
    (tmp_path / "b" / "Case_N001" / "Images").mkdir(parents=True)
    with pytest.raises(DatasetError, match="Case_N001 is there twice"):
        read_emidec(tmp_path)


def test_myops_numbers_become_acdcs_with_the_whole_wall(
    heart: tuple[Volume, LabelMap], tmp_path: Path
) -> None:
    image, labels = heart
    numbers = with_lesion(labels, 200, 2221)
    numbers[labels.mask("LV cavity")], numbers[labels.mask("RV cavity")] = 500, 600
    for sequence in ("C0", "DE", "T2"):
        path = tmp_path / "train25" / f"myops_training_101_{sequence}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        write_volume(image, path)
    written(tmp_path / "gd" / "myops_training_101_gd.nii.gz", image.geometry, numbers)
    cases = read_myops(tmp_path)
    assert {case.subject for case in cases} == {"myops_training_101"}
    found = cases[1].labels()
    assert found.scheme == MYOPS
    assert found.volume_ml("scar") > 0
    np.testing.assert_array_equal(found.read_as(ACDC).array, labels.array)


def test_an_unknown_number_of_myops_and_its_encrypted_labels(tmp_path: Path) -> None:
    grid = Geometry((4, 5, 3), np.eye(4))
    for name in ("myops_test_201_DE", "myops_test_201_gdencrypt"):
        written(tmp_path / f"{name}.nii.gz", grid, np.ones(grid.shape))
    (case,) = read_myops(tmp_path)
    assert case.load_labels is None
    written(tmp_path / "myops_test_201_gd.nii.gz", grid, np.full(grid.shape, 2220))
    with pytest.raises(LabelError, match="label value 2220 is unknown"):
        read_myops(tmp_path)[0].labels()


def test_a_sequence_of_camus_is_no_stack_and_its_pictures_have_no_sides(tmp_path: Path) -> None:
    """Its third axis is time: read as a volume it would have slices and a volume in ml."""
    folder = tmp_path / "patient0001"
    folder.mkdir()
    for name in ("2CH_ED", "2CH_half_sequence", "2CH_half_sequence_gt", "2CH_sequence"):
        picture = SimpleITK.GetImageFromArray(np.ones((6, 5), np.uint8))
        SimpleITK.WriteImage(picture, str(folder / f"patient0001_{name}.nii.gz"))
    (case,) = read_camus(tmp_path)
    assert (case.id, case.orientation_known) == ("patient0001_2CH_ED", False)
    assert case.image().geometry.shape == (5, 6, 1)
    (folder / "patient0002_2CH_ED.nii.gz").touch()
    with pytest.raises(DatasetError, match="a file of another patient"):
        read_camus(tmp_path)


def test_camus_as_metaimage_of_the_challenge(tmp_path: Path) -> None:
    """There a picture has three axes, and columns and rows of different size."""
    picture = SimpleITK.GetImageFromArray(np.arange(30, dtype=np.uint8).reshape(1, 6, 5))
    picture.SetSpacing((0.308, 0.154, 1.54))
    (tmp_path / "patient0001").mkdir()
    SimpleITK.WriteImage(picture, str(tmp_path / "patient0001" / "patient0001_4CH_ES.mhd"))
    (case,) = read_camus(tmp_path)
    image = case.image()
    assert image.geometry.spacing == pytest.approx((0.308, 0.154, 1.54))
    assert image.geometry.native_axis == 2


def mask_folder(root: Path, values: np.ndarray, *names: str) -> Path:
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True, exist_ok=True)
        for name in names:
            array = values if part == "masks" else np.arange(values.size).reshape(values.shape)
            Image.fromarray(array.astype(np.uint8)).save(root / part / f"{name}.png")
    return root


def test_a_folder_without_pixel_size_is_told_once(tmp_path: Path) -> None:
    cases = read_pictures(mask_folder(tmp_path, np.eye(6) * 255, "a", "b"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for case in cases:
            case.pair()
    assert {str(each.message) for each in told} == {
        f"{tmp_path}: no pixel size in the file: a pixel counts as 1 mm"
    }
    assert all(each.category is ReadWarning for each in told)


@pytest.mark.filterwarnings("ignore::cardioseg.errors.ReadWarning")
def test_masks_of_several_structures_are_named_by_dataset_json(tmp_path: Path) -> None:
    values = np.arange(36).reshape(6, 6) % 4
    mask_folder(tmp_path, values, "a")
    with pytest.raises(LabelError, match="label values 2, 3 are not in scheme foreground"):
        read_dataset(f"png:{tmp_path}").cases[0].labels()
    names = {"background": 0, "LV": 1, "MYO": 2, "RV": 3}
    facts = {"labels": names, "license": "CC0", "name": "slices"}
    (tmp_path / "dataset.json").write_text(json.dumps(facts))
    dataset = read_dataset(f"png:{tmp_path}")
    assert (dataset.scheme, dataset.license, dataset.name) == (ACDC, "CC0", "slices")
    np.testing.assert_array_equal(
        dataset.cases[0].labels().array[..., 0].T, np.array([0, 3, 2, 1])[values]
    )


def test_a_mask_without_picture_and_one_name_twice_are_told(tmp_path: Path) -> None:
    mask_folder(tmp_path, np.eye(4), "a")
    (tmp_path / "masks" / "b.png").touch()
    with pytest.raises(DatasetError, match=r"b\.png: a mask without a picture of its name"):
        read_pictures(tmp_path)
    (tmp_path / "masks" / "b.png").unlink()
    mask_folder(tmp_path / "images", np.eye(4), "x")  # images/images/x.png, images/masks/x.png
    (tmp_path / "images" / "masks_x.png").write_bytes(b"")
    with pytest.raises(DatasetError, match="two cases have the id masks_x"):
        read_dataset(f"png:{tmp_path}")


def test_foreground_is_not_read_as_a_heart(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="foreground cannot be read as acdc"):
        read_dataset(f"png:{mask_folder(tmp_path, np.eye(4), 'a')}", FOREGROUND).read_as(ACDC)


def phantom_contours(labels: LabelMap, folder: Path) -> None:
    """Both contours of each slice that has cavity, in pixels as Sunnybrook writes them."""
    lumen = labels.mask("LV cavity")
    for k in np.flatnonzero(lumen.any(axis=(0, 1))):
        for kind, mask in (("i", lumen), ("o", lumen | labels.mask("myocardium"))):
            # Rows and columns, as an image on the screen.
            (outline, *_) = find_contours(mask[:, :, k].T.astype(float), 0.5)
            write_contour(folder, number(int(k), 0, 1), kind, outline[:, ::-1])


def test_a_phantoms_contours_give_the_phantoms_labels(
    heart: tuple[Volume, LabelMap], tmp_path: Path
) -> None:
    """Through DICOM, text and back: rows are not taken for columns, and slices keep their order."""
    image, labels = heart
    frames = np.round(image.array[None] * 1000 / image.array.max()).astype(np.uint16)
    write_cine(tmp_path / "SC-N-01" / "CINESAX_1", frames, image.geometry)
    phantom_contours(labels, tmp_path / "SC-N-01" / "contours-manual")
    (case,) = read_sunnybrook(tmp_path)
    volume, found = case.pair()
    expected = labels.read_as(LEFT_VENTRICLE)
    kept = labels.mask("LV cavity").any(axis=(0, 1))
    # DICOM's slices follow the images' normal, the phantom's may run the other way.
    same_way = np.allclose(volume.geometry.directions, image.geometry.directions, atol=1e-4)
    order = np.flatnonzero(kept)[:: 1 if same_way else -1]
    np.testing.assert_array_equal(found.array, expected.array[:, :, order])
    np.testing.assert_array_equal(volume.array, frames[0][:, :, order])
    assert (case.group, case.phase) == ("N", "ED")


def test_es_is_left_out_as_its_wall_is_not_drawn(tmp_path: Path) -> None:
    write_sunnybrook(tmp_path, {"SC-HF-I-01": "SCD0000101"})
    (case,) = read_sunnybrook(tmp_path)
    volume, labels = case.pair()
    series = [s for s in find_series(tmp_path / "SCD_IMAGES_01") if len(s.files) == 12]
    cines = [read_series(each).scan for each in series]
    stored = [f.array for cine in cines for f in cine.frames]
    assert volume.array.shape == GRID.shape
    assert any(np.array_equal(volume.array, each) for each in stored)
    assert all(labels.array[:, :, k].any() for k in range(GRID.shape[2]))
    for k in range(GRID.shape[2]):
        (contours_of(tmp_path, "SC-HF-I-01") / name_of(k, ED, "o")).unlink()
    with pytest.raises(DatasetError, match="SC-HF-I-01: no image has both contours"):
        read_sunnybrook(tmp_path)


def name_of(k: int, phase: int, kind: str) -> str:
    return f"IM-0001-{number(k, phase):04d}-{kind}contour-manual.txt"


def test_both_phases_with_a_wall_are_no_one_stack(tmp_path: Path) -> None:
    write_sunnybrook(tmp_path, {"SC-HF-I-01": "SCD0000101"})
    for k in range(GRID.shape[2]):
        write_contour(contours_of(tmp_path, "SC-HF-I-01"), number(k, ES), "o", EPICARDIUM)
    (case,) = read_sunnybrook(tmp_path)
    with pytest.raises(FormatError, match="2 images at one place, where a stack has one"):
        case.image()


def test_automatic_contours_count_only_where_nobody_drew(tmp_path: Path) -> None:
    write_sunnybrook(tmp_path, {"SC-HF-I-01": "SCD0000101"})
    folder = contours_of(tmp_path, "SC-HF-I-01")
    for k in range(GRID.shape[2]):
        for kind, points in (("i", CAVITY), ("o", EPICARDIUM)):
            write_contour(folder, number(k, ES), kind, points, "auto")
    (case,) = read_sunnybrook(tmp_path)
    drawn = case.image().array
    for path in folder.glob("*-manual.txt"):
        path.unlink()
    (case,) = read_sunnybrook(tmp_path)
    assert case.phase == ""
    assert not np.array_equal(case.image().array, drawn)


def test_images_are_found_in_the_short_axis_series_of_the_right_patient(tmp_path: Path) -> None:
    patients = {"SC-HF-I-01": "SCD0000101", "SC-HF-I-10": "SCD0000202"}
    write_sunnybrook(tmp_path, patients)
    first, second = (case.image().array for case in read_sunnybrook(tmp_path))
    assert not np.array_equal(first, second)
    base = tmp_path / "SCD_IMAGES_01" / "SCD0000101"
    (base / "CINELAX_301").rename(base / "CINESAX_301")
    with pytest.raises(
        DatasetError, match=r"SC-HF-I-01: several series have its images: .*300.*301"
    ):
        read_sunnybrook(tmp_path)
    (base / "CINESAX_300" / "IM-0003-0004.dcm").unlink()
    (base / "CINESAX_301" / "IM-0004-0004.dcm").unlink()
    with pytest.raises(DatasetError, match="no series has the 3 images of SC-HF-I-01's contours"):
        read_sunnybrook(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 points are no contour"),
        ("1 2\n3 4\n", "2 points are no contour"),
        ("1,2\n3,4\n5,6\n", "not a contour, two numbers a line"),
        ("90 90\n95 90\n95 95\n", "the contour lies outside its image of 16 x 14"),
    ],
)
def test_a_bad_contour_is_told(tmp_path: Path, text: str, words: str) -> None:
    write_sunnybrook(tmp_path, {"SC-HF-I-01": "SCD0000101"})
    (contours_of(tmp_path, "SC-HF-I-01") / name_of(0, ED, "i")).write_text(text)
    with pytest.raises(DatasetError, match=rf"IM-0001-0004-icontour-manual\.txt: {words}"):
        read_sunnybrook(tmp_path)[0].labels()


def test_real_contours_lie_on_the_bright_cavity_of_a_real_scan(
    pig_root: Path, tmp_path: Path
) -> None:
    """One phase of a pig's cine with automatic contours in Sunnybrook's format."""
    contours = pig_root / "contours"
    chosen = range(161, 241)  # four slices of 20 phases; the first phase of each is taken
    for image in list(chosen)[::20]:
        for kind in "io":
            name = f"IM-0001-{image:04d}-{kind}contour-auto.txt"
            (tmp_path / "pig" / "contours").mkdir(parents=True, exist_ok=True)
            (tmp_path / "pig" / "contours" / name).write_text((contours / name).read_text())
        source = next(pig_root.rglob(f"I{image:04d}.dcm"))
        (tmp_path / "pig" / "images").mkdir(exist_ok=True)
        (tmp_path / "pig" / "images" / source.name).symlink_to(source)
    (case,) = read_sunnybrook(tmp_path)
    volume, labels = case.pair()
    assert volume.geometry.shape[2] == 4
    blood, wall = (volume.array[labels.mask(n)].mean() for n in ("LV cavity", "myocardium"))
    assert blood > 1.3 * wall
