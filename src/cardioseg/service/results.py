"""From a checked upload to the files that a client may fetch: the one place that segments."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.measurement import Measurement
from cardioseg.core.scan import Scan
from cardioseg.errors import PlaneWarning, ReadWarning
from cardioseg.evaluation.function_record import measurement_record
from cardioseg.inference.segmenter import Segmenter
from cardioseg.io.atomic import make_folder, write_text
from cardioseg.io.nifti import write_frames, write_volume
from cardioseg.service.jobs import Summary
from cardioseg.service.problems import without_path
from cardioseg.service.uploads import Upload
from cardioseg.workflows.inputs import Input, open_input
from cardioseg.workflows.outputs import FACTS, NIFTI
from cardioseg.workflows.segment import Wanted, segment

NAME = "result"
LABELS, IMAGE, MEASUREMENTS = f"{NAME}.nii.gz", "image.nii.gz", "measurements.json"
FINDINGS = f"{NAME}.json"
FORMAT_VERSION = 1

_TOLD = (ReadWarning, PlaneWarning)

Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class ResultFile:
    """A kind of file that a job may offer.

    Parameters
    ----------
    ending
        What its name ends in.
    kind
        Short word for programs; the page translates it.
    media_type
        As HTTP tells it.
    """

    ending: str
    kind: str
    media_type: str


OFFERED = (
    ResultFile(LABELS, "labels", "application/gzip"),
    ResultFile(IMAGE, "image", "application/gzip"),
    ResultFile(MEASUREMENTS, "measurements", "application/json"),
    ResultFile(FINDINGS, "findings", "application/json"),
    ResultFile("edit.json", "corrections", "application/json"),
    ResultFile(".seg.nrrd", "slicer", "application/octet-stream"),
    ResultFile(".seg.dcm", "dicom_seg", "application/dicom"),
    ResultFile(".sr.dcm", "dicom_sr", "application/dicom"),
    ResultFile(".stl", "mesh", "model/stl"),
    ResultFile(".glb", "mesh", "model/gltf-binary"),
    ResultFile("-meshes.json", "mesh_facts", "application/json"),
    ResultFile("-mesh.png", "mesh_picture", "image/png"),
    ResultFile(".html", "report", "text/html"),
    ResultFile(".pdf", "report", "application/pdf"),
)
"""What the workflow may leave in a job's folder; a file of no such kind is never served."""


def make_results(upload: Upload, folder: Path, segmenter: Segmenter, watch: Watch) -> Summary:
    """Segment an upload and write image, label map, measurements and findings.

    What takes longer and not everybody wants is made when it is asked for: see `extras`.

    Parameters
    ----------
    upload
        The checked upload.
    folder
        Folder of the results; created.
    segmenter
        Model and engine, or a classical baseline.
    watch
        Called with frames done and frames in all.

    Raises
    ------
    CardiosegError
        If the upload cannot be read or segmented; its words name no path.
    """
    started = time.perf_counter()
    make_folder(folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        opened = open_input(input_of(upload))
        frames = opened.scan.frames
        _write_image(opened.scan, folder / IMAGE)
        result = segment(segmenter, NAME, opened, Wanted(), lambda k, n: watch(k - 1, n))
        watch(len(frames), len(frames))
    notes = [str(w.message) for w in caught if issubclass(w.category, _TOLD)]
    scan = opened.scan
    notes += result.notes
    for kind in (NIFTI, FACTS):
        kind.write(result, folder)
    write_measurements(result.measurements, folder / MEASUREMENTS)
    return Summary(
        frames=len(frames),
        scheme=result.scheme.name,
        provenance=result.provenance,
        seconds=time.perf_counter() - started,
        notes=tuple(dict.fromkeys(without_path(note, upload.path) for note in notes)),
        native_axis=frames[0].geometry.native_axis,
        times_ms=scan.times_ms,
        body=scan.body,
    )


def input_of(upload: Upload) -> Input:
    """An upload as the workflow reads it."""
    return Input(NAME, upload.path, upload.kind == "dicom", upload.series)


def write_measurements(measurements: Sequence[Measurement], path: Path) -> None:
    """Write measurements as JSON."""
    record = {
        "format_version": FORMAT_VERSION,
        "measurements": [measurement_record(each) for each in measurements],
    }
    write_text(path, json.dumps(record, indent=2) + "\n")


def result_files(folder: Path) -> dict[str, ResultFile]:
    """The files of a job that may be fetched, by name; nothing else in the folder is offered."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        kind = next((each for each in OFFERED if path.name.endswith(each.ending)), None)
        if kind is not None and path.is_file() and not path.name.startswith("."):
            found[path.name] = kind
    return found


def _write_image(scan: Scan, path: Path) -> None:
    """The image as it was read: what the page shows has no header field of the upload's."""
    if scan.is_cine:
        write_frames(scan.frames, path, scan.frame_ms)
    else:
        write_volume(scan.frames[0], path)
