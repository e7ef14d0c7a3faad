"""Kill the program with signal 9 at random moments, start it again, and look at what is there.

    python -m tests.soak.kills --output kills.json

Half of the kills come at a random time; the others wait from a random time on for a file that is
just being written. A scenario ends without a kill, and its result is compared with that of a run
that nobody disturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
import numpy as np
from tests.soak.whole import files_below, half_written, leftovers
from tests.tiny_training import TINY

from cardioseg.workflows.phantoms import write_phantoms

CONFIG = (
    TINY.replace("epochs = 2", "epochs = {epochs}")
    + """dropout = 0.1
[augmentation]
rotation_deg = 10
flips = true
"""
)

PREPARE = """
import sys
from pathlib import Path
from cardioseg.data.slices import store_slices
from cardioseg.datasets import read_dataset
from cardioseg.training.config import read_config
cases = read_dataset("acdc:" + sys.argv[1]).labelled_cases
for step in (1, 2, 3):
    store_slices(cases, read_config(sys.argv[2]).plan, Path(sys.argv[3]), step=step)
"""

PATIENCE_S = 300
_WATCH_S = 20


@dataclass
class Tally:
    """What a scenario lived through."""

    kills: int = 0
    while_writing: int = 0
    files_checked: int = 0
    half_written: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (self.half_written or self.differing or self.lost)


@dataclass(frozen=True, eq=False)
class Place:
    """Inputs of all scenarios, and the random numbers of the kills."""

    folder: Path
    rng: random.Random

    @property
    def hearts(self) -> Path:
        """Three synthetic subjects in ACDC's layout."""
        path = self.folder / "hearts"
        if not path.exists():
            write_phantoms(path, 3, seed=1)
        return path

    def config(self, epochs: int) -> Path:
        path = self.folder / f"{epochs}.toml"
        path.write_text(CONFIG.format(epochs=epochs))
        return path


def start(command: Sequence[object], **environment: str) -> subprocess.Popen[bytes]:
    """Start a command as leader of a group of its own."""
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **environment},
    )


def program(*arguments: object) -> tuple[object, ...]:
    return ("-m", "cardioseg", *arguments)


def finished(command: Sequence[object]) -> None:
    """Run a command to its end, which must be a good one."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit code {done.returncode}: {done.stderr[-1500:]}")


def killed(
    command: Sequence[object], watched: Path, longest_s: float, rng: random.Random
) -> tuple[bool, bool]:
    """Start a command and kill it; whether it still ran then, and whether it was writing."""
    process = start(command)
    _wait(process, rng.uniform(0.0, longest_s))
    if rng.random() < 0.5:
        deadline = time.monotonic() + _WATCH_S
        while process.poll() is None and time.monotonic() < deadline and not leftovers(watched):
            time.sleep(0.0005)
    ran = process.poll() is None
    kill(process)
    return ran, bool(leftovers(watched))


def kill(process: subprocess.Popen[bytes]) -> None:
    """Signal 9 to a command and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def undisturbed(commands: Callable[[Path], Sequence[object]], output: Path) -> float:
    """Run to the end in a folder of its own; the seconds that it took."""
    started = time.monotonic()
    finished(commands(output))
    return time.monotonic() - started


def until_killed(
    count: int, place: Place, command: Callable[[Path], Sequence[object]], output: Path, took: float
) -> Tally:
    """Kill `count` times, looking after each, and anew in an empty folder when it was done."""
    tally = Tally()
    while tally.kills < count:
        if output.exists() and place.rng.random() < 0.1:
            shutil.rmtree(output)
        output.parent.mkdir(exist_ok=True)
        ran, writing = killed(command(output), output, took, place.rng)
        if not ran:
            shutil.rmtree(output, ignore_errors=True)
            continue
        tally.kills += 1
        tally.while_writing += writing
        look(tally, output)
    return tally


def look(tally: Tally, folder: Path) -> None:
    if folder.exists():
        tally.half_written += half_written(folder)
        tally.files_checked += len(files_below(folder))


def training(place: Place, count: int) -> Tally:
    """Resumed training ends with the very weights of one that was never stopped."""

    def command(output: Path) -> Sequence[object]:
        resume = ("--resume",) if (output / "config.json").exists() else ()
        return program(
            "train", "--config", place.config(6), "--data", f"acdc:{place.hearts}",
            "--output", output, *resume,
        )  # fmt: skip

    reference, output = place.folder / "reference", place.folder / "trained"
    took = undisturbed(command, reference)
    tally = until_killed(count, place, command, output, took)
    finished(command(output))
    look(tally, output)
    tally.differing += differing_tensors(reference, output)
    for name in ("model/model.onnx", "model/plan.json", "split.json"):
        if (reference / name).read_bytes() != (output / name).read_bytes():
            tally.differing.append(name)
    tally.lost += [f"{path} was not removed" for path in leftovers(output / "model")]
    return tally


def differing_tensors(first: Path, second: Path) -> list[str]:
    """Names of the tensors of two runs' checkpoints that differ in a bit."""
    from safetensors.numpy import load

    from cardioseg.training.checkpoint import CHECKPOINT

    one, two = (load((folder / CHECKPOINT).read_bytes()) for folder in (first, second))
    names = sorted(one.keys() | two.keys())
    return [n for n in names if n not in one or n not in two or not _same(one[n], two[n])]


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    return one.dtype == two.dtype and one.tobytes() == two.tobytes()


def preparing(place: Place, count: int) -> Tally:
    """The cache heals: what is opened after a kill is what was never disturbed."""

    def command(output: Path) -> Sequence[object]:
        return ("-c", PREPARE, place.hearts, place.config(6), output)

    reference, output = place.folder / "cache-reference", place.folder / "cache"
    took = undisturbed(command, reference)
    tally = until_killed(count, place, command, output, took)
    finished(command(output))
    look(tally, output)
    for path in files_below(reference):
        twin = output / path.relative_to(reference)
        if not twin.is_file() or twin.read_bytes() != path.read_bytes():
            tally.differing.append(str(path.relative_to(reference)))
    return tally


def predicting(place: Place, count: int) -> Tally:
    """Every output is whole and the same as undisturbed, or not there."""
    kinds = "nifti,json,nrrd"

    def command(output: Path) -> Sequence[object]:
        return program(
            "predict", place.hearts, "--model", "sax", "--write", kinds, "--force",
            "--output", output,
        )  # fmt: skip

    reference, output = place.folder / "labels-reference", place.folder / "labels"
    took = undisturbed(command, reference)
    tally = until_killed(count, place, command, output, took)
    finished(command(output))
    look(tally, output)
    tally.differing += [
        path.name
        for path in files_below(reference)
        if path.name != "run.json" and path.read_bytes() != (output / path.name).read_bytes()
    ]
    tally.lost += [f"{path} was not removed" for path in leftovers(output)]
    return tally


def tuning(place: Place, count: int) -> Tally:
    """A search goes on with the same command, and has all its trials in the end."""
    trials = 3

    def command(output: Path) -> Sequence[object]:
        return program(
            "tune", "--config", place.config(2), "--data", f"acdc:{place.hearts}",
            "--output", output, "--trials", trials,
        )  # fmt: skip

    output = place.folder / "search"
    took = undisturbed(command, place.folder / "search-reference")
    tally = until_killed(count, place, command, output, took)
    finished(command(output))
    look(tally, output)
    record = json.loads((output / "run.json").read_text())
    done = record["complete"] + record["pruned"]
    if done != trials:
        tally.lost.append(f"{done} of {trials} trials")
    tally.lost += [
        f"{path} was not removed" for path in (output / "trials").rglob("checkpoint.safetensors")
    ]
    return tally


def serving(place: Place, count: int) -> Tally:
    """Every job that a client was told of is done or failed in words, however often it is cut."""
    tally = Tally()
    scan = next(place.hearts.rglob("patient001_frame01.nii.gz")).read_bytes()
    jobs = place.folder / "jobs"
    known: set[str] = set()
    while tally.kills < count:
        process, client = _server(jobs)
        try:
            answer = client.post("/api/jobs", content=scan)
            if answer.status_code == 202:
                known.add(answer.json()["id"])
            time.sleep(place.rng.uniform(0, 3))
            deadline = time.monotonic() + _WATCH_S / 2 * (place.rng.random() < 0.5)
            while time.monotonic() < deadline and not leftovers(jobs):
                time.sleep(0.0005)
        finally:
            client.close()
            kill(process)
        tally.kills += 1
        tally.while_writing += bool(leftovers(jobs))
        look(tally, jobs)
    process, client = _server(jobs)
    try:
        for identity in sorted(known):
            tally.lost += _unfinished(client, identity)
    finally:
        client.close()
        kill(process)
    look(tally, jobs)
    return tally


def _unfinished(client: httpx.Client, identity: str) -> list[str]:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = client.get(f"/api/jobs/{identity}")
        if answer.status_code != 200:
            return [f"{identity}: {answer.status_code}"]
        job = answer.json()
        if job["state"] == "done" or (job["state"] == "failed" and job["error"]):
            return []
        time.sleep(0.1)
    return [f"{identity}: {job['state']}"]


def _server(jobs: Path) -> tuple[subprocess.Popen[bytes], httpx.Client]:
    """A server that has said where it listens, and a client for it."""
    command = program("serve", "--model", "otsu", "--port", 0, "--jobs", jobs)
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    if process.stdout is None:
        raise AssertionError("no output to read")
    found = re.search(rb"http://[^/\s]+/", process.stdout.readline())
    if found is None:
        kill(process)
        raise AssertionError("the server does not start")
    return process, httpx.Client(base_url=found[0].decode(), timeout=PATIENCE_S)


SCENARIOS: dict[str, tuple[Callable[[Place, int], Tally], int]] = {
    "train": (training, 16),
    "prepare": (preparing, 10),
    "predict": (predicting, 12),
    "tune": (tuning, 10),
    "serve": (serving, 10),
}
"""Each with the kills of the soak run, 58 in all."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--output", type=Path, default=Path("kills.json"), help="added to")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    record = json.loads(arguments.output.read_text()) if arguments.output.is_file() else {}
    scenarios = record.get("scenarios", {})
    for name in arguments.only:
        run, count = SCENARIOS[name]
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            tally = run(Place(Path(folder), random.Random(f"{name} {arguments.seed}")), count)
        tally.seconds = round(time.monotonic() - started, 1)
        scenarios[name] = asdict(tally)
        kills = sum(each["kills"] for each in scenarios.values())
        text = json.dumps({"kills": kills, "scenarios": scenarios}, indent=1)
        arguments.output.write_text(text + "\n")
        print(f"{name}: {tally.kills} kills, {'clean' if tally.is_clean else tally}")
    clean = all(
        not (each["half_written"] or each["differing"] or each["lost"])
        for each in scenarios.values()
    )
    sys.exit(not clean)


if __name__ == "__main__":
    main()
