"""Volumes one by one and two at a time, in turns: seconds, CPU seconds, and whether files differ.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.speed.abreast --data acdc:FOLDER --split SPLIT \\
        --json abreast.json

The first variable is what the program sets for itself (`cli/app.py`). "Two callers of one engine"
is what was not chosen: two threads that share an engine on all cores. The cine is one image, read
as so many frames. Writing is timed within each run of volumes, reading by itself afterwards.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.peers.files import write_json
from benchmarks.speed.pace import WARM_UP
from benchmarks.speed.record import facts

from cardioseg.core.scan import Scan
from cardioseg.engines.engine import usable_cores
from cardioseg.inference.predictor import Predictor
from cardioseg.workflows.abreast import threads_for_two, two_at_a_time
from cardioseg.workflows.choice import Choice
from cardioseg.workflows.inputs import Input, Opened, gather_images, of_part, open_input
from cardioseg.workflows.outputs import NIFTI
from cardioseg.workflows.predict import prediction
from cardioseg.workflows.result import Result
from cardioseg.workflows.segment import Wanted, segment
from cardioseg.workflows.work import Run, Start, one_by_one, run_task

FRAMES = 12


class Clock:
    """Seconds on the clock and of the processors."""

    def __init__(self) -> None:
        self._begun = time.perf_counter(), time.process_time()

    @property
    def read(self) -> dict[str, float]:
        seconds = time.perf_counter() - self._begun[0]
        return {"s": seconds, "cpu_s": time.process_time() - self._begun[1]}


def work(predictor: Predictor, inputs: Sequence[Input], output: Path, run: Run) -> dict[str, float]:
    """Predict all inputs; also the seconds of writing."""
    writing = 0.0

    def write(result: Result, folder: Path) -> None:
        nonlocal writing
        began = time.perf_counter()
        NIFTI.write(result, folder)
        writing += time.perf_counter() - began

    task = prediction(predictor, output, Wanted((replace(NIFTI, write=write),)))
    clock = Clock()
    outcomes = run_task(task, inputs, output, Start(force=True), run)
    if any(each.error for each in outcomes):
        raise SystemExit(f"error: {next(each.error for each in outcomes if each.error)}")
    return {**clock.read, "writing_s": writing}


def reading_seconds(inputs: Sequence[Input]) -> float:
    """Seconds that reading all inputs takes."""
    clock = Clock()
    for each in inputs:
        open_input(each)
    return clock.read["s"]


def frames(predictor: Predictor, opened: Opened) -> dict[str, float]:
    """Segment the frames of a cine."""
    clock = Clock()
    segment(predictor, "cine", opened, Wanted(), lambda done, total: None)
    return clock.read


def summary(rounds: Sequence[dict[str, float]], count: int) -> dict[str, dict[str, float]]:
    """Smallest, median and largest of the rounds, of each figure, for one volume."""
    return {
        name: {
            word: round(float(of([each[name] for each in rounds])) / count, 4)
            for word, of in (("min", min), ("median", np.median), ("max", max))
        }
        for name in rounds[0]
    }


def main() -> None:
    """All ways in turns, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="data set, such as acdc:FOLDER")
    parser.add_argument(
        "--split", type=Path, required=True, help="its validation subjects are used"
    )
    parser.add_argument("--model", default="sax")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        parser.error("set OPENBLAS_NUM_THREADS=1 before, as the program does for itself")
    known = facts(sys.argv[1:], usable_cores())
    inputs = of_part(
        gather_images([Path(options.data.partition(":")[2])]), options.split, "validation"
    )
    choice = Choice(options.model)
    half = threads_for_two(choice, inputs)
    if half is None:
        parser.error("two at a time need two cores and two images")
    all_cores, halves = choice.network(), choice.network(half)
    still = open_input(inputs[0])
    cine = replace(still, scan=Scan(still.scan.frames * FRAMES))
    with tempfile.TemporaryDirectory() as folder:
        one, two, both = (Path(folder) / name for name in ("one", "two", "both"))
        ways: dict[str, Callable[[], dict[str, float]]] = {
            "one by one": lambda: work(all_cores, inputs, one, one_by_one),
            "two at a time": lambda: work(halves, inputs, two, two_at_a_time),
            "two callers of one engine": lambda: work(all_cores, inputs, both, two_at_a_time),
            # Whose threads are counted out takes frames one by one.
            "cine, frame by frame": lambda: frames(choice.network(2 * half), cine),
            "cine, two frames at a time": lambda: frames(choice.network(), cine),
        }
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        for number in range(WARM_UP + options.rounds):
            for name, way in ways.items():
                spent = way()
                if number >= WARM_UP:
                    measured[name].append(spent)
                print(number, name, spent, flush=True)
        files = sorted(path.name for path in one.glob("*.nii.gz"))
        same = sum((one / name).read_bytes() == (two / name).read_bytes() for name in files)
        reading = reading_seconds(inputs)
    counts = {name: FRAMES if name.startswith("cine") else len(inputs) for name in ways}
    found = {
        "a volume": {name: summary(each, counts[name]) for name, each in measured.items()},
        "reading_s": round(reading / len(inputs), 4),
        "volumes": len(inputs),
        "frames": FRAMES,
        "files": len(files),
        "identical": same,
    }
    write_json(options.json, {**known, "found": found})


if __name__ == "__main__":
    main()
