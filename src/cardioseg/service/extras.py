"""Files beside the label map, made when somebody asks: SEG and SR, models, report, for Slicer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from cardioseg.core.labels import scheme_named
from cardioseg.core.volume import LabelMap
from cardioseg.errors import FormatError
from cardioseg.io.nifti import read_label_frames
from cardioseg.service.jobs import Summary
from cardioseg.service.results import FINDINGS, LABELS, NAME, input_of
from cardioseg.service.uploads import Upload
from cardioseg.workflows.inputs import open_input
from cardioseg.workflows.outputs import MESH, NRRD, REPORT, SEG, SR, Kind
from cardioseg.workflows.report.prediction_files import read_quality
from cardioseg.workflows.result import Result
from cardioseg.workflows.segment import function_of

ExtraName = Literal["dicom", "mesh", "report", "nrrd"]

_KINDS: Mapping[ExtraName, tuple[Kind, ...]] = MappingProxyType(
    # The structured report refers to the SEG, so the two are one.
    {"dicom": (SEG, SR), "mesh": (MESH,), "report": (REPORT,), "nrrd": (NRRD,)}
)


def extras_of(upload: Upload) -> tuple[ExtraName, ...]:
    """What may be asked for: SEG and SR only of DICOM, whose images they refer to."""
    names: tuple[ExtraName, ...] = get_args(ExtraName)
    return tuple(name for name in names if upload.kind == "dicom" or not _needs_dicom(name))


def make_extra(upload: Upload, folder: Path, summary: Summary, name: ExtraName) -> None:
    """Make files from the labels and findings of a job that is done; nothing is segmented again.

    Parameters
    ----------
    upload
        The job's upload.
    folder
        Folder of its results, where the files go.
    summary
        What the job says of itself.
    name
        Which files.

    Raises
    ------
    CardiosegError
        If they cannot be made, such as a model of a heart that was not found.
    """
    kinds = _KINDS[name]
    result = _result(upload, folder, summary)
    for kind in kinds:
        kind.write(result, folder)
    if not any(kind.files_there(folder, NAME) for kind in kinds):
        raise FormatError("no heart was found, so there is nothing to make it of")


def _needs_dicom(name: ExtraName) -> bool:
    return any(kind.needs_dicom for kind in _KINDS[name])


def _result(upload: Upload, folder: Path, summary: Summary) -> Result:
    """The job's result as the workflow had it."""
    with warnings.catch_warnings():
        # The job's notes tell them.
        warnings.simplefilter("ignore")
        opened = open_input(input_of(upload))
    scan, scheme = opened.scan, scheme_named(summary.scheme)
    found = read_label_frames(folder / LABELS, scheme)
    labels = [
        # The scan's own grid: that of the file is rounded.
        LabelMap(each.array, frame.geometry, scheme)
        for each, frame in zip(found, scan.frames, strict=True)
    ]
    made = summary.provenance
    is_cine = len(labels) > 1
    return Result(
        name=NAME,
        scan=scan,
        labels=dict(enumerate(labels)),
        phases=tuple(range(len(labels))),
        provenance=made,
        input_sha256=opened.sha256,
        source=opened.source,
        function=function_of(labels, labels, scan, made.model_id) if is_cine else None,
        quality=read_quality(folder / FINDINGS),
    )
