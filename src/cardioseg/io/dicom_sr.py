"""DICOM SR: measurements as a TID 1500 report, unverified, beside the segments they are of."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from highdicom import sr
from pydicom import Dataset
from pydicom.uid import UID, SegmentationStorage

from cardioseg.core.labels import Code
from cardioseg.core.measurement import Measurement
from cardioseg.errors import FormatError
from cardioseg.io.dicom.source import DicomScan, SourceSlice
from cardioseg.io.dicom_codes import (
    ANATOMICAL_STRUCTURE,
    CARDIAC_MRI,
    phase_code,
    quantity_code,
    site_code,
    unit_code,
)
from cardioseg.io.dicom_objects import (
    MANUFACTURER,
    MODEL_NAME,
    RESEARCH_ONLY,
    SERIAL_NUMBER,
    Algorithm,
    complete_header,
    concept,
    first_slice,
    headers,
    made_of_headers,
    random_uid,
    save,
    series_number,
    short,
)
from cardioseg.io.dicom_seg_file import SegFile, Segment

SUFFIX = ".sr.dcm"

_SR_SERIES_OFFSET = 1000
_DEVICE: Code = ("DCM", "121007", "Device")
_ENGLISH: Code = ("RFC5646", "en", "English")
_REPORT: Code = ("DCM", "126000", "Imaging Measurement Report")
_UNKNOWN: Code = ("DCM", "114010", "Value unknown")
_COMMENT: Code = ("DCM", "121106", "Comment")


class _Shared(TypedDict):
    """What both kinds of measurement groups say."""

    time_point_context: sr.TimePointContext | None
    finding_type: sr.CodedConcept
    finding_category: sr.CodedConcept
    algorithm_id: sr.AlgorithmIdentification
    finding_sites: list[sr.FindingSite]
    measurements: list[sr.Measurement]
    qualitative_evaluations: list[sr.QualitativeEvaluation]


Group = (
    sr.MeasurementsAndQualitativeEvaluations | sr.VolumetricROIMeasurementsAndQualitativeEvaluations
)


def write_sr(
    measurements: Sequence[Measurement],
    source: DicomScan,
    path: Path,
    algorithm: Algorithm,
    segs: Mapping[str, SegFile] | None = None,
    comments: Sequence[str] = (),
) -> str:
    """Write measurements as a structured report (Comprehensive SR, TID 1500).

    The report is preliminary and UNVERIFIED, its observer the program and no person. It is PARTIAL
    where a value is undefined: that value stands in it as unknown.

    Parameters
    ----------
    measurements
        At least one; those of one structure and phase make a group.
    source
        The scan, whose patient and study are copied and whose images are the evidence.
    path
        Where the report goes, `NAME.sr.dcm`.
    algorithm
        What made the segmentation.
    segs
        The SEG of each phase (`ED`, `ES`, or an empty name for a still volume); a group whose
        structure and phase has a segment refers to it.
    comments
        Sentences for whoever reads the report, in English; TID 1500 may be extended by them.

    Returns
    -------
    str
        The report's SOP instance UID.

    Raises
    ------
    FormatError
        If there is no measurement, the source lacks a UID, or the file cannot be written.
    """
    if not measurements:
        raise FormatError("no measurements: there is nothing to write a report of")
    found = segs or {}
    groups = [
        _group(key, group, (source, algorithm), found.get(key[1]))
        for key, group in _grouped(measurements).items()
    ]
    report = sr.MeasurementReport(
        observation_context=_context(algorithm),
        procedure_reported=concept(CARDIAC_MRI),
        imaging_measurements=groups,
        title=concept(_REPORT),
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            concept(_ENGLISH)
        ),
    )
    report[0].ContentSequence.extend(
        sr.TextContentItem(concept(_COMMENT), each, sr.RelationshipTypeValues.CONTAINS)
        for each in comments
    )
    instance = random_uid()
    with made_of_headers("SR"):
        document = sr.ComprehensiveSR(
            evidence=[*_images(source), *(_evidence(each, source) for each in found.values())],
            content=report,
            series_instance_uid=random_uid(),
            series_number=series_number(first_slice(source)) + _SR_SERIES_OFFSET,
            sop_instance_uid=instance,
            instance_number=1,
            manufacturer=MANUFACTURER,
            is_complete=all(each.value is not None for each in measurements),
            is_final=False,
            is_verified=False,
            manufacturer_model_name=MODEL_NAME,
            software_versions=algorithm.used_version,
            device_serial_number=SERIAL_NUMBER,
            series_description=short(f"{algorithm.full_name}, {RESEARCH_ONLY}"),
        )
    save(document, path, first_slice(source))
    return instance


def _grouped(measurements: Sequence[Measurement]) -> dict[tuple[str, str], list[Measurement]]:
    """Measurements by structure and phase, in the order of their first."""
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for each in measurements:
        groups.setdefault((each.structure, each.phase), []).append(each)
    return groups


def _images(source: DicomScan) -> list[Dataset]:
    """Headers of all source objects, each once."""
    return headers([each for slices in source.sources for each in slices])


def _evidence(seg: SegFile, source: DicomScan) -> Dataset:
    """What a report's list of evidence says of a SEG."""
    evidence = Dataset()
    evidence.SOPClassUID = SegmentationStorage
    evidence.SOPInstanceUID = seg.sop_instance_uid
    evidence.SeriesInstanceUID = seg.series_instance_uid
    evidence.StudyInstanceUID = complete_header(first_slice(source)).StudyInstanceUID
    return evidence


def _context(algorithm: Algorithm) -> sr.ObservationContext:
    """The observer: this program with this model, the same device wherever it runs."""
    made_by = f"{MODEL_NAME}/{algorithm.used_version}/{algorithm.model_id}"
    device = UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, made_by).int}")
    attributes = sr.DeviceObserverIdentifyingAttributes(
        uid=device,
        name=algorithm.full_name,
        manufacturer_name=MANUFACTURER,
        model_name=f"{algorithm.full_name}, model {algorithm.model_id}",
        serial_number=algorithm.used_version,
    )
    observer = sr.ObserverContext(
        observer_type=concept(_DEVICE), observer_identifying_attributes=attributes
    )
    return sr.ObservationContext(observer_device_context=observer)


def _group(
    key: tuple[str, str],
    measurements: Sequence[Measurement],
    made: tuple[DicomScan, Algorithm],
    seg: SegFile | None,
) -> Group:
    """The measurements of one structure in one phase; of its segment where there is one."""
    structure, phase = key
    source, algorithm = made
    site = concept(site_code(structure))
    shared: _Shared = {
        "time_point_context": _time_point(phase),
        "finding_type": site,
        "finding_category": concept(ANATOMICAL_STRUCTURE),
        "algorithm_id": sr.AlgorithmIdentification(
            name=algorithm.full_name,
            version=algorithm.used_version,
            parameters=[f"model_id={algorithm.model_id}"],
        ),
        "finding_sites": [sr.FindingSite(site)],
        "measurements": [
            _measurement(each, each.value) for each in measurements if each.value is not None
        ],
        "qualitative_evaluations": [_undefined(e) for e in measurements if e.value is None],
    }
    segment = _segment(seg, structure)
    if seg is None or segment is None:
        words = short(f"{MODEL_NAME} {structure} {phase}".strip())
        return sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(uid=random_uid(), identifier=words), **shared
        )
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=segment.tracking_uid, identifier=segment.tracking_id
        ),
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=SegmentationStorage,
            sop_instance_uid=seg.sop_instance_uid,
            segment_number=segment.number,
            **_made_from(source.sources[seg.phase]),
        ),
        **shared,
    )


def _segment(seg: SegFile | None, structure: str) -> Segment | None:
    for segment in seg.segments if seg else ():
        if segment.structure == structure:
            return segment
    return None


class _MadeFrom(TypedDict, total=False):
    source_series: sr.SourceSeriesForSegmentation
    source_images: list[sr.SourceImageForSegmentation]


def _made_from(slices: Sequence[SourceSlice]) -> _MadeFrom:
    """The series that a segment was made from; the images, where they are of several series."""
    series = {str(each.dataset.SeriesInstanceUID) for each in slices}
    if len(series) == 1:
        return {"source_series": sr.SourceSeriesForSegmentation(series.pop())}
    images = {each.sop_instance_uid: each.sop_class_uid for each in slices}
    return {
        "source_images": [
            sr.SourceImageForSegmentation(kind, instance) for instance, kind in images.items()
        ]
    }


def _time_point(phase: str) -> sr.TimePointContext | None:
    code = phase_code(phase)
    if code is None:
        return None
    return sr.TimePointContext(time_point=phase, time_point_type=concept(code))


def _measurement(measurement: Measurement, value: float) -> sr.Measurement:
    unit = concept(unit_code(measurement.unit))
    properties = None
    if measurement.low is not None and measurement.high is not None:
        # DICOM gives the bounds of an interval as distances from the value.
        properties = sr.MeasurementProperties(
            upper_measurement_uncertainty=_number(measurement.high - value),
            lower_measurement_uncertainty=_number(value - measurement.low),
        )
        for item in properties:
            # highdicom writes them without a unit; they have the value's.
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence = [unit]
    return sr.Measurement(
        name=concept(quantity_code(measurement)),
        value=_number(value),
        unit=unit,
        properties=properties,
    )


def _number(value: float) -> float:
    """Six digits: what a decimal string holds, and more than any measurement has."""
    return float(f"{value:.6g}")


def _undefined(measurement: Measurement) -> sr.QualitativeEvaluation:
    """An undefined value, told in a code: common readers stumble over a number without value."""
    return sr.QualitativeEvaluation(
        name=concept(quantity_code(measurement)), value=concept(_UNKNOWN)
    )
