"""Segment many files: each answer on its input's own grid, whole or absent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.quality import Quality
from cardioseg.errors import (
    CardiosegError,
    FormatError,
    LabelError,
    OutputExistsError,
    is_out_of_memory,
)
from cardioseg.inference.predictor import Predictor
from cardioseg.inference.segmenter import Segmenter
from cardioseg.io.atomic import make_folder
from cardioseg.io.nifti import write_scores
from cardioseg.workflows.inputs import Input, Opened, open_input
from cardioseg.workflows.outputs import NIFTI, Kind
from cardioseg.workflows.provenance import Json, write_run
from cardioseg.workflows.segment import Wanted, segment

Watch = Callable[[int, int, str], None]
Told = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one input: frames written, the input's digest and quality, or the error."""

    name: str
    seconds: float
    frames: int = 0
    input_sha256: str = ""
    error: str = ""
    quality: Quality | None = None


@dataclass(frozen=True)
class _Task:
    """What a command does with each input, and what run.json tells of it.

    Parameters
    ----------
    command
        Its name.
    kinds
        Kinds of output, to find those that are there.
    write
        Writes one input's outputs into a folder, telling how far it is; returns the number of
        frames written and their quality.
    facts
        What decides the answer.
    """

    command: str
    kinds: tuple[Kind, ...]
    write: Callable[[Input, Opened, Told], tuple[int, Quality | None]]
    facts: Mapping[str, Json]


def predict_files(
    predictor: Segmenter,
    inputs: Sequence[Input],
    output: Path,
    *,
    wanted: Wanted | None = None,
    force: bool = False,
    watch: Watch = lambda done, total, name: None,
) -> tuple[Outcome, ...]:
    """Write what is wanted of every input, and run.json.

    Parameters
    ----------
    predictor
        Model and engine, or a classical baseline.
    inputs
        Scans, each with a name of its own.
    output
        Folder; created if needed.
    wanted
        Kinds of output, frames and scheme; None writes NAME.nii.gz of all frames.
    force
        Overwrite outputs that are there.
    watch
        Called with inputs done, inputs in all, and what is next.

    Returns
    -------
    tuple of Outcome
        An input that fails does not stop the others.

    Raises
    ------
    OutputExistsError
        If an output is there and `force` is not set; nothing has been written then.
    LabelError
        If the model's labels cannot be merged into the scheme.
    FormatError
        If a kind of output needs DICOM and an input is not.
    """
    asked = wanted or Wanted()
    target = asked.scheme or predictor.scheme
    predictor.scheme.merge_table(target)
    _require_dicom(asked.kinds, inputs)

    def write(each: Input, opened: Opened, told: Told) -> tuple[int, Quality | None]:
        def frame(number: int, count: int) -> None:
            told(f", frame {number} of {count}" if count > 1 else "")

        result = segment(predictor, each.name, opened, asked, frame)
        for kind in asked.kinds:
            kind.write(result, output)
        return len(result.phases), result.quality

    facts: dict[str, Json] = {**predictor.settings, "scheme": target.name, "phase": asked.phase}
    task = _Task("predict", asked.kinds, write, facts)
    return _each(task, inputs, output, force, watch)


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

    def write(each: Input, opened: Opened, told: Told) -> tuple[int, None]:
        if opened.scan.is_cine:
            raise LabelError(f"{each.path}: scores of a cine are not written; split it into frames")
        volume = opened.scan.frames[0]
        scores = predictor.predict_scores(volume)
        path = output / f"{each.name}{NIFTI.endings[0]}"
        write_scores(scores, volume.geometry, path, predictor.model.id)
        return 1, None

    facts: dict[str, Json] = {**predictor.settings, "scheme": predictor.scheme.name}
    return _each(_Task("scores", (NIFTI,), write, facts), inputs, output, force, watch)


def _require_dicom(kinds: Sequence[Kind], inputs: Sequence[Input]) -> None:
    needy = [kind.name for kind in kinds if kind.needs_dicom]
    others = [each.path for each in inputs if not each.is_dicom]
    if needy and others:
        raise FormatError(
            f"{others[0]}: not DICOM, so {' and '.join(needy)} cannot be written: they refer to "
            "the images that they were made from; name a DICOM folder or leave them out"
        )


def _each(
    task: _Task, inputs: Sequence[Input], output: Path, force: bool, watch: Watch
) -> tuple[Outcome, ...]:
    _require_free(task.kinds, inputs, output, force)
    started = time.monotonic()
    make_folder(output)
    outcomes: list[Outcome] = []
    try:
        for done, each in enumerate(inputs):

            def told(words: str, done: int = done, name: str = each.name) -> None:
                watch(done, len(inputs), name + words)

            told("")
            outcomes.append(_one(each, task, told))
        watch(len(inputs), len(inputs), "")
    finally:
        # Also after Ctrl-C: what was written stays and is told.
        if outcomes:
            records: list[Json] = [_record(outcome) for outcome in outcomes]
            write_run(output, task.command, {**task.facts, "files": records}, started)
    return tuple(outcomes)


def _one(each: Input, task: _Task, told: Told) -> Outcome:
    started = time.perf_counter()
    try:
        opened = open_input(each)
        frames, quality = task.write(each, opened, told)
    except CardiosegError as error:
        seconds = time.perf_counter() - started
        return Outcome(each.name, seconds, error=_told(each, error))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        words = f"{each.path}: out of memory; crop the image, take fewer frames (--phase) or close "
        seconds = time.perf_counter() - started
        return Outcome(each.name, seconds, error=f"{words}other programs")
    seconds = time.perf_counter() - started
    return Outcome(each.name, seconds, frames, opened.sha256, quality=quality)


def _told(each: Input, error: CardiosegError) -> str:
    """The error's words, with the file's path in front if they don't name it."""
    words = str(error)
    return words if str(each.path) in words else f"{each.path}: {words}"


def _require_free(
    kinds: Sequence[Kind], inputs: Sequence[Input], output: Path, force: bool
) -> None:
    there = [
        (path, each.path)
        for each in inputs
        for kind in kinds
        for path in kind.files_there(output, each.name)
    ]
    for path, source in there:
        if path.resolve() == source.resolve():
            raise OutputExistsError(f"{path}: is an input; name another output folder")
        if not force:
            raise OutputExistsError(f"{path}: is already there; add --force to overwrite it")


def _record(outcome: Outcome) -> Json:
    record: dict[str, Json] = {"name": outcome.name, "seconds": round(outcome.seconds, 3)}
    if outcome.error:
        # The full message goes to stderr; a log names no path.
        return {**record, "failed": True}
    record |= {"input_sha256": outcome.input_sha256, "frames": outcome.frames}
    return record if outcome.quality is None else {**record, "verdict": outcome.quality.verdict}
