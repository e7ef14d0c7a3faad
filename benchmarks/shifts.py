"""How a short-axis model holds when the scan is not like its training scans: simulated shifts.

    python benchmarks/shifts.py --data acdc:ACDC --split ACDC/splits.json --output FOLDER

Each shift changes the images of one part of the split (and moves the reference along where the
array moves); the model's own predictor segments them and the package's own evaluation measures
them, per volume. Writes shifts.csv (a row for each case, structure and shift) and shifts.md.
"""

from __future__ import annotations

import argparse
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

import cardioseg
from cardioseg.core.case import Case
from cardioseg.core.volume import Volume
from cardioseg.data.splits import read_split
from cardioseg.evaluation import combine
from cardioseg.evaluation.measure import evaluate
from cardioseg.io.atomic import write_text
from cardioseg.ops.grid import Reorientation
from simulated_shifts import SHIFTS, Shift


@dataclass(frozen=True)
class Figure:
    """Dice of one structure of one case under one shift."""

    shift: str
    case: str
    subject: str
    structure: str
    dice: float | None


def main() -> None:
    """Measure every shift."""
    options = _options()
    predictor = cardioseg.load_model(options.model)
    dataset = cardioseg.read_dataset(options.data)
    cases = read_split(Path(options.split)).cases(dataset.cases, options.part)
    figures: list[Figure] = []
    means: dict[str, float] = {}
    for name, shift in SHIFTS.items():
        reports = [_measured(predictor, case, shift) for case in cases]
        report = combine(reports).select(metric="dice", level="volume")
        means[name] = report.mean("dice") or 0.0
        figures += [Figure(name, r.case, r.subject, r.structure, r.value) for r in report.rows]
        print(f"{name}: {means[name]:.4f}", flush=True)
    changed = sum(_voxels_changed(predictor, case) for case in cases)
    print(f"array and affine turned together: {changed} voxels differ")
    _write(options.output, figures, means, changed)


def _measured(predictor: cardioseg.Predictor, case: Case, shift: Shift) -> cardioseg.Report:
    image, labels = shift(*case.pair(), np.random.default_rng(0))
    prediction = predictor.predict(image).labels
    return evaluate(prediction, labels, case=case.id, subject=case.subject)


def _voxels_changed(predictor: cardioseg.Predictor, case: Case) -> int:
    """Voxels that differ when the array is turned and the affine follows; none should."""
    image, _ = case.pair()
    before = predictor.predict(image).labels.array
    changed = 0
    for axes, flips in (((1, 0, 2), (True, False, True)), ((2, 0, 1), (False, True, True))):
        step = Reorientation(axes, flips)
        array = np.ascontiguousarray(step.apply(image.array))
        after = predictor.predict(Volume(array, step.geometry(image.geometry))).labels.array
        changed += int((step.invert(after) != before).sum())
    return changed


def _write(folder: Path, figures: list[Figure], means: dict[str, float], changed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("shift", "case", "subject", "structure", "dice"))
    for figure in figures:
        value = "" if figure.dice is None else f"{figure.dice:.6f}"
        writer.writerow((figure.shift, figure.case, figure.subject, figure.structure, value))
    write_text(folder / "shifts.csv", table.getvalue())
    structures = [s for s in dict.fromkeys(f.structure for f in figures) if s != "background"]
    lines = [f"| shift | {' | '.join(structures)} | mean | against none |"]
    lines.append("|---|" + "---:|" * (len(structures) + 2))
    for name, mean in means.items():
        each = [_mean(figures, name, structure) for structure in structures]
        cells = [*(f"{value:.3f}" for value in each), f"{mean:.3f}", f"{mean - means['none']:+.3f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("")
    lines.append(f"Array and affine turned together: {changed} voxels differ.")
    write_text(folder / "shifts.md", "\n".join(lines) + "\n")


def _mean(figures: list[Figure], shift: str, structure: str) -> float:
    """Frames of a patient first, then patients."""
    of_subject: dict[str, list[float]] = {}
    for figure in figures:
        if (figure.shift, figure.structure) == (shift, structure) and figure.dice is not None:
            of_subject.setdefault(figure.subject, []).append(figure.dice)
    return fmean(map(fmean, of_subject.values())) if of_subject else 0.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="such as acdc:FOLDER")
    parser.add_argument("--split", required=True, help="JSON with the subjects of each part")
    parser.add_argument("--part", default="validation")
    parser.add_argument("--model", default="sax")
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
