"""`cardioseg predict` as a whole process: seconds, peak memory, and how both grow with the work."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from benchmarks.speed.contender import as_installed
from benchmarks.speed.pace import WARM_UP

import cardioseg
from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.io.nifti import write_volume

LAUNCH = Path(__file__).with_name("launch.py")

LARGE = (528, 528, 200)
"""The shape whose memory is bounded, at 0.75 x 0.75 x 1 mm."""

LARGE_SAX, LARGE_WHOLE_HEART = "528 x 528 x 200, axial", "528 x 528 x 200, whole-heart"
"""`sax` on axial slices; `whole-heart` in its three planes."""

SIDES, SLICES, COUNTS = (128, 192, 256, 384, 512), (8, 16, 32, 64), (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Whole:
    """One run of the program."""

    seconds: float
    peak_mb: float
    cpu_seconds: float = 0.0


def run_program(arguments: Sequence[str], threads: int) -> Whole:
    """Run `cardioseg` once and wait for it.

    Raises
    ------
    SystemExit
        If it fails.
    """
    program = [sys.executable, "-m", "cardioseg", *arguments]
    done = subprocess.run(
        [sys.executable, "-S", str(LAUNCH), *program],
        capture_output=True,
        text=True,
        env=as_installed(threads),
        check=True,
    )
    facts = json.loads(done.stdout)
    if facts["code"]:
        raise SystemExit(f"{done.stderr}\nerror: cardioseg {' '.join(arguments)} failed")
    return Whole(facts["seconds"], facts["peak_mb"], facts["cpu_seconds"])


def predicting(
    images: Sequence[Path], model: str, output: Path, threads: int, *more: str
) -> Callable[[], Whole]:
    """What runs `predict` on some images."""
    names = [str(image) for image in images]
    words = ["predict", *names, "--model", model, "--output", str(output), "--force", *more]
    return lambda: run_program(words, threads)


def large_volume(folder: Path) -> Path:
    """A scan of 528 x 528 x 200 voxels: a bright ball in noise, made once."""
    path = folder / "large.nii.gz"
    if not path.is_file():
        rng = np.random.default_rng(0)
        axes = np.ogrid[tuple(slice(-1, 1, complex(0, n)) for n in LARGE)]
        ball = np.sqrt(sum(axis**2 for axis in axes)).astype(np.float32)
        array = 400 * np.exp(-3 * ball) + rng.integers(0, 40, LARGE).astype(np.float32)
        grid = Geometry(LARGE, np.diag([0.75, 0.75, 1.0, 1.0]))
        write_volume(Volume(array.astype(np.float32), grid), path)
    return path


def stack(folder: Path, side: int, slices: int, copy: int = 0) -> Path:
    """A phantom-free stack of noise with a bright disc, for counting cost."""
    path = folder / f"stack-{side}-{slices}-{copy}.nii.gz"
    if not path.is_file():
        rng = np.random.default_rng([side, slices, copy])
        rows, columns = np.ogrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        disc = 300 * (np.hypot(rows, columns) < 0.3)
        array = (disc[:, :, None] + rng.random((side, side, slices)) * 50).astype(np.float32)
        grid = Geometry((side, side, slices), np.diag([1.5, 1.5, 8.0, 1.0]))
        write_volume(Volume(array, grid), path)
    return path


def growth(model: str, folder: Path, threads: int, rounds: int) -> dict[str, list[dict]]:
    """Seconds and peak MiB of predicting, against slices, pixels and number of volumes.

    Of one volume the seconds are those of a program that is running already, the MiB those of a
    process; of several, both are the process'. Medians.
    """
    predictor = cardioseg.load_model(model)

    def timed(path: Path) -> float:
        started = time.perf_counter()
        predictor.predict(cardioseg.read_volume(path))
        return time.perf_counter() - started

    def runs(paths: Sequence[Path]) -> list[Whole]:
        run = predicting(paths, model, folder / "out", threads)
        return [run() for _ in range(rounds)]

    def one(side: int, slices: int) -> dict[str, float]:
        path = stack(folder, side, slices)
        seconds = [timed(path) for _ in range(WARM_UP + rounds)][WARM_UP:]
        peak_mb = median(each.peak_mb for each in runs([path]))
        return {"seconds": round(median(seconds), 4), "mb": int(peak_mb)}

    def several(paths: Sequence[Path]) -> dict[str, float]:
        all_of = runs(paths)
        seconds = median(each.seconds for each in all_of)
        return {"seconds": round(seconds, 3), "mb": int(median(e.peak_mb for e in all_of))}

    volumes = [stack(folder, 192, 10, copy) for copy in range(COUNTS[-1])]
    return {
        "slices": [{"slices": n, **one(192, n)} for n in SLICES],
        "side": [{"side": n, **one(n, 10)} for n in SIDES],
        "volumes": [{"volumes": n, **several(volumes[:n])} for n in COUNTS],
    }
