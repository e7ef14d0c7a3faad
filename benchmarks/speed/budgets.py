"""Dice on the validation patients of trainings that are each fitted to a budget of CPU minutes.

    python -m benchmarks.speed.budgets --acdc FOLDER --cpu-minutes 8 20 --seeds 0 1 2 --output RUNS

What a short training can reach is not read off a long one, whose learning rate is still high at
that minute: each budget is a training of its own, from random weights, with its schedule fitted to
it. Its last network predicts the patients as `cardioseg predict` does, and `cardioseg evaluate`
measures them; with every component too, since the preset's largest component was chosen on these
patients. Stages are files: given again, the command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.peers.files import write_json
from benchmarks.peers.run import ROOT, measured
from benchmarks.peers.stages import Stage, run_stage
from benchmarks.speed.contender import as_installed

PRESET = Path("docs/results/speed/short.toml")
WAYS = {"dice": (), "dice_all_components": ("--all-components",)}
"""What is measured of each training, and how it is predicted."""


def rung(
    folder: Path, cpu_minutes: float, seed: int, options: argparse.Namespace, stage: Stage
) -> dict[str, float]:
    """Train within one budget, predict, measure.

    Parameters
    ----------
    folder
        Of this budget and seed.
    cpu_minutes, seed
        Which.
    options
        `acdc`, `split`, `preset`, `threads`.
    stage
        Runs a command unless its file is there.

    Returns
    -------
    dict
        `minutes` on the clock and `cpu_minutes` (epochs with their validation), `epochs`, and
        mean Dice of the structures, per volume.
    """
    own = as_installed(options.threads)
    command = [sys.executable, "-m", "benchmarks.peers.arm_ours"]
    data = ["--acdc", str(options.acdc), "--split", str(options.split)]
    data += ["--threads", str(options.threads)]

    def arm(task: str, done: Path, *words: str) -> dict:
        return stage(done, [*command, task, "--output", str(done), *data, *words], own)

    fitted = ["--minutes", str(cpu_minutes), "--seed", str(seed), "--preset", str(options.preset)]
    trained = arm("train", folder / "train.json", *fitted)
    found = {
        "budget_cpu_minutes": cpu_minutes,
        "seed": seed,
        "epochs": trained["epochs"],
        "minutes": round(trained["training_seconds"] / 60, 3),
        "cpu_minutes": round(trained["training_cpu_seconds"] / 60, 3),
    }
    for key, words in WAYS.items():
        arm("predict", folder / key / "predict.json", "--model", str(folder), *words)
        report = measured(folder / key / "labels", options.acdc, own, stage)
        found[key] = round(report.mean("dice"), 5)
    return found


def cheapest(
    rungs: Iterable[Mapping[str, float]], goal: float, clock: str
) -> dict[int, float | None]:
    """Minutes of each seed's cheapest training that reached a mean Dice; None where none did.

    Examples
    --------
    >>> first = {"seed": 0, "minutes": 4, "dice": 0.84}
    >>> cheapest([first, {"seed": 0, "minutes": 6, "dice": 0.86}], 0.85, "minutes")
    {0: 6}
    """
    found: dict[int, float | None] = {}
    for each in sorted(rungs, key=lambda rung: rung[clock]):
        seed = int(each["seed"])
        if found.setdefault(seed, None) is None and each["dice"] >= goal:
            found[seed] = each[clock]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Every training that is not there, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--acdc", type=Path, required=True, help="ACDC's folder")
    parser.add_argument("--split", type=Path, help="JSON file; default: ACDC/splits.json")
    parser.add_argument("--cpu-minutes", type=float, nargs="+", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--preset", default=PRESET, help="preset or TOML file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("budgets-output"))
    parser.add_argument("--json", type=Path, help="default: OUTPUT/budgets.json")
    options = parser.parse_args(arguments)
    options.acdc, output = options.acdc.resolve(), options.output.resolve()
    options.split = (options.split or options.acdc / "splits.json").resolve()
    target = (options.json or output / "budgets.json").resolve()
    os.chdir(ROOT)
    rungs = [
        rung(output / f"{minutes:g}-seed{seed}", minutes, seed, options, run_stage)
        for minutes in sorted(options.cpu_minutes)
        for seed in options.seeds
    ]
    told = {"preset": Path(options.preset).name, "threads": options.threads, "found": rungs}
    write_json(target, told)
    print(json.dumps(rungs, indent=1))


if __name__ == "__main__":
    main()
