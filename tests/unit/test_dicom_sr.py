"""DICOM SR: what was measured, of which segment, by a program, verified by nobody."""

from __future__ import annotations

import subprocess

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from tests.dicom_checks import dcmqi_report, iod_errors, program
from tests.dicom_sources import dicom_scan, oblique_grid

from cardioseg.core.labels import ACDC
from cardioseg.core.measurement import Measurement
from cardioseg.core.volume import LabelMap
from cardioseg.errors import FormatError
from cardioseg.io.dicom_codes import quantity_code, site_code, unit_code
from cardioseg.io.dicom_objects import Algorithm
from cardioseg.io.dicom_seg import write_seg
from cardioseg.io.dicom_sr import write_sr

SAX = Algorithm("sax", "0123456789abcdef")

MEASURED = (
    Measurement("volume", "LV cavity", 120.123456789012345, "ml", 110.0, 131.5, "ED"),
    Measurement("end-systolic volume", "LV cavity", 100 / 3, "ml", phase="ES"),
    Measurement("mass", "myocardium", 98.7, "g", phase="ED"),
    Measurement("end-diastolic volume index", "LV cavity", 70.5, "ml/m2", phase="ED"),
    Measurement("ejection fraction", "LV cavity", 72.25, "%"),
    Measurement("peak filling rate", "LV cavity", 1e-7, "ml/s"),
)


def written(tmp_path, measurements=MEASURED):
    """A report on a cine of two phases, and what it refers to."""
    grid = oblique_grid()
    scan = dicom_scan(grid, phases=2)
    rng = np.random.default_rng(0)
    maps = [LabelMap(rng.integers(0, 4, grid.shape, np.uint8), grid, ACDC) for _ in range(2)]
    ed, es = write_seg(maps, scan, [0, 1], tmp_path / "a.seg.dcm", SAX)
    path = tmp_path / "a.sr.dcm"
    uid = write_sr(measurements, scan, path, SAX, {"ED": ed, "ES": es})
    assert dcmread(path).SOPInstanceUID == uid
    return path, scan, ed, es


def numbers(path) -> dict[str, tuple[float, str]]:
    """Value and unit of every measurement, by the meaning of its name."""
    report = highdicom.sr.srread(path).content
    groups = [
        *report.get_volumetric_roi_measurement_groups(),
        *report.get_image_measurement_groups(),
    ]
    found = [m for group in groups for m in group.get_measurements()]
    return {m.name.meaning: (float(m.value), m.unit.value) for m in found}


def test_values_come_back_under_their_codes_and_units(tmp_path):
    path, *_ = written(tmp_path)
    assert numbers(path) == {
        "Left Ventricular ED Volume": (120.123, "ml"),
        "Left Ventricular ES Volume": (33.3333, "ml"),
        "Mass": (98.7, "g"),
        "end-diastolic volume index": (70.5, "ml/m2"),
        "Left ventricular ejection fraction by MR": (72.25, "%"),
        "peak filling rate": (1e-7, "ml/s"),
    }


def test_groups_refer_to_the_segments_of_their_phase(tmp_path):
    path, _, ed, es = written(tmp_path)
    report = highdicom.sr.srread(path).content
    groups = report.get_volumetric_roi_measurement_groups()
    found = [
        (
            group.referenced_segment[0].referenced_sop_instance_uid,
            int(group.referenced_segment[0].referenced_segment_numbers[0]),
            group.tracking_uid,
            group.finding_type.value,
        )
        for group in groups
    ]
    lv, muscle = ed.segments[2].tracking_uid, ed.segments[1].tracking_uid
    assert found == [
        (ed.sop_instance_uid, 3, lv, "87878005"),
        (es.sop_instance_uid, 3, lv, "87878005"),
        (ed.sop_instance_uid, 2, muscle, "74281007"),
    ]
    (whole_cycle,) = report.get_image_measurement_groups()
    assert [m.name.value for m in whole_cycle.get_measurements()] == ["8811-2", "PEAK_FILL_D20D08"]


def test_the_interval_stands_beside_its_value_in_its_unit(tmp_path):
    path, *_ = written(tmp_path, MEASURED[:1])
    found = {
        item.ConceptNameCodeSequence[0].CodeMeaning[0]: (
            float(item.MeasuredValueSequence[0].NumericValue),
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for item in items(dcmread(path))
        if "measurement uncertainty" in item.ConceptNameCodeSequence[0].CodeMeaning
    }
    assert found == {"+": (11.3765, "ml"), "-": (10.1235, "ml")}


def items(content):
    """All content items of a report."""
    for item in content.get("ContentSequence", ()):
        yield item
        yield from items(item)


def test_a_report_is_unverified_preliminary_and_by_a_device(tmp_path):
    path, *_ = written(tmp_path)
    read = dcmread(path)
    assert (read.VerificationFlag, read.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert read.CompletionFlag == "COMPLETE"
    told = {
        item.ConceptNameCodeSequence[0].CodeMeaning: item
        for item in items(read)
        if "Observer" in item.ConceptNameCodeSequence[0].CodeMeaning
    }
    assert told["Observer Type"].ConceptCodeSequence[0].CodeMeaning == "Device"
    assert told["Device Observer Name"].TextValue == "cardioseg sax"
    assert SAX.model_id in told["Device Observer Model Name"].TextValue
    assert not any("Person" in name for name in told)


def test_the_same_program_and_model_is_the_same_device(tmp_path):
    observers = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        path, *_ = written(tmp_path / name)
        uids = [i.UID for i in items(dcmread(path)) if i.ValueType == "UIDREF"]
        observers.add(uids[0])
    assert len(observers) == 1


def test_an_undefined_value_is_told_and_makes_the_report_partial(tmp_path):
    undefined = Measurement("stroke volume", "LV cavity", None, "ml", note="no end-systole")
    path, *_ = written(tmp_path, (*MEASURED[:1], undefined))
    assert dcmread(path).CompletionFlag == "PARTIAL"
    assert list(numbers(path)) == ["Left Ventricular ED Volume"]
    (group,) = highdicom.sr.srread(path).content.get_image_measurement_groups()
    told = {e.name.meaning: e.value.meaning for e in group.get_qualitative_evaluations()}
    assert told["Stroke Volume"] == "Value unknown"
    assert iod_errors(path) == []


def test_patient_and_study_are_the_sources_and_all_images_are_evidence(tmp_path):
    path, scan, ed, es = written(tmp_path)
    read, source = dcmread(path), scan.sources[0][0].dataset
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber", "StudyDate"):
        assert read[keyword].value == source[keyword].value
    listed = {
        item.ReferencedSOPInstanceUID
        for name in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in read.get(name, ())
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    images = {s.sop_instance_uid for slices in scan.sources for s in slices}
    assert listed == images | {ed.sop_instance_uid, es.sop_instance_uid}


def test_a_checker_of_the_standard_finds_no_error(tmp_path):
    path, *_ = written(tmp_path)
    assert iod_errors(path) == []


def test_dcmqi_reads_the_report(tmp_path):
    path, _, ed, _ = written(tmp_path)
    read = dcmqi_report(path, tmp_path)
    assert (read["CompletionFlag"], read["VerificationFlag"]) == ("COMPLETE", "UNVERIFIED")
    group = read["Measurements"][0]
    assert group["ReferencedSegment"] == 3
    assert group["TrackingUniqueIdentifier"] == ed.segments[2].tracking_uid
    item = group["measurementItems"][0]
    assert item["quantity"]["CodeValue"] == "8821-1"
    assert (item["value"], item["units"]["CodeValue"]) == ("120.123", "ml")


def test_dsrdump_reads_the_report(tmp_path):
    path, *_ = written(tmp_path)
    run = [program("dsrdump"), str(path)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert '"Left ventricular ejection fraction by MR")="72.25" (%,UCUM,"percent")' in done.stdout


def test_a_still_volume_has_a_report_without_phases(tmp_path):
    grid = oblique_grid()
    scan = dicom_scan(grid)
    labels = LabelMap(np.full(grid.shape, 2, np.uint8), grid, ACDC)
    (seg,) = write_seg([labels], scan, [0], tmp_path / "a.seg.dcm", SAX)
    measured = [Measurement("volume", "myocardium", 13.9, "ml")]
    write_sr(measured, scan, tmp_path / "a.sr.dcm", SAX, {"": seg})
    assert numbers(tmp_path / "a.sr.dcm") == {"Volume": (13.9, "ml")}
    assert iod_errors(tmp_path / "a.sr.dcm") == []


def test_images_of_several_series_are_named_one_by_one(tmp_path):
    grid = oblique_grid()
    scan = dicom_scan(grid)
    for number, source in enumerate(scan.sources[0], start=1):
        source.dataset.SeriesInstanceUID = f"2.25.{number}"
    labels = LabelMap(np.full(grid.shape, 2, np.uint8), grid, ACDC)
    (seg,) = write_seg([labels], scan, [0], tmp_path / "a.seg.dcm", SAX)
    listed = dcmread(seg.path).ReferencedSeriesSequence
    assert {each.SeriesInstanceUID for each in listed} == {f"2.25.{n}" for n in range(1, 7)}
    measured = [Measurement("volume", "myocardium", 13.9, "ml")]
    path = tmp_path / "a.sr.dcm"
    write_sr(measured, scan, path, SAX, {"": seg})
    (group,) = highdicom.sr.srread(path).content.get_volumetric_roi_measurement_groups()
    assert len(group.referenced_segment) == 1 + len(scan.sources[0])
    assert iod_errors(seg.path) == iod_errors(path) == []


def test_a_report_without_measurements_is_refused(tmp_path):
    with pytest.raises(FormatError, match="no measurements"):
        write_sr([], dicom_scan(oblique_grid()), tmp_path / "a.sr.dcm", SAX)


def test_codes_fall_back_from_the_ventricle_to_the_general_to_our_own():
    def named(quantity, structure, phase=""):
        return quantity_code(Measurement(quantity, structure, 1.0, "ml", phase=phase))

    assert named("volume", "RV cavity", "ES") == ("LN", "8824-5", "Right Ventricular ES Volume")
    assert named("end-diastolic volume", "LV")[1] == "8821-1"
    assert named("volume", "myocardium", "ED")[2] == "Volume"
    assert named("stroke volume", "LV cavity")[1] == "90096001"
    assert named("stroke volume", "RV cavity")[1] == "429483009"
    assert named("myocardial mass", "myocardium")[2] == "Mass"
    assert named("torsion", "LV cavity") == ("99CARDIOSEG", "TORSION", "torsion")
    assert site_code("blood pool")[2] == "Heart"
    assert site_code("myocardium, apex (AHA 17)")[2] == "Apex of left ventricle"
    assert site_code("septum")[0] == "99CARDIOSEG"
    assert unit_code("furlong") == ("UCUM", "furlong", "furlong")
