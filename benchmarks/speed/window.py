"""The answer around the located heart beside that of whole slices: pixels read, and Dice.

    python -m benchmarks.speed.window --data acdc:FOLDER --model sax run/model --json window.json

Every image of the data set is predicted twice. Dice is between the two answers, mean over the
structures that either has, and the least of any structure; and of each with the reference. The
share of pixels is what the network reads of what whole slices hold. `--margin` and `--grid` try
other windows than the program's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.peers.files import write_json
from benchmarks.speed.record import facts, kept
from benchmarks.speed.timed_engine import TimedEngine

from cardioseg.core.volume import LabelMap
from cardioseg.data.splits import read_split
from cardioseg.datasets import read_dataset
from cardioseg.engines.engine import usable_cores
from cardioseg.evaluation.overlap import dice
from cardioseg.inference import window
from cardioseg.inference.predictor import load_model

SAME = 0.999


def by_structure(first: LabelMap, second: LabelMap) -> dict[str, float]:
    """Dice of each structure that either map has."""
    return {
        each.name: dice(first.mask(each.name), second.mask(each.name))
        for each in first.scheme.structures
        if first.mask(each.name).any() or second.mask(each.name).any()
    }


def likeness(first: LabelMap, second: LabelMap) -> float:
    """Mean Dice of the structures that either map has; 1 if neither has any."""
    values = list(by_structure(first, second).values())
    return float(np.mean(values)) if values else 1.0


def beside(model: str, data: str, subjects: Sequence[str] | None) -> dict[str, object]:
    """What a model reads and answers of each image, both ways."""
    opened = load_model(model)
    located, whole = TimedEngine(opened.engine), TimedEngine(opened.engine)
    found, least, true = [], (1.0, ""), []
    for case in read_dataset(data).labelled_cases:
        if subjects is not None and case.subject not in subjects:
            continue
        image = case.image()
        answers = [
            replace(opened, engine=engine, locate=locate).predict(image).labels
            for engine, locate in ((located, True), (whole, False))
        ]
        found.append(likeness(*answers))
        values = by_structure(*answers).items()
        least = min(least, *((value, structure) for structure, value in values))
        reference = case.labels().read_as(opened.scheme)
        true.append([likeness(answer, reference) for answer in answers])
    return {
        "images": len(found),
        "pixels_read": round(located.pixels / whole.pixels, 4),
        "dice_mean": round(float(np.mean(found)), 5),
        "dice_min": round(min(found), 5),
        "structure_min": round(least[0], 5),
        "least_structure": least[1],
        "below": {f"{SAME}": sum(each < SAME for each in found)},
        "identical": sum(each == 1 for each in found),
        "reference_dice": dict(
            zip(("window", "whole"), np.mean(true, axis=0).round(5).tolist(), strict=True)
        ),
    }


def main() -> None:
    """Every model, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="data set, such as acdc:FOLDER")
    parser.add_argument("--model", nargs="+", default=["sax"], help="models by name or folder")
    parser.add_argument("--name", nargs="+", help="how the file calls them")
    parser.add_argument("--split", type=Path, help="only its validation subjects")
    parser.add_argument("--json", type=Path, required=True, help="what is there is kept")
    parser.add_argument("--margin", type=int, default=window.MARGIN, help="pixels around a heart")
    parser.add_argument("--grid", type=int, default=window.GRID, help="windows are multiples of it")
    options = parser.parse_args()
    window.MARGIN, window.GRID = options.margin, options.grid
    subjects = read_split(options.split).validation if options.split else None
    found = kept(options.json)
    for model, name in zip(options.model, options.name or options.model, strict=True):
        known = facts(sys.argv[1:], usable_cores())
        found[name] = {**known, **beside(model, options.data, subjects)}
        print(name, json.dumps(found[name]), flush=True)
        write_json(options.json, {"found": found})


if __name__ == "__main__":
    main()
