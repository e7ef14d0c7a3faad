"""Dice on the validation patients of trainings that are each fitted to a budget of CPU minutes.

    python -m benchmarks.speed.budgets --acdc FOLDER --cpu-minutes 4 8 20:0 --seeds 0 1 2

What a short training can reach is not read off a long one, whose learning rate is still high at
that minute: each budget is a training of its own, from random weights, with its schedule fitted to
it. Its last network predicts the patients as `cardioseg predict` does, and `cardioseg evaluate`
measures them; with every component too, since the preset's largest component was chosen on these
patients. `--peers-output` adds the training that `make peers` made, measured in the same way.
Stages are files: given again, the command goes on where it stopped. Each training has its own
`load_before`: null where it was not noted down.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.peers.files import read_json, write_json
from benchmarks.peers.run import ROOT, measured
from benchmarks.peers.stages import Stage, run_stage
from benchmarks.speed.contender import as_installed
from benchmarks.speed.record import facts

from cardioseg.data.splits import read_split

PRESET = Path("docs/results/speed/short.toml")
WAYS = {"dice": (), "dice_all_components": ("--all-components",)}
"""What is measured of each training, and how it is predicted."""
PEERS_WAYS = {"dice": "plain", "dice_all_components": "all"}
"""Where `make peers` keeps the same."""

Found = dict[str, float | str | None]


def rung(
    folder: Path, cpu_minutes: float, seed: int, options: argparse.Namespace, stage: Stage
) -> Found:
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
        `minutes` on the clock and `cpu_minutes` (epochs with their validation), `epochs`, `preset`,
        `load_before` the training, and mean Dice of the structures, per volume.
    """
    own = as_installed(options.threads)
    command = [sys.executable, "-m", "benchmarks.peers.arm_ours"]
    data = ["--acdc", str(options.acdc), "--split", str(options.split)]
    data += ["--threads", str(options.threads)]

    def arm(task: str, done: Path, *words: str) -> dict:
        return stage(done, [*command, task, "--output", str(done), *data, *words], own)

    fitted = ["--minutes", str(cpu_minutes), "--seed", str(seed), "--preset", str(options.preset)]
    trained = arm("train", folder / "train.json", *fitted)
    found = _told(trained, cpu_minutes, seed, Path(options.preset).name)
    for key, words in WAYS.items():
        arm("predict", folder / key / "predict.json", "--model", str(folder), *words)
        report = measured(folder / key / "labels", options.acdc, own, stage)
        found[key] = round(report.mean("dice"), 5)
    return found


def hour(output: Path, seed: int, options: argparse.Namespace, stage: Stage) -> Found:
    """The training of cardioseg that `make peers` made, as one more budget.

    Parameters
    ----------
    output
        Folder of `make peers`.
    seed
        Which.
    options
        `acdc`, `split`, `threads`.
    stage
        Runs a command unless its file is there.

    Returns
    -------
    dict
        As :func:`rung` tells it.

    Raises
    ------
    SystemExit
        If other patients trained or are measured there.
    """
    settings, split = read_json(output / "settings.json"), read_split(options.split)
    for part in ("training", "validation"):
        if {*settings[part]} != {*getattr(split, part)}:
            raise SystemExit(
                f"error: {output}: its {part} is not that of {options.split}; name its --split"
            )
    folder = output / "ours" / f"seed{seed}"
    trained = read_json(folder / "train.json")
    found = _told(trained, settings["minutes"], seed, settings["preset"])
    own = as_installed(options.threads)
    for key, variant in PEERS_WAYS.items():
        report = measured(folder / variant / "labels", options.acdc, own, stage)
        found[key] = round(report.mean("dice"), 5)
    return found


def _told(trained: Mapping[str, float], cpu_minutes: float, seed: int, preset: str) -> Found:
    return {
        "budget_cpu_minutes": cpu_minutes,
        "seed": seed,
        "preset": preset,
        "epochs": trained["epochs"],
        "minutes": round(trained["training_seconds"] / 60, 3),
        "cpu_minutes": round(trained["training_cpu_seconds"] / 60, 3),
        "load_before": trained.get("load_before"),
    }


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


def reaching(rungs: Sequence[Mapping[str, float]], goal: float, clock: str) -> tuple[float, ...]:
    """Minutes of the trainings that stand for a goal: none where it was not reached.

    Each seed's cheapest training where every seed has one that reached the goal; else those of the
    cheapest budget whose every training reached it, since a longer one may have fewer seeds.

    Examples
    --------
    >>> each = {"budget_cpu_minutes": 4, "cpu_minutes": 4, "dice": 0.8}
    >>> hour = {"budget_cpu_minutes": 60, "cpu_minutes": 59, "dice": 0.9, "seed": 0}
    >>> rungs = [{**each, "seed": 0}, {**each, "seed": 1}, hour]
    >>> reaching(rungs, 0.8, "cpu_minutes")
    (4, 4)
    >>> reaching(rungs, 0.9, "cpu_minutes")
    (59,)
    """
    seeds = [*cheapest(rungs, goal, clock).values()]
    if None not in seeds:
        return tuple(seeds)
    for budget in sorted({rung["budget_cpu_minutes"] for rung in rungs}):
        of_it = [rung for rung in rungs if rung["budget_cpu_minutes"] == budget]
        if all(rung["dice"] >= goal for rung in of_it):
            return tuple(rung[clock] for rung in of_it)
    return ()


def trainings(
    budgets: Iterable[tuple[float, int | None]], seeds: Sequence[int]
) -> list[tuple[float, int]]:
    """Budget and seed of every training, the shortest first.

    Examples
    --------
    >>> trainings([(20, 0), (4, None)], [0, 1])
    [(4, 0), (4, 1), (20, 0)]
    """
    named = {
        (minutes, each) for minutes, seed in budgets for each in (seeds if seed is None else [seed])
    }
    return sorted(named)


def _budget(text: str) -> tuple[float, int | None]:
    minutes, colon, seed = text.partition(":")
    try:
        return float(minutes), int(seed) if colon else None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write MINUTES or MINUTES:SEED") from None


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--acdc", type=Path, required=True, help="ACDC's folder")
    parser.add_argument("--split", type=Path, help="JSON file; default: ACDC/splits.json")
    parser.add_argument(
        "--cpu-minutes",
        type=_budget,
        nargs="+",
        required=True,
        metavar="MINUTES[:SEED]",
        help="budgets; with a seed, of this one alone",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--peers-output", type=Path, help="what `make peers` wrote: its seed 0 too")
    parser.add_argument("--preset", default=PRESET, help="preset or TOML file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("budgets-output"))
    parser.add_argument("--json", type=Path, help="default: OUTPUT/budgets.json")
    options = parser.parse_args(arguments)
    options.acdc, options.output = options.acdc.resolve(), options.output.resolve()
    options.split = (options.split or options.acdc / "splits.json").resolve()
    options.json = (options.json or options.output / "budgets.json").resolve()
    options.peers_output = options.peers_output and options.peers_output.resolve()
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Every training that is not there, then the file."""
    options = _parse(arguments)
    os.chdir(ROOT)
    known = facts(sys.argv[1:] if arguments is None else arguments, options.threads)
    del known["load_before"]  # of this call; what was trained by an earlier one has its own
    rungs = [
        rung(options.output / f"{minutes:g}-seed{seed}", minutes, seed, options, run_stage)
        for minutes, seed in trainings(options.cpu_minutes, options.seeds)
    ]
    if options.peers_output:
        rungs.append(hour(options.peers_output, 0, options, run_stage))
    write_json(options.json, {**known, "found": rungs})
    print(json.dumps(rungs, indent=1))


if __name__ == "__main__":
    main()
