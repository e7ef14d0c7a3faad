"""DICOM in: found, chosen, sorted, placed; and everything that is refused or told."""

from __future__ import annotations

import os
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)
from tests.dicom_series import (
    PATIENT,
    header,
    noise,
    oblique,
    place,
    set_pixels,
    values_at,
    write_enhanced,
    write_series,
)

from cardioseg.errors import CardiosegError, FormatError, GeometryError, ReadWarning
from cardioseg.io.dicom import DicomScan, choose_series, find_series, holds_dicom, read_series
from cardioseg.io.dicom.complete import require_complete
from cardioseg.io.scans import read_scan
from cardioseg.workflows.inputs import gather_images

GRID = oblique()
CINE = noise(GRID, 4)
STILL = CINE[:1]


def read(path: Path) -> DicomScan:
    return read_series(choose_series(find_series(path)))


def refused(path: Path, kind: type[CardiosegError] = GeometryError) -> str:
    with pytest.raises(kind) as caught:
        read(path)
    assert PATIENT.split("^")[0] not in str(caught.value)
    return str(caught.value)


def told(path: Path) -> tuple[DicomScan, str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scan = read(path)
    words = [str(each.message) for each in caught if each.category is ReadWarning]
    assert len(words) == len(scan.scan.notes)
    return scan, " ".join(words)


# Reading


@pytest.mark.parametrize("signs", [(i, j, k) for i in (1, -1) for j in (1, -1) for k in (1, -1)])
def test_a_cine_lies_where_it_was_written_in_eight_orientations(tmp_path, signs) -> None:
    grid = oblique(signs=signs)
    found = read(write_series(tmp_path, CINE, grid))
    assert found.scan.times_ms == (0, 40, 80, 120)
    assert found.scan.frames[0].geometry.voxel_volume_mm3 == pytest.approx(grid.voxel_volume_mm3)
    for frame, written in zip(found.scan.frames, CINE, strict=True):
        assert np.array_equal(values_at(frame, grid), written)


def test_each_source_slice_is_the_image_of_its_voxels(tmp_path) -> None:
    found = read(write_series(tmp_path, CINE, GRID))
    by_uid = {str(each.SOPInstanceUID): each for each in map(pydicom.dcmread, tmp_path.iterdir())}
    for frame, slices in zip(found.scan.frames, found.sources, strict=True):
        for k, source in enumerate(slices):
            pixels = by_uid[source.sop_instance_uid].pixel_array
            assert np.array_equal(frame.array[:, :, k].T, pixels)
            assert source.frame_number is None
            assert source.dataset.PatientName == PATIENT
            assert "PixelData" not in source.dataset


def test_an_enhanced_cine_is_read_by_its_functional_groups(tmp_path) -> None:
    found = read(write_enhanced(tmp_path / "cine.dcm", CINE, GRID))
    assert found.scan.times_ms == (0, 40, 80, 120)
    raw = pydicom.dcmread(tmp_path / "cine.dcm").pixel_array
    for t, (frame, slices) in enumerate(zip(found.scan.frames, found.sources, strict=True)):
        assert np.array_equal(values_at(frame, GRID), CINE[t] * 2.0 - 10)
        for k, source in enumerate(slices):
            number = source.frame_number
            assert number is not None
            assert np.array_equal(frame.array[:, :, k].T, raw[number - 1] * 2.0 - 10)


def test_a_legacy_converted_cine_is_read_by_the_trigger_times_that_it_kept(tmp_path) -> None:
    """Its frames may stand in any order; the times lie in a group of what has no other place."""
    path = write_enhanced(tmp_path / "cine.dcm", CINE, GRID)
    dataset = pydicom.dcmread(path)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        kept = Dataset()
        kept.TriggerTime = group.CardiacSynchronizationSequence[0].NominalCardiacTriggerDelayTime
        group.UnassignedPerFrameConvertedAttributesSequence = [kept]
        del group.CardiacSynchronizationSequence
        del group.FrameContentSequence
    shared = Dataset()
    shared.EchoTime = "1.5"
    dataset.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence = [shared]
    dataset.save_as(path)
    scan = read(path).scan
    assert scan.times_ms == (0, 40, 80, 120)
    assert scan.notes == ()
    for frame, written in zip(scan.frames, CINE, strict=True):
        assert np.array_equal(values_at(frame, GRID), written * 2.0 - 10)


def test_frames_of_the_old_kind_of_multi_frame_by_their_frame_time(tmp_path) -> None:
    dataset = header(GRID, "1.2.840.10008.5.1.4.1.1.4", generate_uid())
    place(dataset, GRID, 0)
    set_pixels(dataset, CINE[:, :, :, 0].transpose(0, 2, 1), ImplicitVRLittleEndian)
    dataset.NumberOfFrames, dataset.FrameTime = len(CINE), "35"
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert "nothing says where or when" in refused(tmp_path)
    dataset.FrameIncrementPointer = 0x00181063
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    found, words = told(tmp_path)
    assert found.scan.times_ms == (0, 35, 70, 105)
    assert np.array_equal(found.scan.frames[2].array[:, :, 0], CINE[2, :, :, 0])
    assert "single slice" in words


def test_slope_intercept_and_reversed_greys(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", str(k)

    found = read(write_series(tmp_path / "a", STILL, GRID, edit))
    k = np.arange(GRID.shape[2])
    assert np.allclose(values_at(found.scan.frames[0], GRID), STILL[0] * 0.5 + k)

    def reverse(dataset: Dataset, t: int, k: int) -> None:
        dataset.PhotometricInterpretation = "MONOCHROME1"

    found, words = told(write_series(tmp_path / "b", STILL, GRID, reverse))
    assert np.array_equal(values_at(found.scan.frames[0], GRID), 4095.0 - STILL[0])
    assert "MONOCHROME1" in words


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_byte_orders_and_deflate(tmp_path, syntax) -> None:
    found = read(write_series(tmp_path, STILL, GRID, syntax=syntax))
    assert np.array_equal(values_at(found.scan.frames[0], GRID), STILL[0])


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_pixels(tmp_path, syntax) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.compress(syntax, generate_instance_uid=False)

    grid = oblique((40, 36, 2))
    found = read(write_series(tmp_path, noise(grid), grid, edit))
    assert np.array_equal(values_at(found.scan.frames[0], grid), noise(grid)[0])


def test_jpeg_lossless_through_gdcm(tmp_path) -> None:
    gdcm = pytest.importorskip("gdcm")
    folder = write_series(tmp_path, STILL, GRID)
    for path in folder.iterdir():
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), None
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    found, words = told(folder)
    assert np.array_equal(values_at(found.scan.frames[0], GRID), STILL[0])
    assert "1 mm between slices, their positions 8 mm" in words  # gdcm's writer invents it


def test_body_without_identifiers(tmp_path) -> None:
    body = read(write_series(tmp_path / "a", STILL, GRID)).scan.body
    assert (body.height_m, body.weight_kg, body.sex, body.age_years) == (1.75, 70, "F", 42)

    def centimetres(dataset: Dataset, t: int, k: int) -> None:
        dataset.PatientSize, dataset.PatientSex, dataset.PatientAge = "175", "O", "000Y"

    with pytest.warns(ReadWarning, match="PatientSize"):
        body = read(write_series(tmp_path / "b", STILL, GRID, centimetres)).scan.body
    assert (body.height_m, body.sex, body.age_years) == (None, "", None)


# Time


def test_frames_are_sorted_by_temporal_index_where_there_are_no_trigger_times(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        del dataset.TriggerTime
        dataset.TemporalPositionIdentifier = t + 1
        dataset.InstanceNumber = 1000 - dataset.InstanceNumber

    found, words = told(write_series(tmp_path, CINE, GRID, edit))
    assert "order of temporal position" in words
    assert found.scan.times_ms == ()
    assert np.array_equal(values_at(found.scan.frames[3], GRID), CINE[3])


def test_frames_by_instance_number_are_told(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        del dataset.TriggerTime

    found, words = told(write_series(tmp_path, CINE, GRID, edit))
    assert "order of acquisition number" not in words
    assert "order of instance number" in words
    assert np.array_equal(values_at(found.scan.frames[2], GRID), CINE[2])


def test_a_heart_rate_that_changed_between_slices_is_told(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.TriggerTime = str(40 * t + 30 * k)

    found, words = told(write_series(tmp_path, CINE, GRID, edit))
    assert "heart" in words
    assert found.scan.times_ms == (75, 115, 155, 195)


def test_frames_that_span_more_than_a_heartbeat_are_told(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.TriggerTime = str(900 * t)

    found, words = told(write_series(tmp_path, CINE, GRID, edit))
    assert found.scan.times_ms[-1] == 2700
    assert "2.7 s, longer than a heartbeat" in words


TAKEN = ("095957", "095958.5", "100000", "100001")
"""When each frame was taken: one a heartbeat, past a full hour."""


def test_frames_that_were_taken_one_a_heartbeat_are_in_the_order_of_taking(tmp_path) -> None:
    """A perfusion's trigger times scatter about one delay: their order would mix the beats."""

    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.TriggerTime = ("105", "100", "110", "102.5")[t]
        dataset.AcquisitionTime = TAKEN[t]

    found, words = told(write_series(tmp_path, CINE, GRID, edit))
    assert found.scan.times_ms == ()
    assert "the frames span 4.0 s, longer than a heartbeat: not a cine of one cycle" in words
    for frame, written in zip(found.scan.frames, CINE, strict=True):
        assert np.array_equal(values_at(frame, GRID), written)


@pytest.mark.parametrize(
    "taken", [TAKEN, ("100003", "100002.4", "100001.8", "100001.2"), ("100000",) * 4]
)
def test_a_cine_taken_over_several_heartbeats_keeps_its_trigger_times(tmp_path, taken) -> None:
    """A phase a beat, within one cycle backwards, or all phases at once."""

    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.AcquisitionTime = taken[t]

    scan = read(write_series(tmp_path, CINE, GRID, edit)).scan
    assert scan.times_ms == (0, 40, 80, 120)
    assert scan.notes == ()


def kinds(dataset: Dataset, t: int, k: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "MP"[t % 2]]


def echoes(dataset: Dataset, t: int, k: int) -> None:
    dataset.EchoTime = str(2 + 2 * t)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (kinds, "magnitude against phase"),
        (echoes, "magnitude, echo time 2 ms against magnitude, echo time 4 ms"),
    ],
)
def test_kinds_of_image_with_times_of_their_own_are_no_cine(tmp_path, edit, told) -> None:
    words = refused(write_series(tmp_path, CINE, GRID, edit))
    assert f"one slice of two kinds ({told}): put the images of one acquisition" in words


def test_kinds_of_image_in_one_object_need_another_export(tmp_path) -> None:
    path = write_enhanced(tmp_path / "cine.dcm", CINE, GRID)
    dataset = pydicom.dcmread(path)
    for number, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame_type = Dataset()
        frame_type.ComplexImageComponent = ("MAGNITUDE", "PHASE")[number % 2]
        group.MRImageFrameTypeSequence = [frame_type]
    del dataset.ImageType
    dataset.save_as(path)
    words = refused(path)
    assert "frames 21 and 22 of cine.dcm are different images of one slice of two kinds" in words
    assert "export it as single images, put the images of one acquisition into a folder" in words


def test_images_of_several_slices_with_one_uid_are_no_copies(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.SOPInstanceUID = "1.2.3.4"

    scan = read(write_series(tmp_path, CINE, GRID, edit)).scan
    assert scan.notes == ()
    assert np.array_equal(values_at(scan.frames[3], GRID), CINE[3])


def test_a_mosaic_is_no_slice(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]

    words = refused(write_series(tmp_path, STILL, GRID, edit), FormatError)
    assert "a mosaic, many slices side by side in one picture: export single slices" in words


def test_copies_are_left_out_and_told(tmp_path) -> None:
    folder = write_series(tmp_path, CINE, GRID)
    shutil.copy(sorted(folder.iterdir())[0], folder / "copy.dcm")
    found, words = told(folder)
    assert "(one SOP instance UID) were left out: 1" in words
    assert len(found.scan.frames) == 4
    twin = pydicom.dcmread(folder / "copy.dcm")
    twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    twin.save_as(folder / "copy.dcm")
    assert "equal pixels" in told(folder)[1]


def test_a_different_image_of_one_moment_is_refused(tmp_path) -> None:
    folder = write_series(tmp_path, CINE, GRID)
    twin = pydicom.dcmread(sorted(folder.iterdir())[0])
    twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    twin.ImageType = ["ORIGINAL", "PRIMARY", "P"]
    twin.PixelData = bytes(len(twin.PixelData))
    twin.save_as(folder / "phase.dcm")
    words = refused(folder)
    assert "phase.dcm" in words
    assert "magnitude" in words


# Refusals


def leaving_out(*places: tuple[int, int]):
    def edit(dataset: Dataset, t: int, k: int) -> None:
        if (t, k) in places:
            del dataset.PixelData

    return edit


def test_a_missing_slice_names_its_neighbours(tmp_path) -> None:
    words = refused(write_series(tmp_path, STILL, GRID, leaving_out((0, 3))))
    assert "1 slice is missing" in words
    assert "16 mm" in words
    assert "8 mm" in words
    assert words.count(".dcm") == 2


def test_an_unequal_number_of_frames_names_the_slice(tmp_path) -> None:
    words = refused(write_series(tmp_path, CINE, GRID, leaving_out((1, 2))))
    assert "unequal numbers of frames" in words
    assert "slice 3 " in words
    assert "has 3" in words


def moving(k_moved: int, mm: float, axis: int = 2):
    def edit(dataset: Dataset, t: int, k: int) -> None:
        if k == k_moved:
            shift = GRID.directions[:, axis] * np.array([-1, -1, 1]) * mm
            dataset.ImagePositionPatient = [
                round(float(p + s), 6)
                for p, s in zip(dataset.ImagePositionPatient, shift, strict=True)
            ]

    return edit


def test_uneven_gaps_are_refused_and_small_ones_told(tmp_path) -> None:
    assert "uneven gaps" in refused(write_series(tmp_path / "a", STILL, GRID, moving(2, 1.5)))
    assert "out of line" in refused(write_series(tmp_path / "b", STILL, GRID, moving(2, 1.5, 0)))
    found, words = told(write_series(tmp_path / "c", STILL, GRID, moving(2, 0.2)))
    assert "off equal distances" in words
    assert found.scan.frames[0].geometry.is_same(
        read(write_series(tmp_path / "d", STILL, GRID)).scan.frames[0].geometry
    )


def test_a_sheared_stack_keeps_its_shear_and_is_told(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        moving(k, 1.0 * k, 0)(dataset, t, k)

    found, words = told(write_series(tmp_path, STILL, GRID, edit))
    assert "sheared" in words
    geometry = found.scan.frames[0].geometry
    assert geometry.shear == pytest.approx(1 / np.sqrt(65), abs=1e-4)
    assert geometry.voxel_volume_mm3 == pytest.approx(GRID.voxel_volume_mm3)


def test_a_localiser_is_refused(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        if k > 3:
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    words = refused(write_series(tmp_path, STILL, GRID, edit))
    assert "different orientations" in words
    assert "localiser" in words
    assert "coronal" in words


def test_mixed_sizes_and_spacings_are_refused(tmp_path) -> None:
    def size(dataset: Dataset, t: int, k: int) -> None:
        if k == 1:
            set_pixels(dataset, np.zeros((5, 5), np.uint16), dataset.file_meta.TransferSyntaxUID)

    def spacing(dataset: Dataset, t: int, k: int) -> None:
        if k == 1:
            dataset.PixelSpacing = [2, 2]

    assert "5 x 5 pixels" in refused(write_series(tmp_path / "a", STILL, GRID, size))
    assert "pixel spacings" in refused(write_series(tmp_path / "b", STILL, GRID, spacing))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImagePositionPatient", None),
        ("ImagePositionPatient", [1, 2]),
        ("ImageOrientationPatient", None),
        ("ImageOrientationPatient", [1, 0, 0, 0, 2, 0]),
        ("PixelSpacing", None),
        ("PixelSpacing", [0, 0]),
    ],
)
def test_absent_and_wrong_tags_name_the_tag(tmp_path, keyword, value) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)

    words = refused(write_series(tmp_path, STILL, GRID, edit))
    assert keyword in words
    assert "export" in words


def test_the_distance_of_slices_is_that_of_their_positions(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.SpacingBetweenSlices = "5"

    found, words = told(write_series(tmp_path, STILL, GRID, edit))
    assert found.scan.frames[0].geometry.spacing[2] == pytest.approx(8)
    assert "5 mm between slices, their positions 8 mm" in words


def test_a_single_slice_takes_its_thickness(tmp_path) -> None:
    folder = write_series(tmp_path / "a", STILL, GRID, leaving_out(*((0, k) for k in range(1, 6))))
    found, words = told(folder)
    assert found.scan.frames[0].geometry.spacing[2] == pytest.approx(5)
    assert "single slice" in words

    def edit(dataset: Dataset, t: int, k: int) -> None:
        leaving_out(*((0, k) for k in range(1, 6)))(dataset, t, k)
        del dataset.SliceThickness

    assert "SliceThickness" in refused(write_series(tmp_path / "b", STILL, GRID, edit))


def test_truncated_and_damaged_files_are_named(tmp_path) -> None:
    folder = write_series(tmp_path, STILL, GRID)
    path = sorted(folder.iterdir())[2]
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert path.name in refused(folder, FormatError)
    for length in (200, 400, whole.index(b"\x28\x00\x02\x00"), len(whole) - 300):
        path.write_bytes(whole[:length])
        assert path.name in refused(folder, CardiosegError)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def led_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.dcm")


def headless(path: Path) -> None:
    """A file of old without a preamble, cut before it says what it is."""
    path.write_bytes(b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100")


def shaved(path: Path) -> None:
    """One whose first elements say nothing that is understood."""
    path.write_bytes(b"\x02\x00\x00\x00" + bytes(range(1, 200)))


@pytest.mark.parametrize("spoil", [cut, emptied, zeroed, led_nowhere, headless, shaved])
@pytest.mark.parametrize("named", ["{}.dcm", "{}.IMA", "IM{}", "MR.1.2.840.{}"])
@pytest.mark.parametrize("lost", ["the last slice", "the last frame"])
def test_what_is_left_of_an_image_is_never_passed_over(tmp_path, spoil, named, lost) -> None:
    folder = write_series(tmp_path, CINE[:2], GRID)
    paths = [path.rename(folder / named.format(path.stem)) for path in folder.iterdir()]
    ending = "_5" if lost == "the last slice" else "_1_"
    spoiled = [path for path in paths if ending in path.name]
    for path in spoiled:
        spoil(path)
    assert refused(folder, FormatError).startswith(f"{min(spoiled).name}: empty, truncated or")


def test_a_file_that_may_not_be_read_is_never_passed_over(tmp_path, monkeypatch) -> None:
    folder = write_series(tmp_path, STILL, GRID)
    locked = next(folder.glob("*_5.dcm"))
    opened = Path.open

    def refuses(path: Path, *rest):
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest)

    monkeypatch.setattr(Path, "open", refuses)
    assert refused(folder, FormatError).startswith(f"{locked.name}: ")


def test_a_damaged_member_of_a_zip_is_never_passed_over(tmp_path) -> None:
    folder, packed = write_series(tmp_path / "a", STILL, GRID), tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
        entry = next(each for each in archive.infolist() if each.filename.endswith("_5.dcm"))
    data = bytearray(packed.read_bytes())
    first = entry.header_offset + 30 + len(entry.filename)
    data[first : first + 16] = b"\xff" * 16
    packed.write_bytes(data)
    assert refused(packed, FormatError).startswith(f"{entry.filename}: ")


@pytest.mark.parametrize("named", ["{}.dcm", "IM{}"])
def test_what_lies_beside_images_stops_nobody(tmp_path, named) -> None:
    folder = write_series(tmp_path, STILL, GRID)
    for path in folder.iterdir():
        path.rename(folder / named.format(path.stem))
    for name in (
        ".DS_Store", "._IM0001", "DICOMDIR", "README", "Thumbs.db", "__init__", "__init__.py",
        "checksums.md5", "info.json", "notes.txt", "report.xml", "scan7.nii",
    ):  # fmt: skip
        (folder / name).write_bytes(b"")
    (folder / "LICENSE2").write_text("free")
    (folder / "000099.dcm").write_bytes(b"\x00\x05\x16\x07" + bytes(78))  # AppleDouble, renamed
    (folder / "lost.txt").symlink_to("nowhere.txt")
    os.mkfifo(folder / "pipe1")
    assert read(folder).scan.notes == ()


def test_an_empty_file_beside_nifti_files_stops_nobody(tmp_path) -> None:
    for name in ("IM0001", "a.dcm", "a.nii"):
        (tmp_path / name).touch()
    assert not holds_dicom(tmp_path)
    (found,) = gather_images([tmp_path])
    assert found.path.name == "a.nii"


def test_a_series_of_floating_point_pixels_is_complete(tmp_path) -> None:
    """What the server asks before it takes an upload: it takes what is read."""

    def edit(dataset: Dataset, t: int, k: int) -> None:
        del dataset["PixelData"], dataset["BitsStored"], dataset["HighBit"]
        del dataset["PixelRepresentation"]
        dataset.BitsAllocated = 32
        dataset.FloatPixelData = STILL[0, :, :, k].T.astype("<f4").tobytes()
        dataset.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)

    series = choose_series(find_series(write_series(tmp_path, STILL, GRID, edit)))
    assert np.array_equal(values_at(read_series(series).scan.frames[0], GRID), STILL[0])
    assert require_complete(series) == STILL[0].size * 4


def test_headers_that_promise_too_much_are_refused(tmp_path, monkeypatch) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.Rows = dataset.Columns = side

    side = 65535
    assert "65535 x 65535" in refused(write_series(tmp_path / "a", STILL, GRID, edit), FormatError)
    side = 8192
    monkeypatch.setattr("cardioseg.io.dicom.read.LARGEST_BYTES", 2**30)
    assert "2 GiB" in refused(write_series(tmp_path / "b", STILL, GRID, edit), FormatError)


def test_a_deflated_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch) -> None:
    folder = write_series(tmp_path, STILL, GRID, syntax=DeflatedExplicitVRLittleEndian)
    monkeypatch.setattr("cardioseg.io.dicom.header.LARGEST_MEMBER_BYTES", 300)
    assert "unpacks to more" in refused(folder, FormatError)
    monkeypatch.undo()
    path = sorted(folder.iterdir())[1]
    path.write_bytes(path.read_bytes()[:600] + bytes(50))
    assert path.name in refused(folder, FormatError)


def test_another_modality_is_told(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.Modality = "CT"

    found, words = told(write_series(tmp_path, STILL, GRID, edit))
    assert "CT, not MR" in words
    assert any("CT" in note for note in found.scan.notes)


def test_colour_images_are_refused(tmp_path) -> None:
    def edit(dataset: Dataset, t: int, k: int) -> None:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"

    folder = write_series(tmp_path, STILL, GRID, edit)
    assert "in colour" in refused(folder, FormatError)
    with pytest.raises(FormatError, match="a colour image"):
        read_series(choose_series(find_series(folder), 3))


# Finding and choosing


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Two stacks, an object derived from them, notes and an index."""
    folder = tmp_path_factory.mktemp("study")

    def named(words: str, modality: str = "MR"):
        def edit(dataset: Dataset, t: int, k: int) -> None:
            dataset.SeriesDescription, dataset.Modality = words, modality

        return edit

    write_series(folder / "a", CINE[:2], GRID, named("SAx cine"), number=5)
    write_series(folder / "b", STILL, GRID, named("Sax late"), number=12)
    write_series(folder / "c", STILL[..., :1], oblique((12, 10, 1)), named("seg", "SEG"), number=90)
    (folder / "notes.txt").write_text("not an image")
    shutil.copy(next((folder / "a").iterdir()), folder / "DICOMDIR")
    return folder


def test_series_are_listed_by_number(study) -> None:
    found = find_series(study)
    assert [(s.number, s.description, s.images, s.size) for s in found] == [
        (5, "SAx cine", 12, "12 x 10"),
        (12, "Sax late", 6, "12 x 10"),
        (90, "seg", 1, "12 x 10"),
    ]
    assert found[2].unfit


@pytest.mark.parametrize(
    ("wanted", "number"), [(5, 5), ("12", 12), ("LATE", 12), ("sax cine", 5), ("  cine ", 5)]
)
def test_a_series_is_chosen_by_number_or_description(study, wanted, number) -> None:
    assert choose_series(find_series(study), wanted).number == number


def test_a_series_is_chosen_by_its_uid(study) -> None:
    found = find_series(study)
    assert choose_series(found, found[1].uid) is found[1]


@pytest.mark.parametrize(("wanted", "words"), [(None, "2 series"), ("sax", "2 series"), (7, "no")])
def test_what_is_ambiguous_is_listed_and_never_guessed(study, wanted, words) -> None:
    with pytest.raises(FormatError) as caught:
        choose_series(find_series(study), wanted, study)
    told = str(caught.value)
    assert words in told
    assert "5: SAx cine, 12 images of 12 x 10, MR" in told
    assert "12: Sax late, 6 images of 12 x 10, MR" in told
    assert "UID" not in told


def slices_apart(folder: Path, *ks: int, place: str = "1.2.3") -> Path:
    """Each slice a series of its own, as some scanners store a cine."""

    def named(k_kept: int):
        def edit(dataset: Dataset, t: int, k: int) -> None:
            dataset.FrameOfReferenceUID = place if k else "1.2.3"
            if k != k_kept:
                del dataset.PixelData

        return edit

    for k in ks:
        write_series(folder / f"{k}", CINE, GRID, named(k), number=20 + k)
    return folder


def test_slices_that_are_series_of_their_own_are_joined_by_number(tmp_path) -> None:
    found = find_series(slices_apart(tmp_path, *range(6)))
    with pytest.raises(FormatError, match="6 series fit 'cine'"):
        choose_series(found, "cine")
    for wanted in ("20-25", "20, 21,22-30"):
        scan = read_series(choose_series(found, wanted)).scan
        assert np.array_equal(values_at(scan.frames[1], GRID), CINE[1])
    for wanted, words in (("20-25,31", "fits '31'"), ("40-50", "fits '40-50'")):
        with pytest.raises(FormatError, match=words):
            choose_series(found, wanted)


def test_images_of_two_frames_of_reference_are_refused(tmp_path) -> None:
    found = find_series(slices_apart(tmp_path, 0, 1, place="1.2.4"))
    with pytest.raises(GeometryError, match="2 frames of reference"):
        read_series(choose_series(found, "20-21"))


def test_series_that_only_a_uid_tells_apart_are_listed_with_it(tmp_path) -> None:
    for name in ("a", "b"):
        write_series(tmp_path / name, STILL, GRID)
    found = find_series(tmp_path)
    with pytest.raises(FormatError) as caught:
        choose_series(found, 3)
    assert all(f"UID {each.uid}" in str(caught.value) for each in found)
    assert choose_series(found, found[1].uid) is found[1]


def test_a_zip_reads_as_its_folder_does_and_leaves_nothing(study, tmp_path) -> None:
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(study.rglob("*")):
            if path.is_file():
                archive.write(path, f"../../{path.relative_to(study)}")
    assert holds_dicom(packed)
    one, other = (choose_series(find_series(path), 5) for path in (study, packed))
    assert one.digest() == other.digest()
    scans = [read_series(series).scan for series in (one, other)]
    assert np.array_equal(scans[0].frames[1].array, scans[1].frames[1].array)
    assert list(tmp_path.iterdir()) == [packed]


def test_damaged_and_empty_places_are_told(tmp_path) -> None:
    with pytest.raises(FormatError, match="no such"):
        find_series(tmp_path / "absent")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.txt").write_text("no image")
    with pytest.raises(FormatError, match="no DICOM file; 1 other"):
        find_series(tmp_path / "a")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(FormatError, match="zip"):
        find_series(broken)


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("cardioseg.io.dicom.files.LARGEST_MEMBER_BYTES", 1000)
    packed = tmp_path / "bomb.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(128) + b"DICM" + bytes(10_000))
    with pytest.raises(FormatError, match="unpacks to more"):
        find_series(packed)


def test_old_files_without_a_preamble_are_found(tmp_path) -> None:
    folder = write_series(tmp_path / "a", STILL, GRID, syntax=ImplicitVRLittleEndian)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
        raw = path.read_bytes()
        path.write_bytes(raw[raw.index(b"\x08\x00\x08\x00") :])
    found, _ = told(folder)
    assert np.array_equal(values_at(found.scan.frames[0], GRID), STILL[0])


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_files_that_begin_with_their_meta_information_are_found(tmp_path, syntax) -> None:
    folder = write_series(tmp_path / "a", STILL, GRID, syntax=syntax)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    found, _ = told(folder)
    assert np.array_equal(values_at(found.scan.frames[0], GRID), STILL[0])


def test_read_scan_reads_either_format(tmp_path) -> None:
    from cardioseg.io.nifti import write_frames

    scan = read_scan(write_series(tmp_path / "a", CINE, GRID))
    write_frames(scan.frames, tmp_path / "cine.nii.gz")
    other = read_scan(tmp_path / "cine.nii.gz")
    assert other.frames[0].geometry.is_same(scan.frames[0].geometry)
    assert np.array_equal(other.frames[3].array, scan.frames[3].array)
