"""A segmentation as 3D Slicer writes and reads it, and conversion that loses nothing."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from tests.in_process import run

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, LEFT_VENTRICLE, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap
from cardioseg.errors import CardiosegError, FormatError, LabelError, OutputExistsError
from cardioseg.io.images import (
    read_frames,
    read_labels,
    write_frames,
    write_label_frames,
    write_labels,
)
from cardioseg.workflows.convert import convert_file

GRID = Geometry((6, 5, 4), np.diag([-1.5, -1.5, 8.0, 1.0]))


def heart() -> LabelMap:
    array = np.zeros(GRID.shape, np.uint8)
    array[1:3, 1:4, :2], array[3, 1:4, 1:], array[4:, 0, 0] = 1, 2, 3
    return LabelMap(array, GRID, ACDC)


def header(path: Path) -> dict[str, str]:
    image = SimpleITK.ReadImage(str(path))
    return {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}


def test_the_header_is_what_slicer_expects(tmp_path: Path) -> None:
    write_labels(heart(), tmp_path / "a.seg.nrrd", "0123456789abcdef")
    fields = header(tmp_path / "a.seg.nrrd")
    assert fields["cardioseg"] == "cardioseg labels, acdc; model 0123456789abcdef"
    assert fields["Segmentation_ContainedRepresentationNames"] == "Binary labelmap|"
    assert fields["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert fields["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"
    names = [fields[f"Segment{index}_Name"] for index in range(3)]
    assert names == ["RV cavity", "myocardium", "LV cavity"]
    assert [fields[f"Segment{index}_ID"] for index in range(3)] == [
        "Segment_1",
        "Segment_2",
        "Segment_3",
    ]
    assert [fields[f"Segment{index}_LabelValue"] for index in range(3)] == ["1", "2", "3"]
    assert [fields[f"Segment{index}_Layer"] for index in range(3)] == ["0", "0", "0"]
    assert fields["Segment0_Extent"] == "1 2 1 3 0 1"
    colour = [round(float(part) * 255) for part in fields["Segment1_Color"].split()]
    assert "#{:02X}{:02X}{:02X}".format(*colour) == ACDC.structure("myocardium").color
    # Context~category~type~modifier~context~region~modifier, each code scheme^value^meaning.
    entry = fields["Segment1_Tags"].removeprefix("TerminologyEntry:").removesuffix("|").split("~")
    assert len(entry) == 7
    assert entry[1] == "SCT^123037004^Anatomical Structure"
    assert entry[2] == "SCT^74281007^Myocardium"


def test_every_structure_of_every_scheme_is_listed_even_when_absent(tmp_path: Path) -> None:
    empty = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, HVSMR2)
    write_labels(empty, tmp_path / "a.seg.nrrd")
    fields = header(tmp_path / "a.seg.nrrd")
    assert [fields[f"Segment{n}_Extent"] for n in range(8)] == ["0 -1 0 -1 0 -1"] * 8
    assert "Segment8_Name" not in fields


def test_equal_labels_are_equal_bytes(tmp_path: Path) -> None:
    for suffix in (".nrrd", ".seg.nrrd", ".mha"):
        for name in ("a", "b"):
            write_labels(heart(), tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def renumbered(path: Path, changes: dict[str, str], swap: dict[int, int]) -> None:
    """The segmentation as 3D Slicer saves it after a user reordered or renamed its segments."""
    labels = heart()
    write_labels(labels, path)
    fields = {**header(path), **changes}
    array = labels.array.copy()
    for old, new in swap.items():
        array[labels.array == old] = new
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.T))
    image.CopyInformation(SimpleITK.ReadImage(str(path)))
    for key, value in fields.items():
        if key.startswith("Segment"):
            image.SetMetaData(key, value)
    SimpleITK.WriteImage(image, str(path))


def test_segments_are_read_by_name_whatever_their_numbers(tmp_path: Path) -> None:
    """Slicer numbers segments in the order of its list: LV first is 1 there, 3 here."""
    path = tmp_path / "a.seg.nrrd"
    changes = {"Segment0_LabelValue": "3", "Segment2_LabelValue": "1", "Segment2_Name": "lv Cavity"}
    renumbered(path, changes, {1: 3, 3: 1})
    np.testing.assert_array_equal(read_labels(path, ACDC).array, heart().array)
    own = read_labels(path, ACDC, {1: 1, 2: 2, 3: 3})
    assert own.volume_ml("RV cavity") == heart().volume_ml("LV cavity")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"Segment0_Name": "Segment_1"}, LabelError, "segment 'Segment_1' is no structure of sch"),
        ({"Segment0_Name": "myocardium"}, LabelError, "or there twice; rename it in 3D Slicer"),
        ({"Segment1_Layer": "1"}, FormatError, "segments in several layers"),
        ({"Segment1_LabelValue": "two"}, FormatError, "label value 'two', layer '0': damaged"),
        ({"Segment1_LabelValue": "7"}, LabelError, "label value 2 is unknown"),
    ],
)
def test_segments_that_cannot_be_read(
    tmp_path: Path, changes: dict[str, str], error: type[CardiosegError], words: str
) -> None:
    path = tmp_path / "a.seg.nrrd"
    renumbered(path, changes, {})
    with pytest.raises(error, match=words) as told:
        read_labels(path, ACDC)
    assert str(told.value).startswith(f"{path}: ")


def test_a_segment_without_a_voxel_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "a.seg.nrrd"
    renumbered(path, {"Segment2_Name": "Segment_3"}, {3: 0})
    assert read_labels(path, ACDC).volume_ml("LV cavity") == 0


@pytest.mark.parametrize("dtype", ["u1", "i2", ">i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii"])
def test_values_and_their_type_are_kept(tmp_path: Path, dtype: str, suffix: str) -> None:
    array = np.array([0, 1, 100, 120], dtype).reshape(4, 1, 1) + np.zeros(GRID.shape[1:], dtype)
    if dtype == "f8":
        array += 1 / 3
    header = nib.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    image = nib.Nifti1Image(array, GRID.affine, header, dtype=array.dtype)
    image.set_sform(GRID.affine, 1)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "a.nii.gz")
    words = convert_file(tmp_path / "a.nii.gz", tmp_path / f"b{suffix}")
    assert words.endswith(f"{array.dtype.name} values")
    convert_file(tmp_path / f"b{suffix}", tmp_path / "c.nii.gz")
    again = nib.load(tmp_path / "c.nii.gz")
    assert again.get_data_dtype().newbyteorder("=") == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(np.asanyarray(again.dataobj), array)


def test_scaled_values_are_kept_to_the_last_bit(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(4, 3, 2), np.eye(4))
    image.header.set_slope_inter(0.1, 7)
    image.header.set_xyzt_units("mm")
    image.header["scl_slope"], image.header["scl_inter"] = 0.1, 7
    data = bytearray(image.to_bytes())
    data[112:120] = np.array([0.1, 7], "<f4").tobytes()
    data[352:] = np.arange(24, dtype="<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    convert_file(tmp_path / "a.nii", tmp_path / "b.nrrd")
    expected = np.arange(24) * np.float64(np.float32(0.1)) + 7
    values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "b.nrrd")))
    np.testing.assert_array_equal(values.ravel(), expected)


def test_the_help_says_what_is_kept(capsys) -> None:
    assert run("convert", "--help") == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "NIfTI, NRRD, MetaImage or PNG" in words
    assert "from NIfTI to NIfTI the time between frames" in words


def test_a_cine_is_converted_with_its_frames(tmp_path: Path) -> None:
    maps = [heart(), LabelMap(3 - heart().array, GRID, ACDC)]
    write_label_frames(maps, tmp_path / "a.nii.gz")
    assert "2 frames" in convert_file(tmp_path / "a.nii.gz", tmp_path / "b.nrrd", ACDC)
    convert_file(tmp_path / "b.nrrd", tmp_path / "c.mha")
    for frame, expected in zip(read_frames(tmp_path / "c.mha"), maps, strict=True):
        np.testing.assert_array_equal(frame.array, expected.array)
    # 3D Slicer and pynrrd take the frames of a sequence for a list.
    text = (tmp_path / "b.nrrd").read_bytes().partition(b"\n\n")[0]
    assert b"kinds: list domain domain domain" in text
    with pytest.raises(FormatError, match="holds one frame"):
        convert_file(tmp_path / "a.nii.gz", tmp_path / "d.seg.nrrd", ACDC)


def test_conversion_that_would_lose_something_is_refused(tmp_path: Path) -> None:
    write_labels(heart(), tmp_path / "a.seg.nrrd")
    write_labels(heart(), tmp_path / "a.nii.gz")
    with pytest.raises(FormatError, match=r"names and colours would be lost; name the scheme"):
        convert_file(tmp_path / "a.seg.nrrd", tmp_path / "b.nii.gz")
    with pytest.raises(FormatError, match=r"the scheme that names them \(--scheme\)"):
        convert_file(tmp_path / "a.nii.gz", tmp_path / "b.seg.nrrd")
    with pytest.raises(LabelError, match="those of acdc, not of myocardium_blood"):
        convert_file(tmp_path / "a.nii.gz", tmp_path / "b.seg.nrrd", MYOCARDIUM_BLOOD)
    with pytest.raises(OutputExistsError, match="--force"):
        convert_file(tmp_path / "a.seg.nrrd", tmp_path / "a.nii.gz", ACDC)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "a.seg.nrrd"]
    convert_file(tmp_path / "a.seg.nrrd", tmp_path / "a.nii.gz", ACDC, force=True)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_labels_are_not_renamed_against_their_header(tmp_path: Path, suffix: str) -> None:
    ventricle = heart().read_as(LEFT_VENTRICLE)
    write_labels(ventricle, tmp_path / f"lv{suffix}")
    for target in ("lv.seg.nrrd", "other.nii.gz"):
        with pytest.raises(LabelError, match="those of left_ventricle, not of acdc"):
            convert_file(tmp_path / f"lv{suffix}", tmp_path / target, ACDC)
        assert not (tmp_path / target).exists()
    convert_file(tmp_path / f"lv{suffix}", tmp_path / "lv.seg.nrrd", LEFT_VENTRICLE)
    convert_file(tmp_path / "lv.seg.nrrd", tmp_path / "acdc.nii.gz", ACDC)
    again = read_labels(tmp_path / "acdc.nii.gz", ACDC)
    for name in ("LV cavity", "myocardium"):
        np.testing.assert_array_equal(again.mask(name), heart().mask(name))


def test_numbers_without_a_header_need_the_scheme_s_values(tmp_path: Path) -> None:
    convert_file(_still(tmp_path), tmp_path / "b.nii.gz")
    with pytest.raises(LabelError, match="label values 3 are not in scheme myocardium_blood"):
        convert_file(tmp_path / "b.nii.gz", tmp_path / "b.seg.nrrd", MYOCARDIUM_BLOOD)


def test_a_sheared_grid_is_kept_or_refused(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[0, 1] = 0.3
    grid = Geometry((4, 5, 6), affine)
    labels = LabelMap(np.ones(grid.shape, np.uint8), grid, ACDC)
    for suffix in (".nrrd", ".mha"):
        write_labels(labels, tmp_path / f"a{suffix}")
        with pytest.warns(UserWarning, match="a sheared grid"):
            assert read_labels(tmp_path / f"a{suffix}", ACDC).geometry.is_same(grid)


def test_frames_of_a_still_image_are_one(tmp_path: Path) -> None:
    write_frames(read_frames(_still(tmp_path)), tmp_path / "b.mha")
    assert len(read_frames(tmp_path / "b.mha")) == 1


def _still(folder: Path) -> Path:
    write_labels(heart(), folder / "a.nrrd")
    return folder / "a.nrrd"
