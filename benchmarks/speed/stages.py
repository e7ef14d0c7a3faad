"""What each step of `cardioseg predict` takes, of one volume as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.speed.contender import as_installed
from benchmarks.speed.pace import WARM_UP, Spread, spread_words
from benchmarks.speed.results import NOT_MEASURED, Results
from benchmarks.speed.watched import IMPORTS, REST, STEPS

from cardioseg.evaluation.tables import markdown_table

OUTSIDE = "Python's start, the process' end"
WHOLE = "the whole process"


def stages(model: str, image: Path, folder: Path, threads: int, rounds: int) -> dict[str, dict]:
    """Seconds of each step, and of the whole process.

    Parameters
    ----------
    model
        By name or folder.
    image
        The volume.
    folder
        For what is written.
    threads
        Of the network.
    rounds
        That count; those before them don't.
    """
    taken = [_once(model, image, folder, threads) for _ in range(WARM_UP + rounds)][WARM_UP:]
    order = (OUTSIDE, IMPORTS, *STEPS, REST, WHOLE)
    return {name: Spread.of([each[name] for each in taken]).as_json() for name in order}


def _once(model: str, image: Path, folder: Path, threads: int) -> dict[str, float]:
    facts = folder / "stages.json"
    words = ["predict", str(image), "--model", model, "--output", str(folder / "out"), "--force"]
    command = [sys.executable, "-m", "benchmarks.speed.watched", str(facts), *words]
    began = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, env=as_installed(threads), check=False
    )
    whole = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{done.stderr}\nerror: cardioseg {' '.join(words)} failed")
    seconds = json.loads(facts.read_text())
    return {**seconds, OUTSIDE: whole - sum(seconds.values()), WHOLE: whole}


def stages_table(results: Results) -> str:
    """Seconds of each step, and its part of the whole."""
    found = results.found("stages")
    if not found:
        return NOT_MEASURED
    whole = found[WHOLE]["median"]
    rows = [
        [name, spread_words(Spread(**each), 3), f"{100 * each['median'] / whole:.0f} %"]
        for name, each in found.items()
    ]
    return markdown_table(["step", "s (min / median / max)", "of the whole"], rows)
