"""What became of one input, and the record that run.json keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cardioseg.core.quality import Quality, Verdict
from cardioseg.workflows.journal import Record
from cardioseg.workflows.provenance import Json


@dataclass(frozen=True)
class Written:
    """What was written of one input: number of frames, their quality, notes on their function."""

    frames: int
    quality: Quality | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one input: frames written, the input's digest and quality, or the error.

    `notes` are what to know about a cine's function. `skipped` ones are of an earlier run; of their
    quality only the verdict is known, and no notes. `stamp` marks the input as it was before it was
    read; see :func:`cardioseg.workflows.places.stamp_of`.
    """

    name: str
    seconds: float
    frames: int = 0
    input_sha256: str = ""
    error: str = ""
    quality: Quality | None = None
    notes: tuple[str, ...] = ()
    skipped: bool = False
    stamp: str = ""


def remembered(record: Record) -> Outcome:
    """The outcome that a record of an earlier run tells of."""
    verdict = record.get("verdict")
    return Outcome(
        name=str(record["name"]),
        seconds=float(str(record.get("seconds", 0))),
        frames=int(str(record.get("frames", 0))),
        input_sha256=str(record.get("input_sha256", "")),
        quality=None if verdict is None else Quality(Verdict(str(verdict))),
        skipped=True,
    )


def record_of(outcome: Outcome, written: Sequence[str]) -> Record:
    """What run.json tells of an outcome, and of the names of the files that were written."""
    record: dict[str, Json] = {"name": outcome.name, "seconds": round(outcome.seconds, 3)}
    if outcome.error:
        # The full message goes to stderr; a log names no path.
        return {**record, "failed": True}
    record |= {"input_sha256": outcome.input_sha256, "stamp": outcome.stamp}
    record |= {"frames": outcome.frames, "written": list[Json](written)}
    return record if outcome.quality is None else {**record, "verdict": outcome.quality.verdict}
