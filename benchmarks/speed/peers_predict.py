"""One volume by nnU-Net 2-D and by cardioseg: whole process, and network alone, in turns."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.peers.files import read_json
from benchmarks.peers.run import PEERS_PYTHON, ROOT, peers_environment
from benchmarks.speed.pace import WARM_UP, Spread, ratios
from benchmarks.speed.timed_engine import TimedEngine
from benchmarks.speed.volumes import predicting

import cardioseg


@dataclass(frozen=True)
class Seconds:
    """One run: of the whole process, and of the network's passes in it."""

    process: float
    network: float


Run = Callable[[], Seconds]

PAIRS = {"without": ("nnunet", "ours"), "with": ("nnunet, mirrors", "ours")}
"""nnU-Net without its mirrors, and with them as is its default, against cardioseg's default."""


def compared(runs: Mapping[str, Run], rounds: int) -> dict[str, dict]:
    """Seconds of every run, and nnU-Net's over ours, round by round.

    Parameters
    ----------
    runs
        `ours`, `ours, mirrors`, `nnunet`, `nnunet, mirrors`: each runs once a round.
    rounds
        Rounds that count; those before them do not.
    """
    taken: dict[str, list[Seconds]] = {name: [] for name in runs}
    for number in range(WARM_UP + rounds):
        for name, run in runs.items():
            seconds = run()
            if number >= WARM_UP:
                taken[name].append(seconds)
    process = {name: [each.process for each in all_of] for name, all_of in taken.items()}
    network = {name: [each.network for each in all_of] for name, all_of in taken.items()}
    return {
        "seconds": {
            name: {
                "process_s": Spread.of(process[name]).as_json(),
                "network_s": Spread.of(network[name]).as_json(),
            }
            for name in runs
        },
        "nnunet_over_ours": {
            mirrors: {
                "process": ratios(process[slow], process[fast]).as_json(2),
                "network": ratios(network[slow], network[fast]).as_json(2),
            }
            for mirrors, (slow, fast) in PAIRS.items()
        },
    }


def runs_of(
    peers_output: Path, ours: str, image: Path, scratch: Path, threads: int
) -> dict[str, Run]:
    """What runs a model of ours, and nnU-Net of a folder of `make peers` (its first seed).

    Parameters
    ----------
    peers_output
        As `make peers` left it.
    ours
        Our model, by name or folder.
    image
        A NIfTI volume.
    scratch
        Folder for what is written.
    threads
        Of each method.
    """
    nnunet = _first_seed(peers_output / "nnunet")
    images = scratch / "peers-images"
    images.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(image, images / "volume_0000.nii.gz")
    return {
        "ours": _own(ours, image, scratch, threads, mirrors=False),
        "ours, mirrors": _own(ours, image, scratch, threads, mirrors=True),
        "nnunet": _nnunet(nnunet, images, scratch, threads, mirrors=False),
        "nnunet, mirrors": _nnunet(nnunet, images, scratch, threads, mirrors=True),
    }


def _first_seed(arm: Path) -> Path:
    seeds = sorted(arm.glob("seed*/train.json"))
    if not seeds:
        raise SystemExit(f"error: {arm}: no trained seed; run `make peers` first")
    return seeds[0].parent


def _own(model: str, image: Path, scratch: Path, threads: int, *, mirrors: bool) -> Run:
    """The program in a process; then the network's seconds in this one, its engine opened anew."""
    words = ("--mirrors",) if mirrors else ()
    program = predicting([image], model, scratch / "ours", threads, *words)

    def run() -> Seconds:
        process = program().seconds
        predictor = cardioseg.load_model(model)
        engine = TimedEngine(predictor.engine)
        timed = replace(predictor, engine=engine, mirrors=mirrors)
        timed.predict(cardioseg.read_volume(image))
        return Seconds(process, engine.seconds)

    return run


def _nnunet(model: Path, images: Path, scratch: Path, threads: int, *, mirrors: bool) -> Run:
    done = scratch / ("nnunet-mirrors" if mirrors else "nnunet") / "predict.json"
    command = [str(PEERS_PYTHON), "-m", "benchmarks.peers.arm_nnunet", "predict"]
    command += ["--output", str(done), "--threads", str(threads)]
    command += ["--model", str(model.resolve()), "--images", str(images)]
    command += ["--mirrors"] if mirrors else []

    def run() -> Seconds:
        started = time.perf_counter()
        told = subprocess.run(
            command,
            cwd=ROOT,
            env=peers_environment(threads, scratch / "nnunet-folders"),
            stdout=sys.stderr,
            check=False,
        )
        seconds = time.perf_counter() - started
        if told.returncode:
            raise SystemExit("error: nnU-Net could not predict; its words are above")
        return Seconds(seconds, read_json(done)["network_seconds_a_volume"])

    return run
