"""Segment one scan: the frames that are asked for, and heart function where all are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from threading import Lock

from cardioseg.core.labels import LabelScheme
from cardioseg.core.quality import Quality
from cardioseg.core.scan import Scan
from cardioseg.core.short_axis import pose_is_lost
from cardioseg.core.volume import LabelMap
from cardioseg.errors import ConfigError, LabelError
from cardioseg.evaluation.function import FunctionOptions, HeartFunction, heart_function
from cardioseg.inference.predictor import Prediction, Predictor
from cardioseg.inference.quality import Evidence
from cardioseg.inference.segmenter import Segmenter
from cardioseg.workflows.inputs import Opened
from cardioseg.workflows.judging import cine_quality, predict_with_evidence, quality_of
from cardioseg.workflows.known_errors import errors_of_model, why_unmeasured
from cardioseg.workflows.outputs import NIFTI, Kind
from cardioseg.workflows.result import Result

NAMED_PHASES = ("all", "ed", "es")

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Wanted:
    """What is asked of each input.

    Parameters
    ----------
    kinds
        Kinds of output.
    phase
        `all` frames of a cine, `ed`, `es`, or the number of one from 1.
    scheme
        Merge the labels into this scheme; None keeps the model's.
    quality
        Judge the answer: a still volume, or of a cine the frames of ED and ES.

    Raises
    ------
    ConfigError
        If there is no such phase.
    """

    kinds: tuple[Kind, ...] = (NIFTI,)
    phase: str = "all"
    scheme: LabelScheme | None = None
    quality: bool = True

    def __post_init__(self) -> None:
        if self.phase not in NAMED_PHASES and self.frame is None:
            raise ConfigError(
                f"--phase {self.phase}: choose {', '.join(NAMED_PHASES)}, or the number of a frame "
                "from 1"
            )

    @property
    def frame(self) -> int | None:
        """Index of the one frame from 0, where a number is asked for."""
        number = self.phase if self.phase.isascii() and self.phase.isdigit() else "0"
        return int(number) - 1 if int(number) else None


def segment(segmenter: Segmenter, name: str, opened: Opened, wanted: Wanted, told: Told) -> Result:
    """Segment the frames that are asked for; for `ed` and `es` all, since volumes tell them.

    Parameters
    ----------
    segmenter
        Model and engine, or a classical baseline.
    name
        Name of the outputs.
    opened
        The input.
    wanted
        Phase and scheme.
    told
        Called with the number of each frame and of all, before it is segmented; of a cine from
        threads, one at a time.

    Raises
    ------
    LabelError
        If the scan has no such frame, or no ventricle was found to tell ED and ES by.
    """
    scan, target = opened.scan, wanted.scheme or segmenter.scheme
    indices = _indices(scan, wanted.frame)
    predictions, evidence = _predicted(segmenter, scan, indices, wanted.quality, told)
    labels = {index: each.labels.read_as(target) for index, each in predictions.items()}
    function, phases, judged = None, indices, indices
    made = predictions[indices[0]].provenance
    if len(indices) > 1:
        own = [each.labels for each in predictions.values()]
        unmeasured = why_unmeasured(segmenter)
        known = "" if unmeasured else made.model_id
        function = function_of(own, list(labels.values()), scan, known)
        if unmeasured:
            function = replace(function, notes=(*function.notes, unmeasured))
        phases = _phases(wanted.phase, function, len(indices))
        judged = _told_by(function)
    qualities = {
        index: quality_of(segmenter, scan.frames[index], predictions[index], evidence[index])
        for index in judged
        if wanted.quality
    }
    return Result(
        name=name,
        scan=scan,
        labels=labels,
        phases=phases,
        provenance=made,
        input_sha256=opened.sha256,
        source=opened.source,
        function=function,
        quality=_quality(qualities, len(indices)),
    )


def _predicted(
    segmenter: Segmenter, scan: Scan, indices: Sequence[int], with_evidence: bool, told: Told
) -> tuple[dict[int, Prediction], dict[int, Evidence | None]]:
    """Answers of frames and, where wanted, what their scores tell, by index; two at a time."""
    shared = None
    if len(indices) > 1 and not scan.is_large and isinstance(segmenter, Predictor):
        shared = segmenter.for_two()
    begun, telling = count(1), Lock()

    def answer(index: int) -> tuple[Prediction, Evidence | None]:
        with telling:
            told(next(begun), len(indices))
        frame = scan.frames[index]
        if with_evidence:
            return predict_with_evidence(shared or segmenter, frame)
        return (shared or segmenter).predict(frame), None

    if shared:
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(answer, indices))
    else:
        answers = [answer(index) for index in indices]
    predictions = {index: each for index, (each, _) in zip(indices, answers, strict=True)}
    return predictions, {index: each for index, (_, each) in zip(indices, answers, strict=True)}


def function_of(
    own: list[LabelMap], labels: list[LabelMap], scan: Scan, model_id: str
) -> HeartFunction:
    """Function of the label maps `labels` that are written, of all frames of a cine.

    Its phases are told by the model's own: a coarser scheme may not tell the ventricles apart. The
    errors of `model_id` make intervals; with an empty one there are none.
    """
    is_posed = not pose_is_lost(labels[0].geometry)
    options = FunctionOptions(errors=errors_of_model(model_id), orientation_known=is_posed)
    found = heart_function(own, scan.times_ms, scan.body, options)
    if labels[0].scheme == own[0].scheme:
        return found
    if found.ed is not None and found.es is not None:
        options = replace(options, phases=(found.ed, found.es))
    return heart_function(labels, scan.times_ms, scan.body, options)


def _told_by(function: HeartFunction) -> tuple[int, ...]:
    """The frames that function is read off; the first where there are none."""
    named = tuple(index for index in (function.ed, function.es) if index is not None)
    return tuple(dict.fromkeys(named)) or (0,)


def _quality(each: Mapping[int, Quality], frames: int) -> Quality | None:
    """Of the one frame, or of those of a cine together; None where none was judged."""
    if not each:
        return None
    return cine_quality(each) if frames > 1 else next(iter(each.values()))


def _phases(phase: str, function: HeartFunction, count: int) -> tuple[int, ...]:
    """Indices of the frames that `all`, `ed` or `es` means."""
    if phase not in ("ed", "es"):
        return tuple(range(count))
    chosen = function.ed if phase == "ed" else function.es
    if chosen is None:
        raise LabelError(
            f"no ventricle was found in any frame, so nothing says which is {phase.upper()}; "
            "name the frame by its number (--phase K)"
        )
    return (chosen,)


def _indices(scan: Scan, frame: int | None) -> tuple[int, ...]:
    """All frames, or the one that is asked for."""
    if frame is None:
        return tuple(range(len(scan.frames)))
    if frame >= len(scan.frames):
        raise LabelError(
            f"--phase {frame + 1}: the scan has {len(scan.frames)} frames; choose one of them"
        )
    return (frame,)
