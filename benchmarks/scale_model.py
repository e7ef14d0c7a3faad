"""What a cohort costs: measured on 1, 2, 4 ... studies, then reckoned for as many as there are.

    python -m benchmarks.scale_model measure --output scale.json
    python -m benchmarks.scale_model tell scale.json --studies 100000 --cores 64

A study is a short-axis cine of UK Biobank's size (50 phases, 10 slices, 1.8 mm; Petersen et al.
2016, DOI 10.1186/s12968-016-0227-4) of a phantom's heart. The line through the smaller numbers of
studies must foretell the largest, or the model is wrong. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from benchmarks.speed.machine import describe
from benchmarks.speed.timed_engine import TimedEngine
from benchmarks.speed.volumes import predicting

import cardioseg
from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.io.atomic import write_text
from cardioseg.io.images import read_frames
from cardioseg.io.nifti import write_frames
from cardioseg.ops.resample import resample_volume
from cardioseg.phantom import cohort

SHAPE, SPACING_MM, PHASES = (208, 208, 10), (1.8, 1.8, 10.0), 50
COUNTS = (1, 2, 4, 8)
NAMES = (1_000, 10_000, 100_000)
HOUR_S = 3600
LIST_INPUTS = """
import json, sys, time
from pathlib import Path
from cardioseg.workflows.inputs import gather_images
from cardioseg.workflows.outcome import Outcome, record_of
started = time.perf_counter()
found = gather_images([Path(sys.argv[1])])
listed = time.perf_counter() - started
told = json.dumps(
    [
        record_of(Outcome(each.name, 9.999, 50, 64 * "0", stamp=64 * "0"), [f"{each.name}.nii.gz"])
        for each in found
    ]
)
print(json.dumps({"inputs": len(found), "seconds": listed, "record_mb": len(told) / 1e6}))
"""


@dataclass(frozen=True)
class Line:
    """Cost = start + each * count.

    Examples
    --------
    >>> Line.through([(1, 5.0), (2, 8.0), (4, 14.0)])
    Line(start=2.0, each=3.0)
    """

    start: float
    each: float

    @classmethod
    def through(cls, points: Sequence[tuple[int, float]]) -> Line:
        """The line of least squares through (count, cost), two points or more."""
        counts, costs = (np.array(each, float) for each in zip(*points, strict=True))
        each, start = np.polyfit(counts, costs, 1)
        return cls(round(float(start), 9), round(float(each), 9))

    def at(self, count: int) -> float:
        """Cost of so many."""
        return self.start + self.each * count


def study(folder: Path, number: int) -> Path:
    """A cine of a phantom's heart between its two phases, with noise; made once."""
    path = folder / f"study{number:03d}.nii.gz"
    if path.is_file():
        return path
    rng = np.random.default_rng(number)
    diastole, systole = (case.pair()[0] for case in cohort(1, number))
    middle = diastole.geometry.to_world((np.array(diastole.geometry.shape) - 1) / 2)
    affine = np.eye(4)
    affine[:3, :3] = diastole.geometry.directions * SPACING_MM
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    grid = Geometry(SHAPE, affine)
    first, second = (resample_volume(each, grid).array for each in (diastole, systole))
    frames = []
    for share in 0.5 - 0.5 * np.cos(np.linspace(0, 2 * np.pi, PHASES, endpoint=False)):
        blend = (1 - share) * first + share * second + rng.normal(0, 2, SHAPE)
        frames.append(Volume(np.round(blend).clip(0).astype(np.int16), grid))
    write_frames(frames, path)
    return path


def predicted(images: Sequence[Path], model: str, output: Path, threads: int) -> dict[str, float]:
    """One `cardioseg predict` of some studies: seconds, CPU seconds, memory, bytes."""
    whole = predicting(images, model, output, threads)()
    return {
        "studies": len(images),
        "seconds": round(whole.seconds, 3),
        "cpu_seconds": round(whole.cpu_seconds, 3),
        "mb": round(whole.peak_mb, 1),
        "bytes_read": sum(image.stat().st_size for image in images),
        "bytes_written": sum(each.stat().st_size for each in output.rglob("*") if each.is_file()),
    }


def shares(image: Path, model: str) -> dict[str, float]:
    """CPU seconds of a study's frames in one process: reading, network, all else of predicting."""
    predictor = cardioseg.load_model(model)
    engine = TimedEngine(predictor.engine, time.process_time)
    timed = replace(predictor, engine=engine)
    timed.predict(read_frames(image)[0])
    engine.seconds, engine.slices = 0.0, 0
    started = time.process_time()
    frames = read_frames(image)
    read = time.process_time() - started
    for frame in frames:
        timed.predict(frame)
    rest = time.process_time() - started - read - engine.seconds
    return {
        "reading": round(read, 3),
        "network": round(engine.seconds, 3),
        "preparation and restoring": round(rest, 3),
        "slices": engine.slices,
    }


def listed(count: int) -> dict[str, float]:
    """Seconds of finding so many inputs in a folder, and the size of their record."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            (Path(folder) / f"subject{number:06d}.nii.gz").touch()
        told = subprocess.run(
            [sys.executable, "-c", LIST_INPUTS, folder], check=True, capture_output=True, text=True
        )
    return {name: round(value, 3) for name, value in json.loads(told.stdout).items()}


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Everything that :func:`tell` reckons with."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        studies = [study(folder, number) for number in range(max(options.counts))]
        runs = []
        for count in options.counts:
            output = folder / f"out{count}"
            runs.append(predicted(studies[:count], options.model, output, options.threads))
            print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
        parts = shares(studies[0], options.model)
    return {
        "machine": describe(options.threads),
        "threads": options.threads,
        "model": options.model,
        "phases": PHASES,
        "shape": SHAPE,
        "runs": runs,
        "foretold": foretold(runs),
        "cpu_seconds_of_a_study": parts,
        "listing": [listed(count) for count in options.names],
    }


def foretold(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The last run's seconds, and what the line through the others says of them.

    Examples
    --------
    >>> runs = [{"studies": n, "seconds": 1.0 + 2 * n} for n in (1, 2, 4)]
    >>> foretold(runs)
    {'studies': 4, 'measured': 9.0, 'foretold': 9.0, 'error': 0.0}
    """
    *first, last = runs
    line = Line.through([(run["studies"], run["seconds"]) for run in first])
    guess = line.at(last["studies"])
    return {
        "studies": last["studies"],
        "measured": last["seconds"],
        "foretold": round(guess, 3),
        "error": round(guess / last["seconds"] - 1, 4),
    }


@dataclass(frozen=True)
class Cost:
    """What a cohort takes on CPU cores.

    Parameters
    ----------
    core_hours
        CPU time in all.
    hours
        On the clock, with every core busy.
    read_gb, written_gb
        Bytes from and to the disk, in units of 1e9.
    memory_gb
        Of all jobs that run at once, in units of 1e9.
    jobs
        Jobs at once.
    read_mb_per_s
        What the disk must give to keep the cores busy.
    network_share
        Share of the CPU time that is the network's: the most that a GPU could take off.
    """

    core_hours: float
    hours: float
    read_gb: float
    written_gb: float
    memory_gb: float
    jobs: int
    read_mb_per_s: float
    network_share: float


def cost(found: Mapping[str, object], studies: int, cores: int, a_job: int) -> Cost:
    """Reckon a cohort from what was measured.

    Parameters
    ----------
    found
        What `measure` wrote.
    studies, cores
        How many there are.
    a_job
        Studies of one process, which starts once for them.
    """
    runs, threads = found["runs"], int(found["threads"])
    lines = {
        name: Line.through([(run["studies"], run[name]) for run in runs])
        for name in ("seconds", "cpu_seconds")
    }
    starts, jobs = studies / a_job, max(cores // threads, 1)
    totals = {name: line.start * starts + line.each * studies for name, line in lines.items()}
    largest = runs[-1]
    hours = totals["seconds"] / jobs / HOUR_S
    read = largest["bytes_read"] / largest["studies"] * studies
    parts = {k: v for k, v in found["cpu_seconds_of_a_study"].items() if k != "slices"}
    return Cost(
        core_hours=totals["cpu_seconds"] / HOUR_S,
        hours=hours,
        read_gb=read / 1e9,
        written_gb=largest["bytes_written"] / largest["studies"] * studies / 1e9,
        memory_gb=largest["mb"] * 1024**2 / 1e9 * jobs,
        jobs=jobs,
        read_mb_per_s=read / 1e6 / (hours * HOUR_S),
        network_share=parts["network"] / sum(parts.values()),
    )


def table(found: Mapping[str, object], studies: int, cores: Sequence[int], a_job: int) -> str:
    """Costs on clusters of several sizes, as Markdown."""
    lines = [
        f"| cores | jobs | hours, {studies:,} studies | core hours | memory (GB) | read (MB/s) |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for count in cores:
        each = cost(found, studies, count, a_job)
        lines.append(
            f"| {count:,} | {each.jobs:,} | {each.hours:,.1f} | {each.core_hours:,.0f} "
            f"| {each.memory_gb:,.1f} | {each.read_mb_per_s:,.1f} |"
        )
    return "\n".join(lines) + "\n"


def tell(options: argparse.Namespace) -> None:
    """Print the table and the facts behind it."""
    found = json.loads(options.file.read_text(encoding="utf-8"))
    print(table(found, options.studies, options.cores, options.a_job))
    print(json.dumps(asdict(cost(found, options.studies, options.cores[-1], options.a_job))))


def main() -> None:
    """Measure or tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    modes = parser.add_subparsers(required=True)
    first = modes.add_parser("measure")
    first.add_argument("--output", type=Path, required=True)
    first.add_argument("--model", default="sax")
    first.add_argument("--threads", type=int, default=2)
    first.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    first.add_argument("--names", type=int, nargs="+", default=NAMES)
    first.set_defaults(run=_measure)
    second = modes.add_parser("tell")
    second.add_argument("file", type=Path)
    second.add_argument("--studies", type=int, default=100_000)
    second.add_argument("--cores", type=int, nargs="+", default=[2, 64, 1024])
    second.add_argument("--a-job", type=int, default=500, help="studies of one process")
    second.set_defaults(run=tell)
    options = parser.parse_args()
    run: Callable[[argparse.Namespace], None] = options.run
    run(options)


def _measure(options: argparse.Namespace) -> None:
    write_text(options.output, json.dumps(measure(options), indent=1) + "\n")


if __name__ == "__main__":
    main()
