"""`cardioseg predict` by engine, of many volumes and of a large one: what `auto` rests on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.speed.pace import WARM_UP, Spread, ratios, spread_words
from benchmarks.speed.results import NOT_MEASURED, Results
from benchmarks.speed.volumes import Whole, large_volume, predicting

from cardioseg.evaluation.tables import markdown_table

ENGINES = ("onnx", "openvino")
COUNT = 16
LARGE_ROUNDS = 3


def default_engine(image: Path, folder: Path, threads: int, rounds: int) -> dict[str, dict]:
    """Whole processes by each engine, in turns: one volume, many of its size, and a large one.

    Parameters
    ----------
    image
        A volume; the many are copies of it.
    folder
        For what is written.
    threads
        Of the networks.
    rounds
        That count; of the large volume there are fewer.
    """
    many = [folder / f"copy-{number:02}.nii.gz" for number in range(COUNT)]
    for path in many:
        shutil.copyfile(image, path)
    work: dict[str, tuple[list[Path], tuple[str, ...], int]] = {
        "1 volume": ([image], (), rounds),
        f"{COUNT} volumes": (many, (), rounds),
        "528 x 528 x 200, axial": ([large_volume(folder)], ("--plane", "axial"), LARGE_ROUNDS),
    }
    return {
        told: _by_engine(
            {
                engine: predicting(
                    images, "sax", folder / "out", threads, "--engine", engine, *words
                )
                for engine in ENGINES
            },
            count,
        )
        for told, (images, words, count) in work.items()
    }


def _by_engine(runs: dict[str, Callable[[], Whole]], rounds: int) -> dict[str, object]:
    taken: dict[str, list[Whole]] = {engine: [] for engine in runs}
    warm_up = WARM_UP if rounds > LARGE_ROUNDS else 0
    for number in range(warm_up + rounds):
        for engine, run in runs.items():
            whole = run()
            if number >= warm_up:
                taken[engine].append(whole)
    seconds = {engine: [each.seconds for each in all_of] for engine, all_of in taken.items()}
    found: dict[str, object] = {
        engine: {
            "seconds": Spread.of(seconds[engine]).as_json(),
            "peak_mb": Spread.of([each.peak_mb for each in all_of]).as_json(0),
        }
        for engine, all_of in taken.items()
    }
    slow, fast = (seconds[engine] for engine in reversed(ENGINES))
    return {**found, "openvino_over_onnx": ratios(slow, fast).as_json(2)}


def default_engine_table(results: Results) -> str:
    """Seconds and memory by engine, and the ratio."""
    found = results.found("default-engine")
    if not found:
        return NOT_MEASURED
    header = ["one process", "ONNX Runtime (s)", "OpenVINO (s)", "OpenVINO / ONNX Runtime"]
    header += ["peak MiB, ONNX Runtime", "peak MiB, OpenVINO"]
    rows = [
        [
            told,
            *(spread_words(Spread(**each[engine]["seconds"])) for engine in ENGINES),
            spread_words(Spread(**each["openvino_over_onnx"])),
            *(f"{each[engine]['peak_mb']['median']:.0f}" for engine in ENGINES),
        ]
        for told, each in found.items()
    ]
    return markdown_table(header, rows)
