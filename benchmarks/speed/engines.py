"""The same labels from every float32 engine: which voxels differ, and how near a tie they are.

    python -m benchmarks.speed.engines --data acdc:FOLDER --split docs/results/sax/split.json \\
        --model sax run/model --name sax fast --json docs/results/speed/engines.json

ONNX Runtime is what the others are held against, volume by volume. A voxel's gap is how much more
ONNX Runtime's highest score is than its second: about 0 is a tie, which the last bits decide.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.speed.contender import pin
from benchmarks.speed.record import facts, kept
from benchmarks.speed.results import NAMES, NOT_MEASURED, Results
from benchmarks.speed.window import likeness
from numpy.typing import NDArray

from cardioseg.core.case import Case
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.splits import read_split
from cardioseg.datasets import read_dataset
from cardioseg.evaluation.tables import markdown_table
from cardioseg.inference.predictor import Predictor, load_model
from cardioseg.io.atomic import write_text

FIRST, OTHERS = "onnx", ("openvino", "torch")
CALLED = {**NAMES, "torch": "PyTorch"}
Answer = tuple[LabelMap, NDArray[np.float32]]


@dataclass(frozen=True)
class Difference:
    """How one engine's answer for a volume differs from another's.

    Parameters
    ----------
    voxels
        Voxels with another label in the answer.
    likeliest
        Voxels whose most likely class is another, before loose pieces are dropped.
    gap
        The largest gap of the scores at those; 0 if there are none.
    score
        The largest difference of any score.
    dice
        Mean Dice of the two answers.
    """

    voxels: int
    likeliest: int
    gap: float
    score: float
    dice: float


def difference(first: Answer, other: Answer) -> Difference:
    """Hold a volume's labels and scores (classes, I, J, K) against the first engine's."""
    (labels, scores), (other_labels, other_scores) = first, other
    differs = scores.argmax(axis=0) != other_scores.argmax(axis=0)
    ordered = np.sort(scores[:, differs], axis=0)
    gaps = ordered[-1] - ordered[-2]
    return Difference(
        int(np.count_nonzero(labels.array != other_labels.array)),
        int(np.count_nonzero(differs)),
        float(gaps.max(initial=0)),
        float(np.abs(scores - other_scores).max()),
        likeness(labels, other_labels),
    )


def compared(model: str, cases: Sequence[Case]) -> dict[str, object]:
    """Every engine's answers to every case, summed up."""
    predictors = {name: load_model(model, name) for name in (FIRST, *OTHERS)}
    found: dict[str, list[Difference]] = {name: [] for name in OTHERS}
    voxels = heart = 0
    for case in cases:
        image = case.image()
        answers = {name: _answer(each, image) for name, each in predictors.items()}
        voxels += image.array.size
        heart += int(np.count_nonzero(answers[FIRST][0].array))
        for name in OTHERS:
            found[name].append(difference(answers[FIRST], answers[name]))
    engines = {name: _summary(each) for name, each in found.items()}
    return {"images": len(cases), "voxels": voxels, "heart_voxels": heart, "engines": engines}


def _answer(predictor: Predictor, image: Volume) -> Answer:
    prediction, scores = predictor.predict_with_scores(image)
    return prediction.labels, scores


def _summary(found: Sequence[Difference]) -> dict[str, float]:
    return {
        "differing_voxels": sum(each.voxels for each in found),
        "differing_images": sum(each.voxels > 0 for each in found),
        "likeliest_class_differs": sum(each.likeliest for each in found),
        "largest_gap_there": float(f"{max(each.gap for each in found):.2g}"),
        "largest_score_difference": float(f"{max(each.score for each in found):.2g}"),
        "dice_min": round(min(each.dice for each in found), 6),
    }


def engines_table(results: Results) -> str:
    """How far OpenVINO's and PyTorch's labels are from ONNX Runtime's."""
    found = results.found("engines")
    if not found:
        return NOT_MEASURED
    header = ["model", "beside ONNX Runtime", "volumes", "heart voxels", "voxels that differ"]
    header += ["most likely class differs", "largest gap there", "largest difference of a score"]
    rows = [
        [
            name,
            CALLED[engine],
            str(each["images"]),
            f"{each['heart_voxels']:,}",
            str(told["differing_voxels"]),
            str(told["likeliest_class_differs"]),
            f"{told['largest_gap_there']:.1g}",
            f"{told['largest_score_difference']:.1g}",
        ]
        for name, each in found.items()
        for engine, told in each["engines"].items()
    ]
    return markdown_table(header, rows, texts=2)


def main() -> None:
    """Every model, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="data set, such as acdc:FOLDER")
    parser.add_argument(
        "--split", type=Path, required=True, help="its validation subjects are used"
    )
    parser.add_argument("--model", nargs="+", default=["sax"], help="models by name or folder")
    parser.add_argument("--name", nargs="+", help="how the file calls them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, required=True, help="what is there is kept")
    options = parser.parse_args()
    pin(options.threads)
    split = read_split(options.split)
    cases = split.cases(read_dataset(options.data).labelled_cases, "validation")
    found = kept(options.json)
    for model, name in zip(options.model, options.name or options.model, strict=True):
        known = facts(sys.argv[1:], options.threads)
        found[name] = {**known, **compared(model, cases)}
        print(name, json.dumps(found[name]), flush=True)
        write_text(options.json, json.dumps({"found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
