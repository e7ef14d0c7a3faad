"""DICOM SEG: a label map on its source images, a segment for each structure, an object a phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import highdicom
import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry, require_same_grid
from cardioseg.core.labels import LabelScheme, Structure
from cardioseg.core.volume import LabelMap
from cardioseg.errors import FormatError, GeometryError, LabelError
from cardioseg.io.dicom.source import DicomScan
from cardioseg.io.dicom_codes import segment_codes
from cardioseg.io.dicom_objects import (
    MANUFACTURER,
    MODEL_NAME,
    RESEARCH_ONLY,
    SERIAL_NUMBER,
    Algorithm,
    NewUid,
    concept,
    headers,
    made_of_headers,
    random_uid,
    save,
    series_number,
    short,
)
from cardioseg.io.dicom_seg_file import SegFile, Segment, phase_path
from cardioseg.io.dicom_seg_planes import header_on, name_source_frames, positions_of

Frames = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """Class scores on a grid, for a FRACTIONAL SEG.

    Parameters
    ----------
    array
        Probabilities (classes, I, J, K), 0 to 1, background first.
    geometry
        The grid.
    scheme
        What the classes mean.
    """

    array: NDArray[np.float32]
    geometry: Geometry
    scheme: LabelScheme


def write_seg(
    labels: Sequence[LabelMap],
    source: DicomScan,
    phases: Sequence[int],
    path: Path,
    algorithm: Algorithm,
    new_uid: NewUid = random_uid,
) -> tuple[SegFile, ...]:
    """Write label maps as BINARY segmentations of their source images.

    Parameters
    ----------
    labels
        One label map a phase, on the scan's grid, all of one scheme.
    source
        The scan and its DICOM slices.
    phases
        Which frame of the scan each label map is of, from 0.
    path
        Where the SEG goes, `NAME.seg.dcm`. Of several phases each has its own file, with the
        phase in the name: `NAME-phase07.seg.dcm` is the seventh.
    algorithm
        What made the labels.
    new_uid
        Where new UIDs come from; tests give fixed ones.

    Returns
    -------
    tuple of SegFile
        In the order of `phases`. All are instances of one new series of the source's study.

    Raises
    ------
    LabelError
        If the label maps are of different schemes.
    GeometryError
        If a label map is not on the scan's grid, or the stack is sheared.
    FormatError
        If the source lacks what a SEG needs, or a file cannot be written.
    """
    masks = [_binary(each) for each in labels]
    return _write(masks, labels, (source, phases, path, algorithm), new_uid)


def write_fractional_seg(
    scores: Sequence[ScoreMap],
    source: DicomScan,
    phases: Sequence[int],
    path: Path,
    algorithm: Algorithm,
    new_uid: NewUid = random_uid,
) -> tuple[SegFile, ...]:
    """Write class probabilities as FRACTIONAL segmentations, in steps of 1/255.

    Parameters, result and errors are those of :func:`write_seg`, with scores instead of labels.
    """
    frames = [_fractions(each) for each in scores]
    return _write(frames, scores, (source, phases, path, algorithm), new_uid)


def _binary(labels: LabelMap) -> Frames:
    """(K, J, I, segments) uint8: frames of the stack, rows down, columns across."""
    values = np.array([each.value for each in labels.scheme.structures], np.uint8)
    frames = np.ascontiguousarray(labels.array.transpose(2, 1, 0))
    masks: NDArray[np.uint8] = (frames[..., None] == values).astype(np.uint8)
    return masks


def _fractions(scores: ScoreMap) -> Frames:
    array = np.asarray(scores.array, np.float32)
    if array.shape != (scores.scheme.class_count, *scores.geometry.shape):
        raise FormatError(
            f"scores of shape {array.shape}; give ({scores.scheme.class_count}, "
            f"{', '.join(map(str, scores.geometry.shape))})"
        )
    frames: NDArray[np.float32] = np.clip(array[1:].transpose(3, 2, 1, 0), 0.0, 1.0)
    return frames


def _write(
    frames: Sequence[Frames],
    given: Sequence[LabelMap | ScoreMap],
    target: tuple[DicomScan, Sequence[int], Path, Algorithm],
    new_uid: NewUid,
) -> tuple[SegFile, ...]:
    source, phases, path, algorithm = target
    _require_fit(given, source, phases)
    scheme = given[0].scheme
    series_uid = new_uid()
    segments = tuple(
        Segment(each.name, each.value, short(f"{MODEL_NAME} {each.name}"), new_uid())
        for each in scheme.structures
    )
    written = []
    for instance, (phase, pixels) in enumerate(zip(phases, frames, strict=True), start=1):
        place = phase_path(path, phase, len(phases))
        descriptions = [
            _description(structure, segment, algorithm)
            for structure, segment in zip(scheme.structures, segments, strict=True)
        ]
        uids = (series_uid, new_uid())
        with made_of_headers("SEG"):
            seg = _segmentation(pixels, (source, phase, instance), descriptions, algorithm, uids)
        save(seg, place, source.sources[phase][0])
        written.append(SegFile(place, phase, uids[1], series_uid, segments))
    return tuple(written)


def _require_fit(
    given: Sequence[LabelMap | ScoreMap], source: DicomScan, phases: Sequence[int]
) -> None:
    """Refuse what cannot be one series of segmentations of this scan."""
    if not given or len(given) != len(phases) or len(set(phases)) != len(phases):
        raise FormatError(
            f"{len(given)} segmentations for the phases {list(phases)}; give one each"
        )
    count = len(source.scan.frames)
    outside = [phase for phase in phases if not 0 <= phase < count]
    if outside:
        raise FormatError(f"phase {outside[0] + 1} of a scan of {count}")
    names = sorted({each.scheme.name for each in given})
    if len(names) > 1:
        raise LabelError(f"segmentations of different schemes: {', '.join(names)}; write one")
    grid = source.scan.frames[0].geometry
    for phase, each in zip(phases, given, strict=True):
        require_same_grid(each.geometry, grid, f"phase {phase + 1}: labels and source images")
    if not grid.is_orthogonal:
        raise GeometryError(
            f"{grid.describe()}: a sheared stack has no SEG; write NIfTI (--write nifti)"
        )
    slices = [each.dataset for phase in phases for each in source.sources[phase]]
    for name in ("FrameOfReferenceUID", "StudyInstanceUID"):
        values = {str(each.get(name) or "") for each in slices}
        if "" in values or len(values) > 1:
            found = "lack" if "" in values else "differ in"
            raise FormatError(
                f"the source images {found} {name}, so a SEG has no place in the patient's "
                "study; take the images from the archive, or write NIfTI (--write nifti)"
            )


def _description(
    structure: Structure, segment: Segment, algorithm: Algorithm
) -> SegmentDescription:
    codes = segment_codes(structure)
    return SegmentDescription(
        segment_number=segment.number,
        segment_label=short(structure.name),
        segmented_property_category=concept(codes.category),
        segmented_property_type=concept(codes.type),
        algorithm_type=algorithm.kind,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=algorithm.full_name,
            family=concept(algorithm.family),
            version=algorithm.used_version,
            source=MANUFACTURER,
            parameters={"model_id": algorithm.model_id},
        ),
        tracking_uid=segment.tracking_uid,
        tracking_id=segment.tracking_id,
        anatomic_regions=[concept(codes.region)] if codes.region else None,
        display_color=highdicom.color.CIELabColor.from_string(structure.color),
    )


def _segmentation(
    pixels: Frames,
    place: tuple[DicomScan, int, int],
    descriptions: Sequence[SegmentDescription],
    algorithm: Algorithm,
    uids: tuple[str, str],
) -> Segmentation:
    source, phase, instance = place
    slices = source.sources[phase]
    grid = source.scan.frames[phase].geometry
    seg = Segmentation(
        source_images=[header_on(grid, headers(slices)[0])],
        pixel_array=pixels,
        segmentation_type="BINARY" if pixels.dtype == np.uint8 else "FRACTIONAL",
        segment_descriptions=descriptions,
        series_instance_uid=uids[0],
        series_number=series_number(slices[0]),
        sop_instance_uid=uids[1],
        instance_number=instance,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=algorithm.used_version,
        device_serial_number=SERIAL_NUMBER,
        content_label="CARDIOSEG",
        content_description=_told(source, phase),
        series_description=short(f"{algorithm.full_name}, {RESEARCH_ONLY}"),
        # Also empty ones: a reader then finds the source's grid again, and a structure that was
        # looked for and not found.
        omit_empty_frames=False,
        plane_positions=positions_of(grid),
    )
    seg.ContentQualification = "RESEARCH"
    seg.ContentCreatorName = ""
    name_source_frames(seg, slices, grid)
    return seg


def _told(source: DicomScan, phase: int) -> str:
    """What a viewer shows of the phase; no identifiers."""
    count = len(source.scan.frames)
    if count == 1:
        return f"Heart, {RESEARCH_ONLY}"
    times = source.scan.times_ms
    when = f", {times[phase]:.0f} ms" if times else ""
    return f"Heart, cardiac phase {phase + 1} of {count}{when}, {RESEARCH_ONLY}"
