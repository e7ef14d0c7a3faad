"""Damaged inputs by the thousand: only our own errors, in bounded time and memory.

    python -m tests.soak.fuzz --inputs 100000 --output fuzz.json

Each input is a function of (format, number). Batches run in processes of their own under a memory
limit, so that a crash, a hang or a flood of memory is a finding and not the end of the run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from tests.soak.targets import TARGETS, Target

from cardioseg.errors import CardiosegError
from cardioseg.service.problems import ProblemError

SECONDS_AN_INPUT = 10
"""Of the processor: a machine that is busy with something else is not a finding."""
HANG_SECONDS = 300
MEMORY_MB = 512
"""A process may take this much more than it had before its first input."""
BATCH = 1000


@dataclass
class Tally:
    """What became of the inputs of one format."""

    inputs: int = 0
    read: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    found: list[dict[str, object]] = field(default_factory=list)
    seconds: float = 0.0
    slowest_s: float = 0.0
    memory_mb: float = 0.0

    def add(self, other: Tally) -> None:
        self.inputs += other.inputs
        self.read += other.read
        self.refused = dict(Counter(self.refused) + Counter(other.refused))
        self.found += other.found
        self.seconds += other.seconds
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.memory_mb = max(self.memory_mb, other.memory_mb)


class TookTooLongError(BaseException):
    """No `except Exception` on the way may swallow it."""


def damaged(kind: str, number: int, folder: Path) -> Path:
    """Write the input of that number."""
    rng = random.Random(f"{kind} {number}")
    seed = rng.choice(TARGETS[kind].seeds())
    path = folder / seed.name
    path.write_bytes(seed.damage(seed.data, rng))
    return path


def try_one(target: Target, path: Path) -> tuple[str, str]:
    """`read`, the name of our own error, or what should not have happened with where it did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            target.read(path)
        except (CardiosegError, ProblemError) as error:
            return type(error).__name__, ""
        except (Exception, TookTooLongError) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            own = [
                e for e in traceback.extract_tb(error.__traceback__) if "cardioseg" in e.filename
            ]
            where = own[-1] if own else place
            name = Path(where.filename).name
            return "", f"{type(error).__name__}: {str(error)[:160]} at {name}:{where.lineno}"
    return "read", ""


def run_batch(kind: str, numbers: range, pipe) -> None:  # type: ignore[no-untyped-def]
    """A child's side: tell each number before it is tried, and its outcome after."""
    target, tally = TARGETS[kind], Tally()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # ITK tells every damaged header there
    for seed in target.seeds():  # imports all that is needed before the limit is set
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / seed.name
            whole.write_bytes(seed.data)
            try_one(target, whole)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (size + (MEMORY_MB << 20),) * 2)
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGPROF, _too_long)
    for number in numbers:
        pipe.send(number)
        with tempfile.TemporaryDirectory() as folder:
            path = damaged(kind, number, Path(folder))
            started = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS_AN_INPUT)
            signal.alarm(HANG_SECONDS)
            try:
                outcome, wrong = try_one(target, path)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.alarm(0)
            took = time.process_time() - started
        tally.inputs += 1
        tally.seconds += took
        tally.slowest_s = max(tally.slowest_s, took)
        if wrong:
            tally.found.append({"format": kind, "number": number, "what": wrong})
        elif outcome == "read":
            tally.read += 1
        else:
            tally.refused[outcome] = tally.refused.get(outcome, 0) + 1
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tally.memory_mb = (after - before) / 1024
    pipe.send(tally)


def fuzz(kind: str, numbers: range, batch: int = BATCH) -> Tally:
    """Inputs of one format, in processes that may die."""
    total = Tally()
    start = numbers.start
    while start < numbers.stop:
        part = range(start, min(start + batch, numbers.stop))
        tally, reached = _one_process(kind, part)
        if tally is None:
            found = {"format": kind, "number": reached, "what": "the process died or hung"}
            total.add(Tally(inputs=1, found=[found]))
            # What came before the deadly input is run again without it, to be counted.
            if reached > part.start:
                before, _ = _one_process(kind, range(part.start, reached))
                total.add(before or Tally())
            start = reached + 1
        else:
            total.add(tally)
            start = part.stop
    return total


def _one_process(kind: str, numbers: range) -> tuple[Tally | None, int]:
    # Forked: a process of its own for each batch without importing everything anew.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_batch, args=(kind, numbers, theirs))
    process.start()
    theirs.close()
    reached, tally = numbers.start, None
    try:
        while ours.poll(HANG_SECONDS * 2):
            message = ours.recv()
            if isinstance(message, Tally):
                tally = message
                break
            reached = message
    except EOFError:
        pass
    if process.is_alive() and tally is None:
        process.kill()
    process.join()
    return tally, reached


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TookTooLongError(f"more than {SECONDS_AN_INPUT} s")


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _counts(inputs: int) -> dict[str, int]:
    return {kind: round(inputs * target.share) for kind, target in TARGETS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all, over all formats")
    parser.add_argument("--only", nargs="*", default=list(TARGETS), help="formats")
    parser.add_argument("--output", type=Path, default=Path("fuzz.json"), help="added to")
    arguments = parser.parse_args()
    record = json.loads(arguments.output.read_text()) if arguments.output.is_file() else {}
    formats = record.get("formats", {})
    for kind in arguments.only:
        tally = Tally(**formats.get(kind, {}))
        wanted = _counts(arguments.inputs)[kind]
        while tally.inputs < wanted:
            numbers = range(tally.inputs, min(tally.inputs + BATCH, wanted))
            tally.add(fuzz(kind, numbers))
            formats[kind] = asdict(tally)
            arguments.output.write_text(json.dumps(_record(formats), indent=1) + "\n")
        print(f"{kind}: {tally.inputs} inputs, {tally.read} read, {len(tally.found)} found")
    sys.exit(any(each["found"] for each in formats.values()))


def _record(formats: dict[str, dict[str, object]]) -> dict[str, object]:
    inputs = sum(each["inputs"] for each in formats.values())  # type: ignore[misc]
    return {
        "inputs": inputs,
        "seconds_an_input_at_most": SECONDS_AN_INPUT,
        "memory_mb_at_most": MEMORY_MB,
        "formats": formats,
    }


if __name__ == "__main__":
    main()
