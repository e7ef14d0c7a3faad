"""DICOM SEG: the same voxels in the patient, the source's patient and study, coded segments."""

from __future__ import annotations

from itertools import count

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from tests.dicom_checks import dcmqi_masks, iod_errors
from tests.dicom_sources import EIGHT, LPS, dicom_scan, oblique_grid, write_scan

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, MYOCARDIUM_BLOOD
from cardioseg.core.measurement import Measurement
from cardioseg.core.volume import LabelMap
from cardioseg.errors import CardiosegError, FormatError, GeometryError, LabelError, ReadWarning
from cardioseg.io.dicom import find_series, read_series
from cardioseg.io.dicom.source import DicomScan, SourceSlice
from cardioseg.io.dicom_objects import Algorithm
from cardioseg.io.dicom_seg import ScoreMap, write_fractional_seg, write_seg
from cardioseg.io.dicom_seg_file import phase_path
from cardioseg.io.dicom_sr import write_sr

SAX = Algorithm("sax", "0123456789abcdef")
GRID = oblique_grid()

IDENTITY = ("Probe", "INVENTED-0815", "ACC-4711", "Doctor", "19700101")
"""What identifies the invented patient."""


def random_labels(grid: Geometry, scheme=ACDC, seed=0) -> LabelMap:
    """Noise: no symmetry of it is the same, so no mirroring passes unseen."""
    values = np.random.default_rng(seed).integers(0, scheme.class_count, grid.shape)
    return LabelMap(values.astype(np.uint8), grid, scheme)


def highdicom_masks(path, grid: Geometry) -> dict[int, np.ndarray]:
    """Masks by segment number, each frame placed by its own position in the patient."""
    seg = highdicom.seg.segread(path)
    masks = {n: np.zeros(grid.shape, bool) for n in seg.segment_numbers}
    for frame, item in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        start = np.array(item.PlanePositionSequence[0].ImagePositionPatient, float)
        shared = seg.SharedFunctionalGroupsSequence[0]
        cosines = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        down, across = shared.PixelMeasuresSequence[0].PixelSpacing
        rows, columns = np.nonzero(frame)
        points = (
            start + np.outer(columns * across, cosines[:3]) + np.outer(rows * down, cosines[3:])
        )
        exact = grid.to_index(points * LPS)
        indices = np.rint(exact).astype(int)
        assert np.allclose(exact, indices, atol=0.02)
        masks[number][tuple(indices.T)] = True
    return masks


@pytest.mark.parametrize("signs", EIGHT)
def test_every_mirrored_oblique_grid_comes_back_voxel_for_voxel(signs, tmp_path):
    grid = oblique_grid(signs=signs)
    labels = random_labels(grid)
    (seg,) = write_seg([labels], dicom_scan(grid), [0], tmp_path / "a.seg.dcm", SAX)
    for masks in (highdicom_masks(seg.path, grid), dcmqi_masks(seg.path, tmp_path, grid)):
        assert sorted(masks) == [1, 2, 3]
        for structure in ACDC.structures:
            assert np.array_equal(masks[structure.value], labels.mask(structure.name))


@pytest.mark.parametrize("scheme", [ACDC, MYOCARDIUM_BLOOD, HVSMR2], ids=lambda s: s.name)
def test_a_checker_of_the_standard_finds_no_error(scheme, tmp_path):
    grid = oblique_grid()
    labels = random_labels(grid, scheme)
    (seg,) = write_seg([labels], dicom_scan(grid), [0], tmp_path / "a.seg.dcm", SAX)
    assert iod_errors(seg.path) == []


def test_structures_that_were_not_found_keep_their_segments(tmp_path):
    grid = oblique_grid()
    values = np.zeros(grid.shape, np.uint8)
    values[3:6, 4, 2] = values[3:6, 4, 4] = 3
    labels = LabelMap(values, grid, ACDC)
    (seg,) = write_seg([labels], dicom_scan(grid), [0], tmp_path / "a.seg.dcm", SAX)
    assert iod_errors(seg.path) == []
    masks = dcmqi_masks(seg.path, tmp_path, grid)
    assert {n: int(mask.sum()) for n, mask in masks.items()} == {1: 0, 2: 0, 3: 6}
    assert np.array_equal(masks[3], labels.mask("LV cavity"))


def test_a_map_without_any_structure_is_written_as_such(tmp_path):
    grid = oblique_grid()
    labels = LabelMap(np.zeros(grid.shape, np.uint8), grid, ACDC)
    (seg,) = write_seg([labels], dicom_scan(grid), [0], tmp_path / "a.seg.dcm", SAX)
    assert iod_errors(seg.path) == []
    assert not any(mask.any() for mask in highdicom_masks(seg.path, grid).values())


def test_each_phase_is_an_instance_that_refers_to_its_own_images(tmp_path):
    grid = oblique_grid()
    scan = dicom_scan(grid, phases=4)
    maps = [random_labels(grid, seed=seed) for seed in range(2)]
    written = write_seg(maps, scan, [3, 1], tmp_path / "a.seg.dcm", SAX)
    assert [seg.path.name for seg in written] == ["a-phase04.seg.dcm", "a-phase02.seg.dcm"]
    read = [dcmread(seg.path) for seg in written]
    assert len({each.SeriesInstanceUID for each in read}) == 1
    assert [each.InstanceNumber for each in read] == [1, 2]
    assert read[0].ContentDescription == "Heart, cardiac phase 4 of 4, 120 ms, research only"
    for seg, each, labels in zip(written, read, maps, strict=True):
        assert iod_errors(seg.path) == []
        images = {s.sop_instance_uid: k for k, s in enumerate(scan.sources[seg.phase])}
        (series,) = each.ReferencedSeriesSequence
        listed = {i.ReferencedSOPInstanceUID for i in series.ReferencedInstanceSequence}
        assert listed == set(images)
        for frame, item in zip(
            each.pixel_array, each.PerFrameFunctionalGroupsSequence, strict=True
        ):
            source = item.DerivationImageSequence[0].SourceImageSequence[0]
            number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            k = images[source.ReferencedSOPInstanceUID]
            assert np.array_equal(frame, (labels.array[:, :, k] == number).T)


def test_a_structure_is_tracked_through_the_phases(tmp_path):
    grid = oblique_grid()
    maps = [random_labels(grid, seed=seed) for seed in range(2)]
    one, two = write_seg(maps, dicom_scan(grid, phases=2), [0, 1], tmp_path / "a.seg.dcm", SAX)
    assert one.segments == two.segments
    assert len({segment.tracking_uid for segment in one.segments}) == 3
    items = dcmread(two.path).SegmentSequence
    assert [item.TrackingUID for item in items] == [s.tracking_uid for s in one.segments]


def claiming(distance):
    def edit(header, k):
        header.SpacingBetweenSlices = distance

    return edit


def uneven(header, k):
    """Two slices 3 % of a gap off their places: read as equal distances, and told."""
    if k in (2, 3):
        normal = np.cross(*np.reshape(header.ImageOrientationPatient, (2, 3)).astype(float))
        moved = np.array(header.ImagePositionPatient, float) + 0.03 * GRID.spacing[2] * normal
        header.ImagePositionPatient = [f"{each:.8f}"[:16] for each in moved]


def lengthened(header, k):
    header.ImageOrientationPatient = [
        f"{1.004 * each:.8f}" for each in header.ImageOrientationPatient
    ]


def without_thickness(header, k):
    del header.SliceThickness
    del header.SpacingBetweenSlices


@pytest.mark.filterwarnings("ignore::cardioseg.errors.ReadWarning")
@pytest.mark.parametrize(
    "slip",
    [claiming("5"), claiming("-8"), claiming("0"), uneven, lengthened, without_thickness],
    ids=["another distance", "negative", "none", "uneven", "long cosines", "no thickness"],
)
def test_places_are_the_grids_whatever_a_header_claims(slip, tmp_path):
    scan = dicom_scan(GRID)
    for k, each in enumerate(scan.sources[0]):
        slip(each.dataset, k)
    write_scan(scan, tmp_path / "study")
    read = read_series(find_series(tmp_path / "study")[0])
    grid = read.scan.frames[0].geometry
    labels = random_labels(grid)
    (seg,) = write_seg([labels], read, [0], tmp_path / "a.seg.dcm", SAX)
    assert iod_errors(seg.path) == []
    for masks in (highdicom_masks(seg.path, grid), dcmqi_masks(seg.path, tmp_path, grid)):
        for structure in ACDC.structures:
            assert np.array_equal(masks[structure.value], labels.mask(structure.name))
    images = {each.sop_instance_uid: k for k, each in enumerate(read.sources[0])}
    made = dcmread(seg.path)
    (series,) = made.ReferencedSeriesSequence
    assert len(series.ReferencedInstanceSequence) == len(images)
    for frame, item in zip(made.pixel_array, made.PerFrameFunctionalGroupsSequence, strict=True):
        (source,) = item.DerivationImageSequence[0].SourceImageSequence
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        k = images[source.ReferencedSOPInstanceUID]
        assert np.array_equal(frame, (labels.array[:, :, k] == number).T)


def test_places_are_the_grids_whatever_an_object_of_several_frames_claims(tmp_path):
    labels = random_labels(GRID)
    scan = multiframe_scan(GRID, 2, 1)
    (shared,) = scan.sources[0][0].dataset.SharedFunctionalGroupsSequence
    shared.PixelMeasuresSequence[0].SpacingBetweenSlices = "5"
    for name in ("a", "b"):
        path = tmp_path / f"{name}.seg.dcm"
        write_seg([labels], scan, [1], path, SAX)
        assert iod_errors(path) == []
        (tmp_path / name).mkdir()
        masks = dcmqi_masks(path, tmp_path / name, GRID)
        assert all(np.array_equal(masks[s.value], labels.mask(s.name)) for s in ACDC.structures)
        # Second, with nothing that the frames share.
        shared.clear()


def multiframe_scan(grid: Geometry, phases: int, objects: int) -> DicomScan:
    """The same cine in enhanced MR objects: frames of all phases, the last slice's first."""
    scan = dicom_scan(grid, phases=phases)
    per_object = grid.shape[2] // objects
    holders = [enhanced(scan, n, per_object) for n in range(objects)]
    sources = tuple(
        tuple(
            SourceSlice(
                holders[k // per_object],
                (per_object - 1 - k % per_object) * phases + t + 1,
            )
            for k in range(grid.shape[2])
        )
        for t in range(phases)
    )
    return DicomScan(scan.scan, sources)


def enhanced(scan: DicomScan, number: int, per_object: int):
    first = scan.sources[0][number * per_object].dataset
    holder = highdicom.seg.sop.Dataset()
    holder.update(first)
    holder.file_meta = first.file_meta
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del holder[keyword]
    holder.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    phases = len(scan.sources)
    holder.NumberOfFrames = per_object * phases
    shared, frames = highdicom.seg.sop.Dataset(), []
    orientation, measures = type(holder)(), type(holder)()
    orientation.ImageOrientationPatient = first.ImageOrientationPatient
    measures.PixelSpacing, measures.SliceThickness = first.PixelSpacing, first.SliceThickness
    measures.SpacingBetweenSlices = first.SpacingBetweenSlices
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    holder.SharedFunctionalGroupsSequence = [shared]
    for k in reversed(range(number * per_object, (number + 1) * per_object)):
        for slices in scan.sources:
            position, frame = type(holder)(), type(holder)()
            position.ImagePositionPatient = slices[k].dataset.ImagePositionPatient
            frame.PlanePositionSequence = [position]
            frames.append(frame)
    holder.PerFrameFunctionalGroupsSequence = frames
    return holder


@pytest.mark.parametrize("objects", [1, 3, 6])
def test_multi_frame_sources_are_named_frame_by_frame(objects, tmp_path):
    grid = oblique_grid(signs=(1, -1, -1))
    scan = multiframe_scan(grid, 3, objects)
    labels = random_labels(grid)
    (seg,) = write_seg([labels], scan, [2], tmp_path / "a.seg.dcm", SAX)
    assert iod_errors(seg.path) == []
    masks = dcmqi_masks(seg.path, tmp_path, grid)
    assert all(np.array_equal(masks[s.value], labels.mask(s.name)) for s in ACDC.structures)
    read = dcmread(seg.path)
    places = {(s.sop_instance_uid, s.frame_number): k for k, s in enumerate(scan.sources[2])}
    for frame, item in zip(read.pixel_array, read.PerFrameFunctionalGroupsSequence, strict=True):
        (source,) = item.DerivationImageSequence[0].SourceImageSequence
        k = places[source.ReferencedSOPInstanceUID, source.ReferencedFrameNumber]
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        assert np.array_equal(frame, (labels.array[:, :, k] == number).T)
    listed = read.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert len(listed) == objects


def test_patient_and_study_are_the_sources_and_stand_nowhere_else(tmp_path):
    grid = oblique_grid()
    scan = dicom_scan(grid)
    source = scan.sources[0][0].dataset
    (seg,) = write_seg([random_labels(grid)], scan, [0], tmp_path / "a.seg.dcm", SAX)
    read = dcmread(seg.path)
    copied = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientSize")
    copied += ("PatientWeight", "StudyInstanceUID", "StudyDate", "StudyID", "AccessionNumber")
    copied += ("ReferringPhysicianName", "StudyDescription", "FrameOfReferenceUID")
    for keyword in copied:
        assert read[keyword].value == source[keyword].value, keyword
    assert read.SeriesInstanceUID != source.SeriesInstanceUID
    found = [
        e.keyword
        for e in read.iterall()
        if any(i in str(e.value) for i in IDENTITY if e.VR != "SQ")
    ]
    assert set(found) <= set(copied)


def test_segments_say_what_they_are_and_who_made_them(tmp_path):
    grid = oblique_grid()
    path = tmp_path / "a.seg.dcm"
    write_seg([random_labels(grid, MYOCARDIUM_BLOOD)], dicom_scan(grid), [0], path, SAX)
    read = dcmread(path)
    muscle, blood = read.SegmentSequence
    assert muscle.SegmentedPropertyTypeCodeSequence[0].CodeValue == "74281007"
    assert muscle.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    assert blood.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Blood"
    assert blood.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Body Substance"
    assert blood.AnatomicRegionSequence[0].CodeMeaning == "Heart"
    assert muscle.SegmentAlgorithmType == "AUTOMATIC"
    made_by = muscle.SegmentationAlgorithmIdentificationSequence[0]
    assert (made_by.AlgorithmName, made_by.AlgorithmVersion) == ("cardioseg sax", SAX.used_version)
    assert SAX.model_id in made_by.AlgorithmParameters
    colour = highdicom.color.CIELabColor.from_dicom_value(muscle.RecommendedDisplayCIELabValue)
    assert np.abs(np.subtract(colour.to_rgb(), (0x00, 0x9E, 0x73))).max() <= 2
    assert read.ContentQualification == "RESEARCH"
    assert read.SegmentationType == "BINARY"
    assert read.SoftwareVersions == SAX.used_version
    assert read.ManufacturerModelName == "cardioseg"


def test_scores_become_fractions(tmp_path):
    grid = oblique_grid()
    scores = np.random.default_rng(1).dirichlet(np.ones(4), grid.shape).astype(np.float32)
    scores = np.moveaxis(scores, -1, 0)
    path = tmp_path / "a.seg.dcm"
    write_fractional_seg([ScoreMap(scores, grid, ACDC)], dicom_scan(grid), [0], path, SAX)
    assert iod_errors(path) == []
    seg = highdicom.seg.segread(path)
    assert (seg.SegmentationType, seg.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    for frame, item in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        start = np.array(item.PlanePositionSequence[0].ImagePositionPatient, float) * LPS
        k = round(grid.to_index(start)[2])
        assert np.abs(frame / 255 - scores[number, :, :, k].T).max() <= 0.51 / 255


def test_uids_come_from_where_they_are_asked_for(tmp_path):
    grid = oblique_grid()
    numbers = count(1)
    (seg,) = write_seg(
        [random_labels(grid)],
        dicom_scan(grid),
        [0],
        tmp_path / "a.seg.dcm",
        SAX,
        lambda: f"2.25.{next(numbers)}",
    )
    assert seg.series_instance_uid == "2.25.1"
    assert dcmread(seg.path).SOPInstanceUID == seg.sop_instance_uid == "2.25.5"


def test_a_header_with_less_than_it_should_have_is_enough(tmp_path):
    grid = oblique_grid()
    scan = dicom_scan(grid)
    for source in scan.sources[0]:
        for keyword in ("AccessionNumber", "PatientBirthDate", "StudyID", "ReferringPhysicianName"):
            del source.dataset[keyword]
    path = tmp_path / "a.seg.dcm"
    write_seg([random_labels(grid)], scan, [0], path, SAX)
    assert iod_errors(path) == []
    assert "AccessionNumber" not in scan.sources[0][0].dataset


@pytest.mark.parametrize(
    ("source", "name", "written"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", ["ISO 2022 IR 6", "ISO 2022 IR 87"]),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞", ["ISO 2022 IR 6", "ISO 2022 IR 149"]),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", None),
        ("ISO_IR 100", "Müller^Jörg", None),
        ("ISO_IR 192", "Ωmega^Ж", None),
        ("GB18030", "Wang^XiaoDong=王^小东", None),
        ("ISO-IR 100", "Müller^Jörg", "ISO_IR 192"),
        ("ISO_IR 6", "Doe^Jane", ""),
        ("", "Doe^Jane", ""),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Incorrect value for Specific Character Set")
@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_names_in_any_script_survive(source, name, written, tmp_path):
    scan = dicom_scan(GRID)
    for each in scan.sources[0]:
        each.dataset.SpecificCharacterSet = source
        each.dataset.PatientName = name
        each.dataset.StudyDescription = name.rpartition("=")[2]
    write_scan(scan, tmp_path / "study")
    read = read_series(find_series(tmp_path / "study")[0])
    write_seg([random_labels(read.scan.frames[0].geometry)], read, [0], tmp_path / "a.dcm", SAX)
    write_sr([Measurement("volume", "LV cavity", 1.0, "ml")], read, tmp_path / "b.dcm", SAX)
    for path in (tmp_path / "a.dcm", tmp_path / "b.dcm"):
        made = dcmread(path)
        assert str(made.PatientName) == name
        assert made.StudyDescription == name.rpartition("=")[2]
        assert made.get("SpecificCharacterSet", "") == (source if written is None else written)


def odd(keyword: str, value: str, *, slices: slice = slice(3, 4)) -> DicomScan:
    scan = dicom_scan(GRID)
    for source in scan.sources[0][slices]:
        setattr(source.dataset, keyword, value)
    return scan


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientSex", "U"),
        ("PatientSex", "m"),
        ("PatientBirthDate", "1970"),
        ("PatientBirthDate", "19700000"),
        ("StudyDate", "20201301"),
        ("StudyTime", "12:00:00"),
    ],
)
def test_what_dicom_does_not_allow_of_patient_and_study_is_left_empty_and_told(
    keyword, value, tmp_path
):
    scan = odd(keyword, value, slices=slice(None))
    seg, sr = tmp_path / "a.seg.dcm", tmp_path / "a.sr.dcm"
    for write in (
        lambda: write_seg([random_labels(GRID)], scan, [0], seg, SAX),
        lambda: write_sr([Measurement("volume", "LV cavity", 1.0, "ml")], scan, sr, SAX),
    ):
        with pytest.warns(ReadWarning, match=f"^{keyword} of the source images") as told:
            write()
        words = [str(each.message) for each in told if each.category is ReadWarning]
        assert len(words) == 1
        assert value not in words[0].removeprefix(keyword).split()
    for path in (seg, sr):
        assert iod_errors(path) == []
        assert not dcmread(path)[keyword].value
    assert scan.sources[0][0].dataset[keyword].value == value


def test_a_value_that_dicom_does_not_allow_is_told_without_it(tmp_path, monkeypatch):
    monkeypatch.setattr("cardioseg.io.dicom_objects._CHECKED", {})
    scan = odd("PatientSex", "SECRET", slices=slice(None))
    for write in (
        lambda: write_seg([random_labels(GRID)], scan, [0], tmp_path / "a.seg.dcm", SAX),
        lambda: write_sr(
            [Measurement("volume", "LV cavity", 1.0, "ml")], scan, tmp_path / "a.sr.dcm", SAX
        ),
    ):
        with pytest.raises(FormatError, match="DICOM does not allow") as told:
            write()
        assert "SECRET" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def without(scan: DicomScan, keyword: str) -> DicomScan:
    for source in scan.sources[0]:
        del source.dataset[keyword]
    return scan


def sheared(grid: Geometry) -> Geometry:
    affine = grid.affine.copy()
    affine[:3, 2] += affine[:3, 0]
    return Geometry(grid.shape, affine)


@pytest.mark.parametrize(
    ("labels", "scan", "phases", "error", "words"),
    [
        ([], dicom_scan(GRID), [], FormatError, "0 segmentations"),
        ([GRID], dicom_scan(GRID), [0, 1], FormatError, "give one each"),
        ([GRID, GRID], dicom_scan(GRID, phases=2), [1, 1], FormatError, "give one each"),
        ([GRID], dicom_scan(GRID), [1], FormatError, "phase 2 of a scan of 1"),
        ([oblique_grid((14, 11, 5))], dicom_scan(GRID), [0], GeometryError, "different grids"),
        ([oblique_grid(signs=(1, 1, -1))], dicom_scan(GRID), [0], GeometryError, "mm apart"),
        ([sheared(GRID)], dicom_scan(sheared(GRID)), [0], GeometryError, "sheared"),
        ([GRID], without(dicom_scan(GRID), "FrameOfReferenceUID"), [0], FormatError, "place"),
        ([GRID], without(dicom_scan(GRID), "StudyInstanceUID"), [0], FormatError, "StudyInst"),
        ([GRID], odd("FrameOfReferenceUID", ""), [0], FormatError, "lack FrameOfRef"),
        ([GRID], odd("FrameOfReferenceUID", "1.2"), [0], FormatError, "differ in FrameOfRef"),
        ([GRID], odd("StudyInstanceUID", "1.2"), [0], FormatError, "differ in StudyInst"),
    ],
)
def test_what_cannot_be_a_seg_is_told(labels, scan, phases, error, words, tmp_path):
    maps = [random_labels(grid) for grid in labels]
    with pytest.raises(error, match=words):
        write_seg(maps, scan, phases, tmp_path / "a.seg.dcm", SAX)
    assert list(tmp_path.iterdir()) == []


def test_phases_of_different_schemes_are_refused(tmp_path):
    maps = [random_labels(GRID), random_labels(GRID, HVSMR2)]
    with pytest.raises(LabelError, match="different schemes"):
        write_seg(maps, dicom_scan(GRID, phases=2), [0, 1], tmp_path / "a.seg.dcm", SAX)


def test_scores_of_another_shape_are_refused(tmp_path):
    scores = ScoreMap(np.zeros((3, *GRID.shape), np.float32), GRID, ACDC)
    with pytest.raises(CardiosegError, match=r"give \(4, 14, 11, 6\)"):
        write_fractional_seg([scores], dicom_scan(GRID), [0], tmp_path / "a.seg.dcm", SAX)


def test_a_name_without_our_suffix_gets_the_phase_too(tmp_path):
    assert phase_path(tmp_path / "b.dcm", 0, 2).name == "b-phase01.dcm"
