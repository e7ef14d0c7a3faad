"""Do one thing with many inputs: what became of each, run.json, going on after a stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.quality import Quality, Verdict
from cardioseg.errors import CardiosegError, FormatError, is_out_of_memory
from cardioseg.io.atomic import make_folder
from cardioseg.workflows.inputs import Input, Opened, open_input
from cardioseg.workflows.journal import FORMER, Earlier, Journal, Record, add
from cardioseg.workflows.outputs import Kind
from cardioseg.workflows.places import (
    Former,
    files_of,
    former_of,
    is_done,
    require_apart,
    require_free,
    stamp_of,
)
from cardioseg.workflows.provenance import Json, write_run

Watch = Callable[[int, int, str], None]
Told = Callable[[str], None]
Finish = Callable[[], tuple[int, Quality | None]]
"""Writes what was made of one input; returns the number of frames written and their quality."""
Reach = Callable[[Input], AbstractContextManager[Input]]
"""Brings an input to this machine, and removes what it brought at the end of the block."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input: frames written, the input's digest and quality, or the error.

    `skipped` ones are of an earlier run; of their quality only the verdict is known. `stamp` marks
    the input as it was before it was read; see :func:`cardioseg.workflows.places.stamp_of`.
    """

    name: str
    seconds: float
    frames: int = 0
    input_sha256: str = ""
    error: str = ""
    quality: Quality | None = None
    skipped: bool = False
    stamp: str = ""


@dataclass(frozen=True)
class Start:
    """How a run begins.

    Parameters
    ----------
    force
        Overwrite outputs that are there, and remove what else earlier runs made of an input.
    resume
        Skip what an earlier run in the folder finished.
    share
        Which share of the work this is, such as `3-of-8`; run.json is named after it.
    """

    force: bool = False
    resume: bool = False
    share: str = ""

    @property
    def replaces(self) -> bool:
        """Whether all that earlier runs made of an input goes when the input has ended."""
        return self.force or self.resume


@dataclass(frozen=True)
class Task:
    """What a command does with each input, and what run.json tells of it.

    Parameters
    ----------
    command
        Its name.
    kinds
        Kinds of output, to find those that are there.
    make
        Makes one input's outputs, telling how far it is; returns what writes them.
    facts
        What decides the answer.
    reach
        Brings an input here; a local one is here.
    """

    command: str
    kinds: tuple[Kind, ...]
    make: Callable[[Input, Opened, Told], Finish]
    facts: Mapping[str, Json]
    reach: Reach = nullcontext


Run = Callable[[Task, Sequence[Input], Told], Iterator[Outcome]]
"""Works a task off: outcomes as they come, in any order; told what is next."""


def one_by_one(task: Task, inputs: Sequence[Input], told: Told) -> Iterator[Outcome]:
    """Work a task off in this process, in the order of the inputs."""

    def of(name: str) -> Told:
        return lambda words: told(name + words)

    for each in inputs:
        told(each.name)
        yield outcome_of(each, task, of(each.name))


def run_task(
    task: Task,
    inputs: Sequence[Input],
    output: Path,
    start: Start,
    run: Run = one_by_one,
    watch: Watch = lambda done, total, name: None,
) -> tuple[Outcome, ...]:
    """Work a task off, and write run.json.

    Parameters
    ----------
    task
        What is done with each input.
    inputs
        Scans, each with a name of its own.
    output
        Folder; created if needed.
    start
        What is done about outputs that are there.
    run
        Who does it.
    watch
        Called with inputs done, inputs in all, and what is next.

    Returns
    -------
    tuple of Outcome
        In the order of the inputs, those of an earlier run included.

    Raises
    ------
    OutputExistsError
        If an output is there that is neither to be overwritten nor of an earlier run, or another
        kind of output that an earlier run made with other settings.
    DatasetError
        If outputs of two inputs may have one name.
    ConfigError
        If an earlier run is to be resumed that was made with something else.
    FormatError
        If a kind of output needs DICOM and an input is not.
    """
    _require_dicom(task.kinds, inputs)
    require_apart(task.kinds, inputs)
    journal = Journal(output, task.command, task.facts, start.share)
    earlier = (journal.earlier() if start.resume else None) or Earlier({}, frozenset())
    told, past = earlier.records, list(journal.past_runs())
    former = former_of(past, output)
    lost = former_of(filter(journal.takes_place_of, past), output)
    started = time.monotonic()
    done = {
        each.name: told[each.name]
        for each in inputs
        if is_done(task.kinds, each, output, told.get(each.name))
    }
    by_name = {each.name: each for each in inputs}
    todo = [each for each in inputs if each.name not in done]
    require_free(task.kinds, todo, output, None if start.force else told)
    if not start.replaces:
        journal.require_alike({each.name for each in todo})
    make_folder(output)
    records = dict(done)
    outcomes = {name: _remembered(record) for name, record in done.items()}
    try:
        with journal.begin(done, [each.name for each in todo]) as stream:
            for outcome in run(task, todo, lambda words: watch(len(outcomes), len(inputs), words)):
                outcomes[outcome.name] = outcome
                written = _settled(task, by_name[outcome.name], outcome, former, start)
                records[outcome.name] = _record(outcome, written)
                add(stream, records[outcome.name])
        watch(len(inputs), len(inputs), "")
    finally:
        # Also after Ctrl-C: what was written stays and is told, and the journal what was begun.
        if records or not inputs:  # a share may have none
            others = (name for name in told if name in earlier.own and name not in by_name)
            listed = [records[name] for name in by_name if name in records]
            listed += [told[name] for name in others if not told[name].get("begun")]
            left = lost.left(outcomes.keys() - done.keys() if start.replaces else (), listed)
            facts = {**task.facts, "files": list[Json](listed), **({FORMER: left} if left else {})}
            write_run(output, task.command, facts, started, start.share)
        if len(outcomes) == len(inputs):
            journal.end()
    return tuple(outcomes[each.name] for each in inputs if each.name in outcomes)


def outcome_of(each: Input, task: Task, told: Told = lambda words: None) -> Outcome:
    """Do a task's work on one input; an error that a user can mend is part of the outcome."""
    return next(outcome for outcome in steps_of(each, task, told) if outcome)


def steps_of(
    each: Input, task: Task, told: Told, large: AbstractContextManager[object] | None = None
) -> Generator[Outcome | None]:
    """A task's work on one input in two steps; closing it in between leaves nothing behind.

    Parameters
    ----------
    each
        The input.
    task
        What is done with it.
    told
        Called with how far it is.
    large
        Held while something is made of a large volume; None makes it at once.

    Yields
    ------
    Outcome or None
        None when the outputs are made, then the outcome when they are written; only the outcome if
        nothing could be made. An error that a user can mend is part of it.
    """
    started = time.perf_counter()
    here, error, stamp = each, "", stamp_of(each)
    try:
        with task.reach(each) as here:
            opened = open_input(here)
            with (large if opened.scan.is_large else None) or nullcontext():
                finish = task.make(here, opened, told)
            yield None
            frames, quality = finish()
    except Exception as caught:
        error = _words_of(caught, each, here)
        if not error:
            raise
    seconds = time.perf_counter() - started
    if error:
        yield Outcome(each.name, seconds, error=error)
    else:
        yield Outcome(each.name, seconds, frames, opened.sha256, quality=quality, stamp=stamp)


def _words_of(error: Exception, each: Input, here: Input) -> str:
    """What a user can mend, with the file's path or URL in front; empty for a fault of ours."""
    if not isinstance(error, CardiosegError):
        advice = "crop the image, take fewer frames (--phase) or close other programs"
        return f"{each.where}: out of memory; {advice}" if is_out_of_memory(error) else ""
    words = str(error)
    if each.url:
        words = words.replace(str(here.path), each.where).replace(each.url, each.where)
    return words if each.where in words else f"{each.where}: {words}"


def _require_dicom(kinds: Sequence[Kind], inputs: Sequence[Input]) -> None:
    needy = [kind.name for kind in kinds if kind.needs_dicom]
    others = [each.where for each in inputs if not each.is_dicom]
    if needy and others:
        raise FormatError(
            f"{others[0]}: not DICOM, so {' and '.join(needy)} cannot be written: they refer to "
            "the images that they were made from; name a DICOM folder or leave them out"
        )


def _remembered(record: Record) -> Outcome:
    verdict = record.get("verdict")
    return Outcome(
        name=str(record["name"]),
        seconds=float(str(record.get("seconds", 0))),
        frames=int(str(record.get("frames", 0))),
        input_sha256=str(record.get("input_sha256", "")),
        quality=None if verdict is None else Quality(Verdict(str(verdict))),
        skipped=True,
    )


def _settled(task: Task, each: Input, outcome: Outcome, former: Former, start: Start) -> list[str]:
    """Names of the files of an input that ended; what is there of it and not its answer goes."""
    if outcome.error:
        former.remove_failed(task.kinds, each)
    there = () if outcome.error else files_of(task.kinds, former.folder, each.name)
    written = [path.name for path in there]
    if start.replaces:
        former.remove(each, written)
    return written


def _record(outcome: Outcome, written: Sequence[str]) -> Record:
    record: dict[str, Json] = {"name": outcome.name, "seconds": round(outcome.seconds, 3)}
    if outcome.error:
        # The full message goes to stderr; a log names no path.
        return {**record, "failed": True}
    record |= {"input_sha256": outcome.input_sha256, "stamp": outcome.stamp}
    record |= {"frames": outcome.frames, "written": list[Json](written)}
    return record if outcome.quality is None else {**record, "verdict": outcome.quality.verdict}
