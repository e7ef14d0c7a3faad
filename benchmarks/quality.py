"""Fit and test the quality gate on scans made worse on purpose and on scans without a heart.

    python benchmarks/quality.py measure --data acdc:ACDC --split ACDC/splits.json \
        --model MODEL --work WORK
    python benchmarks/quality.py table --data acdc:ACDC --split ACDC/splits.json \
        --model MODEL --work WORK --output FOLDER
    python benchmarks/quality.py install --output FOLDER --model MODEL

`measure` runs the network once for each sample (and on the mirrored heart) and keeps labels,
features and the true Dice in WORK; it goes on where it stopped. `table` fits the expected Dice with
each patient left out in turn, judges every sample and writes quality.json, samples.csv,
summary.json, tables.md and quality.png. `install` puts quality.json into a model folder.

The patients must not have trained MODEL.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import cardioseg
from cardioseg.core.case import Case
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.splits import read_split
from cardioseg.evaluation.overlap import dice
from cardioseg.inference.quality.assess import features_of
from cardioseg.inference.quality.features import FEATURES
from cardioseg.model import QUALITY, SUMS, open_model, write_folder
from degradations import DEGRADATIONS, NON_HEARTS, beside_heart
from quality_tables import Measured, write_results

Made = tuple[Volume, LabelMap | None]


@dataclass(frozen=True)
class Sample:
    """One scan to judge: how to make it, and whose it is; `subject` is empty for a non-heart."""

    id: str
    name: str
    subject: str
    make: Callable[[], Made]


def main() -> None:
    """Run one step."""
    options = _options()
    if options.step == "install":
        install(options.output / QUALITY, Path(options.model))
        return
    if options.step == "measure":
        options.work.mkdir(parents=True, exist_ok=True)
        predictor = cardioseg.load_model(options.model, options.engine)
        for sample in samples(options):
            path = options.work / f"{sample.id}.npz"
            if not path.exists():
                measure(predictor, sample, path)
        return
    done = [s for s in samples(options) if (options.work / f"{s.id}.npz").exists()]
    scheme = open_model(options.model).plan.label_scheme
    measured = (recall(sample, options.work / f"{sample.id}.npz", scheme) for sample in done)
    write_results([*measured], open_model(options.model), options.output)


def samples(options: argparse.Namespace) -> Iterator[Sample]:
    """Every sample, round by round, so that a run which is stopped early is balanced.

    Unchanged, both frames of each patient; of each degradation one frame of each patient, end
    diastole and end systole in turn.
    """
    dataset = cardioseg.read_dataset(options.data)
    cases = read_split(Path(options.split)).cases(dataset.cases, options.part)
    for index, case in enumerate(cases):
        yield _changed(0, "none", index, case)
    for turn in range(len(cases) // 2):
        for number, name in enumerate(NON_HEARTS):
            if turn < (3 if "phantom" in name else 1):
                make = partial(_non_heart, name, number, turn)
                yield Sample(f"non-{number}-{turn}", name, "", make)
        if turn == 0:
            yield from _files(options)
        for number, name in enumerate(DEGRADATIONS):
            index = 2 * turn + (number + turn) % 2
            if number:
                yield _changed(number, name, index, cases[index])
        if turn % 2 == 0:
            case = cases[2 * turn]
            yield Sample(f"beside-{case.id}", "beside the heart", "", partial(_beside, case))


def _changed(number: int, name: str, index: int, case: Case) -> Sample:
    make = partial(_degraded, name, case, (number, index))
    return Sample(f"{number:02d}-{case.id}", name, case.subject, make)


def _files(options: argparse.Namespace) -> Iterator[Sample]:
    """Scans of others that a short-axis model gets by mistake, from files; numbers only."""
    if options.whole_heart:
        yield Sample(
            "file-axial", "whole-heart scan, axial stack", "", partial(_whole_heart, options, None)
        )
        yield Sample(
            "file-sagittal",
            "whole-heart scan, sagittal stack",
            "",
            partial(_whole_heart, options, 0),
        )


def _degraded(name: str, case: Case, seed: tuple[int, int]) -> Made:
    return DEGRADATIONS[name](*case.pair(), np.random.default_rng(seed))


def _non_heart(name: str, number: int, turn: int) -> Made:
    return NON_HEARTS[name](np.random.default_rng((number, turn))), None


def _beside(case: Case) -> Made:
    return beside_heart(*case.pair()), None


def _whole_heart(options: argparse.Namespace, axis: int | None) -> Made:
    """A whole-heart volume as a stack of slices 8 mm apart along one world axis; pose kept."""
    from cardioseg.core.geometry import Geometry
    from cardioseg.ops.resample import resample_volume

    image = cardioseg.read_volume(options.whole_heart)
    step = np.array((1.5, 1.5, 1.5))
    step[2 if axis is None else axis] = 8.0
    low, high = image.geometry.corners().min(axis=0), image.geometry.corners().max(axis=0)
    shape = np.maximum(((high - low) / step).astype(int), 1).tolist()
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = low
    return resample_volume(image, Geometry((shape[0], shape[1], shape[2]), affine)), None


def measure(predictor: cardioseg.Predictor, sample: Sample, path: Path) -> None:
    """Segment a sample and keep what the tables need."""
    volume, reference = sample.make()
    started = time.perf_counter()
    prediction, scores = predictor.predict_with_scores(volume)
    predicted = time.perf_counter()
    features = features_of(predictor, volume, prediction.labels, scores)
    finished = time.perf_counter()
    names = [structure.name for structure in predictor.scheme.structures]
    true = [
        np.nan if reference is None else _dice(prediction.labels, reference, name) for name in names
    ]
    np.savez_compressed(
        path,
        labels=prediction.labels.array,
        found=int(np.count_nonzero(scores.argmax(axis=0))),
        features=np.array([[features[name][each] for each in FEATURES] for name in names]),
        dice=np.array(true),
        seconds=np.array([predicted - started, finished - predicted]),
    )
    told = " ".join(f"{value:.3f}" for value in true)
    print(f"{sample.id} ({sample.name}): Dice {told}", flush=True)


def _dice(labels: LabelMap, reference: LabelMap, name: str) -> float:
    value = dice(labels.mask(name), reference.mask(name))
    return np.nan if value is None else value


def recall(sample: Sample, path: Path, scheme: cardioseg.LabelScheme) -> Measured:
    """A measured sample with its image made again, for the rules."""
    volume, reference = sample.make()
    with np.load(path) as kept:
        labels = LabelMap(kept["labels"], volume.geometry, scheme)
        return Measured(
            id=sample.id,
            name=sample.name,
            subject=sample.subject,
            volume=volume,
            labels=labels,
            found=int(kept["found"]),
            features={
                structure.name: dict(zip(FEATURES, row.tolist(), strict=True))
                for structure, row in zip(scheme.structures, kept["features"], strict=True)
            },
            dice=dict(zip((s.name for s in scheme.structures), kept["dice"].tolist(), strict=True)),
            seconds=(float(kept["seconds"][0]), float(kept["seconds"][1])),
            has_heart=reference is not None,
        )


def install(calibration: Path, folder: Path) -> None:
    """Put a calibration into a model folder and renew its checksums; the model's id stays."""
    before = open_model(folder)
    listed = (folder / SUMS).read_text(encoding="utf-8").split()[1::2]
    contents = {name: (folder / name).read_bytes() for name in listed}
    write_folder(folder, {**contents, QUALITY: calibration.read_bytes()})
    after = open_model(folder)
    print(f"{folder}: model {before.id} before, {after.id} after")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("measure", "table", "install"))
    parser.add_argument("--data", help="such as acdc:FOLDER")
    parser.add_argument("--split", help="JSON with the subjects of each part")
    parser.add_argument("--part", default="validation")
    parser.add_argument("--model", required=True, help="one that these patients did not train")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--whole-heart", help="image of HVSMR-2016 patient 4, if it is at hand")
    parser.add_argument("--work", type=Path, help="folder for what is measured")
    parser.add_argument("--output", type=Path, help="folder for the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
