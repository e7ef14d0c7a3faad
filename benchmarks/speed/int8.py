"""What int8 costs in Dice and gains in time: trained networks, by both engines.

    python -m benchmarks.speed.int8 --data acdc:FOLDER --split docs/results/sax/split.json \\
        --model run/model --name fast --json docs/results/speed/int8.json

Each model is quantised as `cardioseg quantise` does it, whatever is lost: ranges from the split's
training patients, Dice of its validation patients by each engine in int8 against its own float32.
Then both files run a batch of training slices of the plan's size, in turns.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

from benchmarks.speed.contender import pin
from benchmarks.speed.pace import Spread, ratios, take_turns
from benchmarks.speed.record import facts, kept
from benchmarks.speed.results import NAMES, NOT_MEASURED, Results

from cardioseg.data.splits import Split, read_split
from cardioseg.datasets import Dataset, read_dataset
from cardioseg.evaluation.tables import markdown_table
from cardioseg.io.atomic import write_text
from cardioseg.model import NETWORK, VALIDATION_ROW, Model, open_engine, open_model
from cardioseg.workflows.quantise import Judgement, calibration_slices, quantise

BATCH = 8


def measured(model: Model, dataset: Dataset, split: Split, rounds: int) -> dict[str, object]:
    """Dice and speed of a model and of its int8 twin."""
    with tempfile.TemporaryDirectory() as folder:
        judged = quantise(model, dataset, split, Path(folder) / "int8", largest_drop=1)
        twin = open_model(Path(folder) / "int8")
        network = model.plan.network
        return {
            "convolution": network.convolution,
            "widths": list(network.widths),
            "size": list(model.plan.size),
            "trained": {row: model.card_rows.get(row) for row in ("Data", "Training")},
            "by_its_card": model.card_rows.get(VALIDATION_ROW),
            "bytes": [(each.folder / NETWORK).stat().st_size for each in (model, twin)],
            "subjects": judged.subjects,
            "calibration_slices": judged.calibration_slices,
            "engines": _dice_of(judged),
            **(_speed(model, twin, dataset, split, rounds) if rounds else {}),
        }


def _dice_of(judged: Judgement) -> dict[str, dict[str, object]]:
    return {
        engine: {
            "float32": _rounded(change.before),
            "int8": _rounded(change.after),
            "drop": round(change.drop, 5),
        }
        for engine, change in judged.engines.items()
    }


def _rounded(dice: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in dice.items()}


def _speed(
    model: Model, twin: Model, dataset: Dataset, split: Split, rounds: int
) -> dict[str, object]:
    """Images a second by each engine, and how many times as fast int8 is."""
    cases = split.cases(dataset.read_as(model.plan.label_scheme).labelled_cases, "training")
    batch = calibration_slices(model, cases[:BATCH])[:BATCH]

    def timed(each: Model, engine: str) -> Callable[[], float]:
        network = open_engine(each, engine)

        def run() -> float:
            begun = time.perf_counter()
            network(batch)
            return time.perf_counter() - begun

        return run

    seconds = take_turns(
        {
            engine + word: timed(each, engine)
            for engine in ("onnx", "openvino")
            for each, word in ((model, ""), (twin, "-int8"))
        },
        rounds,
        warm_up=2,
    )
    per_s = {name: Spread.of([len(batch) / s for s in each]) for name, each in seconds.items()}
    return {
        "batch": len(batch),
        "images_per_s": {name: spread.as_json() for name, spread in per_s.items()},
        "times_as_fast": {
            engine: ratios(seconds[engine], seconds[f"{engine}-int8"]).as_json(2)
            for engine in ("onnx", "openvino")
        },
    }


def int8_table(results: Results) -> str:
    """Dice and speed of trained networks in float32 and in int8, by engine."""
    found = results.found("int8")
    if not found:
        return NOT_MEASURED
    header = ["trained network", "engine", "Dice, float32", "Dice, int8", "lost"]
    header += ["most lost of a structure", "int8 / float32, time"]
    rows = [
        [name, NAMES[engine], *_dice_cells(dice), _times(each, engine)]
        for name, each in found.items()
        for engine, dice in each["engines"].items()
    ]
    return markdown_table(header, rows, texts=2)


def _dice_cells(dice: dict) -> list[str]:
    before, after = dice["float32"], dice["int8"]
    worst = max(before, key=lambda name: before[name] - after[name])
    means = [f"{mean(each.values()):.4f}" for each in (before, after)]
    most = f"{before[worst] - after[worst]:.4f} ({worst})"
    return [*means, f"{dice['drop']:.4f}", most]


def _times(found: dict, engine: str) -> str:
    spread = found.get("times_as_fast", {}).get(engine)
    if spread is None:
        return "-"
    return f"{spread['median']:.2f} x ({spread['min']:.2f} to {spread['max']:.2f})"


def main() -> None:
    """Every model, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="labelled data, such as acdc:FOLDER")
    parser.add_argument(
        "--split", type=Path, required=True, help="training sets ranges, validation judges"
    )
    parser.add_argument("--model", nargs="+", required=True, help="model folders, float32")
    parser.add_argument("--name", nargs="+", help="how the file calls them")
    parser.add_argument("--rounds", type=int, default=7, help="of the time; 0 leaves it out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, required=True, help="what is there is kept")
    options = parser.parse_args()
    pin(options.threads)
    dataset, split = read_dataset(options.data), read_split(options.split)
    found = kept(options.json)
    for source, name in zip(options.model, options.name or options.model, strict=True):
        known = facts(sys.argv[1:], options.threads)
        found[name] = {**known, **measured(open_model(source), dataset, split, options.rounds)}
        print(name, json.dumps(found[name]), flush=True)
        write_text(options.json, json.dumps({"found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
