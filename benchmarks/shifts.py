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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import cardioseg
from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.splits import read_split
from cardioseg.evaluation import combine
from cardioseg.evaluation.measure import evaluate
from cardioseg.io.atomic import write_text
from cardioseg.ops.grid import Reorientation, Window
from cardioseg.ops.resample import resample_labels, resample_volume

Pair = tuple[Volume, LabelMap]
Shift = Callable[[Volume, LabelMap, np.random.Generator], Pair]
Tone = Callable[[NDArray[np.float32], LabelMap, np.random.Generator], NDArray[np.float32]]


def turned(axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Shift:
    """The array permuted and flipped, its affine kept: the patient is what moves."""
    step = Reorientation(axes, flips)

    def shift(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        spacing = np.array(image.geometry.spacing)[list(axes)]
        array = np.ascontiguousarray(step.apply(image.array))
        grid = Geometry(_shape(array), np.diag([*spacing, 1.0]))
        marked = np.ascontiguousarray(step.apply(labels.array))
        return Volume(array, grid), LabelMap(marked, grid, labels.scheme)

    return shift


def resampled(spacing_mm: float) -> Shift:
    """Another in-plane pixel."""

    def shift(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        old = image.geometry
        i, j = (
            round(n * s / spacing_mm) for n, s in zip(old.shape[:2], old.spacing[:2], strict=True)
        )
        grid = Geometry(
            (i, j, old.shape[2]), np.diag([spacing_mm, spacing_mm, old.spacing[2], 1.0])
        )
        soft = max(spacing_mm / old.spacing[0] - 1, 0) / 2
        blurred = ndimage.gaussian_filter(image.array, (soft, soft, 0)) if soft else image.array
        at_origin = Geometry(old.shape, np.diag([*old.spacing, 1.0]))
        return (
            resample_volume(Volume(blurred, at_origin), grid),
            resample_labels(LabelMap(labels.array, at_origin, labels.scheme), grid),
        )

    return shift


def padded(before: tuple[int, int], sides: tuple[int, int]) -> Shift:
    """A wider field of view, filled with air; `before` pixels of it come first."""

    def shift(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        i, j, k = image.geometry.shape
        shape = (max(sides[0], i + before[0]), max(sides[1], j + before[1]), k)
        window = Window((-before[0], -before[1], 0), shape, (i, j, k))
        grid = Geometry(shape, image.geometry.affine)
        air = float(image.array.min())
        return (
            Volume(window.apply(image.array, fill=air), grid),
            LabelMap(window.apply(labels.array, fill=0), grid, labels.scheme),
        )

    return shift


def toned(tone: Tone) -> Shift:
    """Other intensities; nothing moves. A tone gets intensities from 0 to 1."""

    def shift(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        low, high = np.percentile(image.array, (0.5, 99.5))
        unit = ((image.array - low) / max(high - low, 1e-6)).clip(0, 1).astype(np.float32)
        return Volume(tone(unit, labels, rng).astype(np.float32), image.geometry), labels

    return shift


def _gamma(exponent: float) -> Tone:
    return lambda unit, labels, rng: unit**exponent


def _noise(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """Rician noise, standard deviation a tenth of the range."""
    real, imaginary = rng.normal(0, 0.1, (2, *unit.shape))
    return np.hypot(unit + real, imaginary)


def _bias(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """A coil on one side: the signal falls by a factor of three across the slice."""
    return unit * np.exp(-np.log(3) * np.linspace(0, 1, unit.shape[0]))[:, None, None]


def _late_enhancement(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """Healthy muscle nulled, blood grey: factors on the labelled tissue, edges softened."""
    factor = np.ones(unit.shape)
    for name, value in (("myocardium", 0.35), ("LV cavity", 0.75), ("RV cavity", 0.75)):
        factor[labels.mask(name)] = value
    return unit * ndimage.gaussian_filter(factor, (0.7, 0.7, 0))


def _low_contrast(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """Blood moved half way towards the muscle, as without much inflow or at a low flip angle."""
    muscle = float(np.median(unit[labels.mask("myocardium")])) if unit.size else 0.0
    blood = labels.mask("LV cavity") | labels.mask("RV cavity")
    share = ndimage.gaussian_filter(blood.astype(np.float32), (0.7, 0.7, 0))
    return unit - 0.5 * share * (unit - muscle)


def _soft(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """In-plane blur of one pixel."""
    return ndimage.gaussian_filter(unit, (1.0, 1.0, 0))


SAME: tuple[int, int, int] = (0, 1, 2)
SHIFTS: dict[str, Shift] = {
    "none": lambda image, labels, rng: (image, labels),
    "turned by 90°": turned((1, 0, 2), (True, False, False)),
    "turned by 180°": turned(SAME, (True, True, False)),
    "turned by 270°": turned((1, 0, 2), (False, True, False)),
    "mirrored, first axis": turned(SAME, (True, False, False)),
    "mirrored, second axis": turned(SAME, (False, True, False)),
    "slices in reverse": turned(SAME, (False, False, True)),
    "pixels of 1 mm": resampled(1.0),
    "pixels of 2 mm": resampled(2.0),
    "528 x 528 pixels, air around": padded((130, 130), (528, 528)),
    "heart 120 pixels off the middle": padded((240, 0), (0, 0)),
    "gamma 0.6": toned(_gamma(0.6)),
    "gamma 1.6": toned(_gamma(1.6)),
    "noise of a tenth of the range": toned(_noise),
    "coil on one side, factor 3": toned(_bias),
    "blur of one pixel": toned(_soft),
    "late enhancement, simulated": toned(_late_enhancement),
    "half the contrast of blood": toned(_low_contrast),
}


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


def _shape(array: NDArray[np.float32]) -> tuple[int, int, int]:
    i, j, k = array.shape
    return i, j, k


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
