"""Segment many files, or write their scores: each answer on its input's own grid."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from cardioseg.errors import LabelError
from cardioseg.inference.predictor import Predictor
from cardioseg.inference.segmenter import Segmenter
from cardioseg.io.nifti import write_scores
from cardioseg.workflows.inputs import Input, Opened
from cardioseg.workflows.outcome import Outcome, Written
from cardioseg.workflows.outputs import NIFTI
from cardioseg.workflows.provenance import Json
from cardioseg.workflows.segment import Wanted, segment
from cardioseg.workflows.work import (
    Finish,
    Reach,
    Start,
    Task,
    Told,
    Watch,
    run_task,
)


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
        Do all anew: overwrite, and remove what else earlier runs made of an input.
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
    task = prediction(predictor, output, wanted or Wanted())
    return run_task(task, inputs, output, Start(force), watch=watch)


def prediction(
    predictor: Segmenter, output: Path, wanted: Wanted, reach: Reach = nullcontext
) -> Task:
    """The task of `predict`; see :func:`predict_files`.

    Raises
    ------
    LabelError
        If the model's labels cannot be merged into the scheme.
    """
    target = wanted.scheme or predictor.scheme
    predictor.scheme.merge_table(target)

    def make(each: Input, opened: Opened, told: Told) -> Finish:
        def frame(number: int, count: int) -> None:
            told(f", frame {number} of {count}" if count > 1 else "")

        result = segment(predictor, each.name, opened, wanted, frame)

        def finish() -> Written:
            for kind in wanted.kinds:
                kind.write_anew(result, output)
            notes = result.function.notes if result.function else ()
            return Written(len(result.phases), result.quality, notes)

        return finish

    facts: dict[str, Json] = {
        **predictor.settings,
        "scheme": target.name,
        "phase": wanted.phase,
        "write": [kind.name for kind in wanted.kinds],
        "quality": wanted.quality,
    }
    return Task("predict", wanted.kinds, make, facts, reach)


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

    def make(each: Input, opened: Opened, told: Told) -> Finish:
        if opened.scan.is_cine:
            raise LabelError(f"{each.path}: scores of a cine are not written; split it into frames")
        volume = opened.scan.frames[0]
        scores = predictor.predict_scores(volume)
        path = output / f"{each.name}{NIFTI.endings[0]}"

        def finish() -> Written:
            write_scores(scores, volume.geometry, path, predictor.model.id, predictor.scheme)
            return Written(1)

        return finish

    facts: dict[str, Json] = {**predictor.settings, "scheme": predictor.scheme.name}
    task = Task("scores", (NIFTI,), make, facts)
    return run_task(task, inputs, output, Start(force), watch=watch)
