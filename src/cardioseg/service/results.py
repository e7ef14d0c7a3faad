"""From a checked upload to the files that a client may fetch: the one place that segments."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cardioseg.core.labels import LabelScheme
from cardioseg.core.measurement import Measurement
from cardioseg.core.volume import Volume
from cardioseg.errors import FormatError, PlaneWarning, ReadWarning
from cardioseg.inference.predictor import Prediction
from cardioseg.inference.segmenter import Segmenter
from cardioseg.io.atomic import write_text
from cardioseg.io.nifti import read_frames, read_label_frames, write_frames, write_volume
from cardioseg.service.jobs import Summary
from cardioseg.service.measuring import measure
from cardioseg.service.problems import without_path
from cardioseg.service.uploads import Upload
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.predict import predict_files

NAME = "result"
LABELS, IMAGE, MEASUREMENTS = f"{NAME}.nii.gz", "image.nii.gz", "measurements.json"
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
    ResultFile(f"{NAME}.json", "findings", "application/json"),
    ResultFile("run.json", "provenance", "application/json"),
    ResultFile(".seg.dcm", "dicom_seg", "application/dicom"),
    ResultFile(".sr.dcm", "dicom_sr", "application/dicom"),
    ResultFile(".stl", "mesh", "model/stl"),
    ResultFile(".glb", "mesh", "model/gltf-binary"),
    ResultFile(".html", "report", "text/html"),
    ResultFile(".pdf", "report", "application/pdf"),
)
"""What the workflow may leave in a job's folder; a file of no such kind is never served."""


@dataclass(frozen=True, eq=False)
class _Counted:
    """A segmenter that tells its progress frame by frame."""

    inner: Segmenter
    watch: Watch
    total: int
    done: list[int]

    @property
    def scheme(self) -> LabelScheme:
        return self.inner.scheme

    @property
    def settings(self) -> Mapping[str, str | bool]:
        return self.inner.settings

    def predict(self, volume: Volume) -> Prediction:
        prediction = self.inner.predict(volume)
        self.done.append(len(self.done) + 1)
        self.watch(len(self.done), self.total)
        return prediction


def segment(upload: Upload, folder: Path, segmenter: Segmenter, watch: Watch) -> Summary:
    """Segment an upload and write image, label map, measurements and what else the workflow makes.

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
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frames = read_frames(upload.path)
        watch(0, len(frames))
        _write_image(frames, folder / IMAGE)
        counted = _Counted(segmenter, watch, len(frames), [])
        (outcome,) = predict_files(counted, (Input(NAME, upload.path),), folder)
    if outcome.error:
        raise FormatError(without_path(outcome.error, upload.path))
    labels = read_label_frames(folder / LABELS, segmenter.scheme)
    write_measurements(measure(labels), folder / MEASUREMENTS)
    notes = [without_path(str(w.message), upload.path) for w in caught if _is_told(w)]
    return Summary(
        frames=len(frames),
        scheme=segmenter.scheme.name,
        model_id=str(segmenter.settings["model_id"]),
        seconds=time.perf_counter() - started,
        notes=tuple(dict.fromkeys(notes)),
        native_axis=frames[0].geometry.native_axis,
    )


def write_measurements(measurements: Sequence[Measurement], path: Path) -> None:
    """Write measurements as JSON."""
    record = {
        "format_version": FORMAT_VERSION,
        "measurements": [asdict(each) for each in measurements],
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


def _is_told(caught: warnings.WarningMessage) -> bool:
    return issubclass(caught.category, _TOLD)


def _write_image(frames: Sequence[Volume], path: Path) -> None:
    """The image as it was read: what the page shows has no header field of the upload's."""
    if len(frames) == 1:
        write_volume(frames[0], path)
    else:
        write_frames(frames, path)
