"""A person's corrections: kept beside the model's labels, marked as edited, counted and timed."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.geometry import require_same_grid
from cardioseg.core.labels import LabelScheme, scheme_named
from cardioseg.core.measurement import Measurement
from cardioseg.core.scan import even_step
from cardioseg.core.short_axis import pose_is_lost
from cardioseg.core.volume import LabelMap
from cardioseg.errors import CardiosegError
from cardioseg.evaluation.function import FunctionOptions, heart_function
from cardioseg.io.atomic import atomic_path, write_text
from cardioseg.io.nifti import (
    read_frames,
    read_geometry,
    read_label_frames,
    read_labels,
    write_label_frames,
    write_labels,
    write_volume,
)
from cardioseg.ops.shape_interpolation import propagate
from cardioseg.service.edit_record import Action, Correction, EditRecord
from cardioseg.service.jobs import Job, Summary
from cardioseg.service.person import corrected_id
from cardioseg.service.problems import ProblemError, without_path
from cardioseg.service.results import IMAGE, LABELS, MEASUREMENTS, write_measurements
from cardioseg.workflows.provenance import file_digest
from cardioseg.workflows.result import volumes

EDITED, RECORD, FRAME, TRAINING = "edited.nii.gz", "edit.json", "frame.nii", "training.zip"

_LONGEST_NUMBER_BYTES = 8
_HEADER_BYTES = 1 << 16
"""Room for a header and the extensions that other programs add."""


@dataclass(frozen=True, eq=False)
class Desk:
    """The labels of one finished job, the model's and the corrected ones.

    Parameters
    ----------
    job
        The job.
    summary
        What it says of itself.
    most
        Most entries in the record.
    """

    job: Job
    summary: Summary
    most: int

    @property
    def scheme(self) -> LabelScheme:
        """What the numbers mean."""
        return scheme_named(self.summary.scheme)

    @property
    def most_bytes(self) -> int:
        """Most bytes that the labels of one frame need, whatever numbers they are stored as."""
        voxels = math.prod(read_geometry(self.job.results / LABELS).shape)
        return voxels * _LONGEST_NUMBER_BYTES + _HEADER_BYTES

    def parent(self) -> tuple[LabelMap, ...]:
        """The model's label maps."""
        return read_label_frames(self.job.results / LABELS, self.scheme)

    def current(self) -> tuple[LabelMap, ...]:
        """The label maps with all corrections."""
        edited = self.job.edits / EDITED
        return read_label_frames(edited, self.scheme) if edited.is_file() else self.parent()

    def record(self) -> EditRecord | None:
        """What has been corrected; None where nothing was."""
        path = self.job.edits / RECORD
        if not path.is_file():
            return None
        return EditRecord.model_validate_json(path.read_bytes())

    def digest(self) -> str:
        """SHA-256 of the current label map: the corrected one, or the model's."""
        record = self.record()
        return record.sha256 if record else file_digest(self.job.results / LABELS)

    def corrected(self) -> EditRecord:
        """What has been corrected.

        Raises
        ------
        ProblemError
            409 where no frame differs from the model's.
        """
        record = self.record()
        if record is None or not record.frames:
            raise not_corrected()
        return record

    def frame(self, number: int) -> Path:
        """The current labels of one frame as a file of their own, not packed."""
        labels = _frame(self.current(), number)
        self.job.edits.mkdir(exist_ok=True)
        path = self.job.edits / FRAME
        record = self.record()
        write_labels(labels, path, self._made_by(number in (record.frames if record else ())))
        return path

    def _made_by(self, corrected: bool) -> str:
        """The model's id, or that of what a person made of its labels."""
        model_id = self.summary.provenance.model_id
        return corrected_id(model_id) if corrected else model_id

    def read_upload(self, path: Path, number: int) -> LabelMap:
        """Corrected labels of one frame as a client sent them.

        Raises
        ------
        ProblemError
            422 if they cannot be read, use other numbers or lie on another grid.
        """
        geometry = _frame(self.parent(), number).geometry
        try:
            labels = read_labels(path, self.scheme)
            require_same_grid(labels.geometry, geometry, "the corrected labels and the scan")
        except CardiosegError as error:
            raise ProblemError(422, "bad_labels", without_path(str(error), path)) from error
        # The parent's own grid: the client's may differ by the rounding of a header.
        return LabelMap(labels.array, geometry, self.scheme)

    def save(self, number: int, labels: LabelMap, seconds: float) -> EditRecord:
        """Take a person's labels of one frame."""
        return self._replace(number, lambda _: labels, "brush", seconds)

    def revert(self, number: int) -> EditRecord:
        """Take the model's labels of one frame again."""
        parent = _frame(self.parent(), number)
        return self._replace(number, lambda _: parent, "revert", 0.0)

    def propagate(self, number: int, axis: int | None, reach: int) -> EditRecord:
        """Carry the corrected slices of one frame to their neighbours along an array axis."""
        parent = _frame(self.parent(), number)
        native = self.summary.native_axis if axis is None else axis
        along = 2 if native is None else native
        first, second = np.delete(np.asarray(parent.geometry.spacing), along).tolist()

        def carried(current: LabelMap) -> LabelMap:
            array = propagate(parent.array, current.array, along, (first, second), reach)
            return LabelMap(array, current.geometry, current.scheme)

        return self._replace(number, carried, "propagate", 0.0)

    def _replace(
        self, number: int, change: Callable[[LabelMap], LabelMap], action: Action, seconds: float
    ) -> EditRecord:
        record = self.record()
        former = record.corrections if record else ()
        if len(former) >= self.most:
            raise ProblemError(
                409, "too_many_corrections", f"{len(former)} corrections are the most for one job"
            )
        frames = list(self.current())
        before = _frame(frames, number)
        frames[number] = change(before)
        changed = int(np.count_nonzero(frames[number].array != before.array))
        entry = Correction(frame=number, action=action, seconds=seconds, voxels_changed=changed)
        return self._write(frames, (*former, entry))

    def _write(self, frames: list[LabelMap], entries: tuple[Correction, ...]) -> EditRecord:
        measured = self._measured(frames)
        self.job.edits.mkdir(exist_ok=True)
        path = self.job.edits / EDITED
        different = [
            int(np.count_nonzero(edited.array != parent.array))
            for edited, parent in zip(frames, self.parent(), strict=True)
        ]
        maker = self._made_by(any(different))
        if len(frames) == 1:
            write_labels(frames[0], path, maker)
        else:
            write_label_frames(frames, path, maker, even_step(self.summary.times_ms))
        record = EditRecord(
            parent_sha256=file_digest(self.job.results / LABELS),
            sha256=file_digest(path),
            model=self.job.model,
            model_id=self.summary.provenance.model_id,
            scheme=self.summary.scheme,
            frames=tuple(k for k, count in enumerate(different) if count),
            voxels_changed=sum(different),
            seconds=sum(each.seconds for each in entries),
            corrections=entries,
        )
        write_measurements(measured, self.job.edits / MEASUREMENTS)
        # Last: whoever sees the record finds what it speaks of.
        write_text(self.job.edits / RECORD, record.model_dump_json(indent=2) + "\n")
        return record

    def _measured(self, frames: Sequence[LabelMap]) -> tuple[Measurement, ...]:
        """As the workflow measures, but without intervals: those are of the model's errors."""
        if len(frames) == 1:
            return volumes(frames)
        options = FunctionOptions(orientation_known=not pose_is_lost(frames[0].geometry))
        told = self.summary
        return heart_function(frames, told.times_ms, told.body, options).measurements

    def measurements(self) -> tuple[Measurement, ...]:
        """Of the corrected labels where there are any, else of the model's."""
        record = self.record()
        folder = self.job.edits if record and record.frames else self.job.results
        if not (folder / MEASUREMENTS).is_file():
            # As a server left it that wrote the record first and was killed then.
            return self._measured(self.current())
        document = json.loads((folder / MEASUREMENTS).read_text(encoding="utf-8"))
        return tuple(Measurement(**each) for each in document["measurements"])

    def training_zip(self) -> Path:
        """Images and corrected labels as a folder that `train --data nnunet:FOLDER` reads, packed.

        Raises
        ------
        ProblemError
            409 where no frame is corrected.
        """
        record = self.corrected()
        images, labels = read_frames(self.job.results / IMAGE), self.current()
        with (
            atomic_path(self.job.edits / TRAINING) as temporary,
            # The images are packed already.
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
        ):
            for number in record.frames:
                name = f"{self.job.id[:12]}_frame{number + 1:02d}"
                path = self.job.edits / "packed.nii.gz"
                write_volume(images[number], path)
                archive.write(path, f"imagesTr/{name}_0000.nii.gz")
                write_labels(labels[number], path)
                archive.write(path, f"labelsTr/{name}.nii.gz")
                path.unlink()
            archive.writestr("dataset.json", self._dataset_json(len(record.frames)))
            archive.writestr(RECORD, record.model_dump_json(indent=2) + "\n")
        return self.job.edits / TRAINING

    def _dataset_json(self, count: int) -> str:
        labels = {"background": 0, **{s.name: s.value for s in self.scheme.structures}}
        return json.dumps(
            {
                "name": "corrected in cardioseg's viewer",
                "channel_names": {"0": "MR"},
                "labels": labels,
                "numTraining": count,
                "file_ending": ".nii.gz",
            },
            indent=2,
        )


def not_corrected() -> ProblemError:
    """What a job without corrections answers."""
    return ProblemError(409, "not_corrected", "no frame is corrected; correct one first")


def _frame(frames: tuple[LabelMap, ...] | list[LabelMap], number: int) -> LabelMap:
    if not 0 <= number < len(frames):
        raise ProblemError(
            404, "no_such_frame", f"frame {number}: there are 0 to {len(frames) - 1}"
        )
    return frames[number]
