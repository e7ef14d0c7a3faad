"""Segment many files: each answer on its input's own grid, whole or absent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import Volume
from cardioseg.errors import CardiosegError, LabelError, OutputExistsError
from cardioseg.inference.predictor import Predictor
from cardioseg.inference.segmenter import Segmenter
from cardioseg.io.images import read_frames, write_label_frames, write_labels
from cardioseg.io.nifti import write_scores
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.provenance import Json, file_digest, write_run

OUTPUT_SUFFIX = ".nii.gz"

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one input: its output, or the error."""

    name: str
    output: Path | None
    seconds: float
    frames: int = 1
    error: str = ""


def predict_files(
    predictor: Segmenter,
    inputs: Sequence[Input],
    output: Path,
    *,
    scheme: LabelScheme | None = None,
    force: bool = False,
    watch: Watch = lambda done, total, name: None,
) -> tuple[Outcome, ...]:
    """Write NAME.nii.gz for every input, and run.json.

    Parameters
    ----------
    predictor
        Model and engine, or a classical baseline.
    inputs
        Files, each with a name of its own.
    output
        Folder; created if needed.
    scheme
        Merge the labels into this scheme; None keeps the model's.
    force
        Overwrite outputs that are there.
    watch
        Called with files done, files in all, and the name of the next.

    Returns
    -------
    tuple of Outcome
        A file that fails does not stop the others.

    Raises
    ------
    OutputExistsError
        If an output is there and `force` is not set; nothing has been written then.
    LabelError
        If the model's labels cannot be merged into `scheme`.
    """
    target = scheme or predictor.scheme
    predictor.scheme.merge_table(target)

    def write(each: Input, path: Path) -> int:
        predictions = [predictor.predict(frame) for frame in read_frames(each.path)]
        labels = [prediction.labels.read_as(target) for prediction in predictions]
        made_by = predictions[0].provenance.model_id
        if len(labels) == 1:
            write_labels(labels[0], path, made_by)
        else:
            write_label_frames(labels, path, made_by)
        return len(labels)

    return _each(predictor, inputs, output, write, ("predict", target.name, force), watch)


def predict_score_files(
    predictor: Predictor,
    inputs: Sequence[Input],
    output: Path,
    *,
    force: bool = False,
    watch: Watch = lambda done, total, name: None,
) -> tuple[Outcome, ...]:
    """Write the class probabilities of every input as NAME.nii.gz, (I, J, K, classes) float32.

    Parameters, result and errors are those of :func:`predict_files`; a cine is an error.
    """

    def write(each: Input, path: Path) -> int:
        volume = _single(read_frames(each.path), each)
        scores = predictor.predict_scores(volume)
        write_scores(scores, volume.geometry, path, predictor.model.id)
        return 1

    options = ("scores", predictor.scheme.name, force)
    return _each(predictor, inputs, output, write, options, watch)


def _single(frames: Sequence[Volume], each: Input) -> Volume:
    if len(frames) != 1:
        raise LabelError(f"{each.path}: scores of a cine are not written; split it into frames")
    return frames[0]


def _each(
    predictor: Segmenter,
    inputs: Sequence[Input],
    output: Path,
    write: Callable[[Input, Path], int],
    options: tuple[str, str, bool],
    watch: Watch,
) -> tuple[Outcome, ...]:
    command, scheme, force = options
    targets = [output / f"{each.name}{OUTPUT_SUFFIX}" for each in inputs]
    _require_free(targets, inputs, force)
    output.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    records: list[Json] = []
    try:
        for done, (each, path) in enumerate(zip(inputs, targets, strict=True)):
            watch(done, len(inputs), each.name)
            outcome = _one(each, path, write)
            outcomes.append(outcome)
            records.append(_record(each, outcome))
        watch(len(inputs), len(inputs), "")
    finally:
        # Also after Ctrl-C: what was written stays and is told.
        facts = _facts(predictor, scheme, records)
        if records:
            write_run(output, command, facts)
    return tuple(outcomes)


def _one(each: Input, path: Path, write: Callable[[Input, Path], int]) -> Outcome:
    started = time.perf_counter()
    try:
        frames = write(each, path)
    except CardiosegError as error:
        return Outcome(each.name, None, time.perf_counter() - started, 0, _told(each, error))
    return Outcome(each.name, path, time.perf_counter() - started, frames)


def _told(each: Input, error: CardiosegError) -> str:
    """The error's words, with the file's path in front if they don't name it."""
    words = str(error)
    return words if str(each.path) in words else f"{each.path}: {words}"


def _require_free(targets: Sequence[Path], inputs: Sequence[Input], force: bool) -> None:
    for target, each in zip(targets, inputs, strict=True):
        if target.exists() and target.resolve() == each.path.resolve():
            raise OutputExistsError(f"{target}: is an input; name another output folder")
        if target.exists() and not force:
            raise OutputExistsError(f"{target}: is already there; add --force to overwrite it")


def _record(each: Input, outcome: Outcome) -> Json:
    record: dict[str, Json] = {"name": each.name, "seconds": round(outcome.seconds, 3)}
    if outcome.output is None:
        # The full message goes to stderr; a log names no path.
        return {**record, "failed": True}
    return {**record, "input_sha256": file_digest(each.path), "frames": outcome.frames}


def _facts(predictor: Segmenter, scheme: str, records: list[Json]) -> dict[str, Json]:
    return {**predictor.settings, "scheme": scheme, "files": records}
