"""Segment one scan: the frames that are asked for, and the cycle where all are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cardioseg.core.labels import LabelScheme
from cardioseg.core.scan import Scan
from cardioseg.errors import ConfigError, LabelError
from cardioseg.inference.predictor import Prediction
from cardioseg.inference.segmenter import Segmenter
from cardioseg.workflows.cycle import cycle_of, frames_of
from cardioseg.workflows.inputs import Opened
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

    Raises
    ------
    ConfigError
        If there is no such phase.
    """

    kinds: tuple[Kind, ...] = (NIFTI,)
    phase: str = "all"
    scheme: LabelScheme | None = None

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
        Called with the number of each frame and of all, before it is segmented.

    Raises
    ------
    LabelError
        If the scan has no such frame, or no ventricle was found to tell ED and ES by.
    """
    scan, target = opened.scan, wanted.scheme or segmenter.scheme
    predictions: dict[int, Prediction] = {}
    indices = _indices(scan, wanted.frame)
    for done, index in enumerate(indices, start=1):
        told(done, len(indices))
        predictions[index] = segmenter.predict(scan.frames[index])
    labels = {index: each.labels.read_as(target) for index, each in predictions.items()}
    cycle, phases = None, indices
    if len(indices) > 1:
        # Found in the model's own scheme: a coarser one may not tell the ventricles apart.
        own = cycle_of([each.labels for each in predictions.values()], scan.times_ms)
        volumes = cycle_of(list(labels.values())).volumes_ml
        cycle = replace(own, volumes_ml=volumes)
        phases = frames_of(wanted.phase, cycle, len(indices))
    return Result(
        name=name,
        scan=scan,
        labels=labels,
        phases=phases,
        provenance=predictions[indices[0]].provenance,
        input_sha256=opened.sha256,
        source=opened.source,
        cycle=cycle,
    )


def _indices(scan: Scan, frame: int | None) -> tuple[int, ...]:
    """All frames, or the one that is asked for."""
    if frame is None:
        return tuple(range(len(scan.frames)))
    if frame >= len(scan.frames):
        raise LabelError(
            f"--phase {frame + 1}: the scan has {len(scan.frames)} frames; choose one of them"
        )
    return (frame,)
