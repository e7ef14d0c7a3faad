"""SEG and SR of a result: the kinds of output that an archive stores beside their source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cardioseg.errors import FormatError
from cardioseg.io.dicom.source import DicomScan
from cardioseg.io.dicom_objects import (
    ARTIFICIAL_INTELLIGENCE,
    DEFORMABLE_MODELS,
    HISTOGRAM_ANALYSIS,
    Algorithm,
)
from cardioseg.io.dicom_seg import write_seg
from cardioseg.io.dicom_seg_file import SUFFIX as SEG_SUFFIX
from cardioseg.io.dicom_seg_file import SegFile, phase_path
from cardioseg.io.dicom_seg_read import read_seg_file
from cardioseg.io.dicom_sr import SUFFIX as SR_SUFFIX
from cardioseg.io.dicom_sr import write_sr
from cardioseg.workflows.judging import quality_lines
from cardioseg.workflows.result import Result

WITHHELD = "rejected by the quality gate"

PERSON = "person"
"""Engine of labels that a person corrected."""

_FAMILIES = {"otsu": HISTOGRAM_ANALYSIS, "active-contour": DEFORMABLE_MODELS}


def write_seg_of(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME.seg.dcm; of several frames NAME-phaseNN.seg.dcm each."""
    written = write_seg(
        result.chosen, _source(result), result.phases, _seg_path(result, folder), algorithm(result)
    )
    return tuple(each.path for each in written)


def write_sr_of(result: Result, folder: Path, *, withhold: bool = False) -> tuple[Path, ...]:
    """Write NAME.sr.dcm: the measurements, beside the SEG of this result if it is in the folder.

    Parameters
    ----------
    result
        The result; its quality and the reasons for it stand in the report as comments.
    folder
        Where the report goes.
    withhold
        Write each measurement as unknown: of labels that nobody should rely on.
    """
    measurements = result.measurements
    if withhold:
        measurements = tuple(
            replace(each, value=None, low=None, high=None, note=WITHHELD) for each in measurements
        )
    path = folder / f"{result.name}{SR_SUFFIX}"
    write_sr(
        measurements,
        _source(result),
        path,
        algorithm(result),
        _segs(result, folder),
        quality_lines(result.quality),
    )
    return (path,)


def algorithm(result: Result) -> Algorithm:
    """What made the result, as its objects name it."""
    made = result.provenance
    # Of corrected labels the name is that of what was corrected, and words.
    family = _FAMILIES.get(made.model.partition(",")[0], ARTIFICIAL_INTELLIGENCE)
    return Algorithm(made.model, made.model_id, family=family, by_person=made.engine == PERSON)


def _source(result: Result) -> DicomScan:
    if result.source is None:
        raise FormatError(
            f"{result.name}: not a DICOM input, so no SEG or SR can refer to its images; "
            "give the DICOM folder, or write other kinds of output"
        )
    return result.source


def _seg_path(result: Result, folder: Path) -> Path:
    return folder / f"{result.name}{SEG_SUFFIX}"


def _segs(result: Result, folder: Path) -> dict[str, SegFile]:
    """SEGs of this result's ED and ES (or of its one frame) that are in the folder."""
    found: dict[str, SegFile] = {}
    for name, index in result.named_frames.items():
        path = phase_path(_seg_path(result, folder), index, len(result.phases))
        seg = read_seg_file(path, index, result.labels[index], _source(result))
        if seg is not None:
            found[name] = seg
    return found
