"""Do one thing with many inputs: what became of each, run.json, going on after a stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cardioseg.errors import CardiosegError, FormatError, is_out_of_memory
from cardioseg.io.atomic import make_folder
from cardioseg.workflows.former import Former, former_of
from cardioseg.workflows.inputs import Input, Opened, open_input
from cardioseg.workflows.journal import FORMER, Earlier, Journal, Record, add
from cardioseg.workflows.outcome import Outcome, Written, record_of, remembered
from cardioseg.workflows.outputs import Kind
from cardioseg.workflows.places import files_of, is_done, require_apart, require_free, stamp_of
from cardioseg.workflows.provenance import Json, write_run

Watch = Callable[[int, int, str], None]
Told = Callable[[str], None]
Finish = Callable[[], Written]
"""Writes what was made of one input."""
Reach = Callable[[Input], AbstractContextManager[Input]]
"""Brings an input to this machine, and removes what it brought at the end of the block."""


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
    former, started = former_of(journal), time.monotonic()
    done = _done(task, inputs, output, earlier)
    todo = {each.name: each for each in inputs if each.name not in done}
    require_free(task.kinds, [*todo.values()], output, None if start.force else earlier.records)
    if not start.force:
        former.require_alike(todo, journal.settings())
    make_folder(output)
    records = dict(done)
    outcomes = {name: remembered(record) for name, record in done.items()}
    try:
        with journal.begin(done, todo) as stream:
            for outcome in run(
                task, [*todo.values()], lambda words: watch(len(outcomes), len(inputs), words)
            ):
                outcomes[outcome.name] = outcome
                written = _settled(task, todo[outcome.name], outcome, former, start)
                records[outcome.name] = record_of(outcome, written)
                add(stream, records[outcome.name])
        watch(len(inputs), len(inputs), "")
    finally:
        # Also after Ctrl-C: what was written stays and is told, and the journal what was begun.
        if records or not inputs:  # a share may have none
            listed = _listed(inputs, records, earlier)
            left = former.left(outcomes.keys() & todo.keys() if start.force else (), listed)
            facts = {**task.facts, "files": list[Json](listed), **({FORMER: left} if left else {})}
            write_run(output, task.command, facts, started, start.share)
        if len(outcomes) == len(inputs):
            journal.end()
    return tuple(outcomes[each.name] for each in inputs if each.name in outcomes)


def _done(task: Task, inputs: Sequence[Input], output: Path, earlier: Earlier) -> dict[str, Record]:
    """Records of the inputs that an earlier run finished."""
    told = ((each, earlier.records.get(each.name)) for each in inputs)
    return {
        each.name: record
        for each, record in told
        if record is not None and is_done(task.kinds, each, output, record)
    }


def _listed(
    inputs: Sequence[Input], records: Mapping[str, Record], earlier: Earlier
) -> list[Record]:
    """What run.json tells: of these inputs, then of those of earlier runs."""
    names = dict.fromkeys(each.name for each in inputs)
    own = earlier.own - names.keys()
    others = (record for name, record in earlier.records.items() if name in own)
    return [
        *(records[name] for name in names if name in records),
        *(record for record in others if not record.get("begun")),
    ]


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
            made = finish()
    except Exception as caught:
        error = _words_of(caught, each, here)
        if not error:
            raise
    seconds = time.perf_counter() - started
    if error:
        yield Outcome(each.name, seconds, error=error)
    else:
        yield Outcome(
            each.name,
            seconds,
            made.frames,
            opened.sha256,
            quality=made.quality,
            notes=made.notes,
            stamp=stamp,
        )


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


def _settled(task: Task, each: Input, outcome: Outcome, former: Former, start: Start) -> list[str]:
    """Names of the files of an input that ended; what is there of it and not its answer goes."""
    if outcome.error:
        former.remove_failed(task.kinds, each)
    there = () if outcome.error else files_of(task.kinds, former.folder, each.name)
    written = [path.name for path in there]
    if start.force:
        former.remove(each, written)
    return written
