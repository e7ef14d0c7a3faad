"""A model in int8: calibrated on training slices, written only if every engine stays as good."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.case import Case
from cardioseg.data.leakage import require_no_leak
from cardioseg.data.looks import Looks
from cardioseg.data.splits import Split
from cardioseg.datasets import Dataset
from cardioseg.engines.int8 import to_int8
from cardioseg.errors import ConfigError, OutputExistsError
from cardioseg.evaluation.overlap import dice
from cardioseg.inference.predictor import Predictor
from cardioseg.io.atomic import is_empty
from cardioseg.model import CARD, LIBRARIES, NETWORK, QUALITY, Model, open_engine, write_model
from cardioseg.prepare.plan import single_planes
from cardioseg.prepare.preparation import Preparation
from cardioseg.workflows.provenance import Json, write_run

LARGEST_DROP = 0.002
"""Mean Dice that int8 may cost on the validation patients."""

CALIBRATION_SLICES = 128

ENGINES = {"onnx": "ONNX Runtime", "openvino": "OpenVINO"}
"""Engines that calculate an int8 network in integers, and what a card calls them. Each rounds in
its own way, so each that is installed judges."""

Float32Array = NDArray[np.float32]
DiceOfSubjects = dict[str, dict[str, list[tuple[float, float]]]]
Watch = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Change:
    """What int8 does to the answers of one engine.

    Parameters
    ----------
    before, after
        Mean Dice per volume of every structure that a subject has, in float32 and in int8: frames
        of a subject are averaged first; a structure that the reference lacks does not count there.
    """

    before: dict[str, float]
    after: dict[str, float]

    @property
    def drop(self) -> float:
        """Mean Dice before less mean Dice after; negative where int8 is better."""
        return mean(self.before.values()) - mean(self.after.values())


@dataclass(frozen=True)
class Judgement:
    """What int8 does to the answers on the validation patients.

    Parameters
    ----------
    engines
        The change by each engine that judged, by its name.
    subjects
        Validation subjects.
    calibration_slices
        Training slices that set the ranges.
    """

    engines: dict[str, Change]
    subjects: int
    calibration_slices: int

    @property
    def worst(self) -> str:
        """The engine by which most is lost."""
        return max(self.engines, key=lambda name: self.engines[name].drop)

    @property
    def drop(self) -> float:
        """Mean Dice that is lost by :attr:`worst`."""
        return self.engines[self.worst].drop


def quantise(
    model: Model,
    dataset: Dataset,
    split: Split,
    output: Path,
    *,
    largest_drop: float = LARGEST_DROP,
    watch: Watch = lambda done, total, note: None,
) -> Judgement:
    """Write an int8 twin of a model, if it is as good on the validation patients by every engine of
    :data:`ENGINES` that is installed.

    Parameters
    ----------
    model
        The model, in float32.
    dataset
        Labelled cases in the model's scheme, or in one that can be read as it.
    split
        Training subjects set the ranges, validation subjects judge.
    output
        Model folder to write; must not be there.
    largest_drop
        Mean Dice that may be lost, by each engine against its own float32.
    watch
        Told of cases done, their number, and which comes next.

    Raises
    ------
    ConfigError
        If the drop is larger by an engine, or a part has no labelled case or no structure; nothing
        is written.
    OutputExistsError
        If `output` is not an empty folder.
    DatasetError
        If the split names subjects that are not there.
    LeakageError
        If a subject, a scan, an image or a near copy of one is in both parts.
    """
    started = time.monotonic()
    if not is_empty(output):
        raise OutputExistsError(f"{output}: is not empty; name another folder")
    cases = dataset.read_as(model.plan.label_scheme).labelled_cases
    judging, training = split.cases(cases, "validation"), split.cases(cases, "training")
    if not judging or not training:
        raise ConfigError("int8 needs labelled training and validation patients; see --split")
    require_no_leak(
        {"training": training, "validation": judging},
        Looks(),
        near_duplicates=not split.allow_near_duplicates,
    )
    slices = calibration_slices(model, training)
    network = to_int8((model.folder / NETWORK).read_bytes(), slices)
    judgement = _judge(model, network, judging, len(slices), watch)
    if judgement.drop > largest_drop:
        raise ConfigError(
            f"{model.name}: int8 costs {judgement.drop:.4f} of mean Dice on the validation "
            f"patients by {ENGINES[judgement.worst]}, more than {largest_drop:g}: nothing was "
            "written; keep float32"
        )
    _write(model, network, judgement, output, started)
    return judgement


def calibration_slices(model: Model, cases: Sequence[Case]) -> Float32Array:
    """Prepared slices (N, 1, rows, columns) of one size, spread evenly over the cases."""
    each = max(1, round(CALIBRATION_SLICES / len(cases)))
    chosen: list[Float32Array] = []
    rows, columns = model.plan.size
    for case in _spread(cases, CALIBRATION_SLICES):
        image = case.image()
        for plane in single_planes(model.plan.plane):
            slices = Preparation(image.geometry, model.plan, plane).slices(image)
            picked = np.linspace(0, len(slices) - 1, each + 2).round().astype(np.intp)[1:-1]
            chosen.append(_middle(slices[picked], rows, columns))
    return np.concatenate(chosen)[:, None]


def _spread(cases: Sequence[Case], count: int) -> list[Case]:
    positions = np.linspace(0, len(cases) - 1, min(count, len(cases))).round().astype(np.intp)
    return [cases[index] for index in positions]


def _middle(slices: Float32Array, rows: int, columns: int) -> Float32Array:
    """The middle of slices that are at least as large: whole slices differ in size."""
    top, left = (
        (side - size) // 2 for side, size in zip(slices.shape[1:], (rows, columns), strict=True)
    )
    return slices[:, top : top + rows, left : left + columns]


def _judge(
    model: Model, network: bytes, cases: Sequence[Case], slices: int, watch: Watch
) -> Judgement:
    """Hold both networks against the reference labels of every case, by each engine."""
    found: dict[str, DiceOfSubjects] = {name: {} for name in ENGINES if find_spec(LIBRARIES[name])}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NETWORK).write_bytes(network)
        both = (model, replace(model, folder=Path(folder)))
        predictors = {
            name: [Predictor(model, open_engine(each, name)) for each in both] for name in found
        }
        for index, case in enumerate(cases):
            watch(index, len(cases), case.id)
            for name, (float32, int8) in predictors.items():
                subject = found[name].setdefault(case.subject, {})
                for structure, pair in _dice_of_both(case, float32, int8).items():
                    subject.setdefault(structure, []).append(pair)
    watch(len(cases), len(cases), "")
    names = [each.name for each in model.plan.label_scheme.structures]
    changes = {engine: _change(subjects, names) for engine, subjects in found.items()}
    return Judgement(changes, len({case.subject for case in cases}), slices)


def _change(subjects: DiceOfSubjects, structures: Sequence[str]) -> Change:
    """The means over subjects, of the structures that any of them has."""
    # What no validation patient has can't be judged: as 0 it would make the drop smaller.
    names = [name for name in structures if any(name in each for each in subjects.values())]
    if not names:
        raise ConfigError("int8 is judged by Dice, and the validation patients' labels are empty")
    before, after = (
        {name: _mean_over(subjects.values(), name, which) for name in names} for which in (0, 1)
    )
    return Change(before, after)


def _dice_of_both(
    case: Case, float32: Predictor, int8: Predictor
) -> dict[str, tuple[float, float]]:
    """Dice of each structure before and after; a structure that the case lacks is left out."""
    image, reference = case.image(), case.labels()
    first, second = (each.predict(image).labels for each in (float32, int8))
    answer = {}
    for structure in reference.scheme.structures:
        mask = reference.mask(structure.name)
        if mask.any():
            pair = [dice(labels.mask(structure.name), mask) for labels in (first, second)]
            answer[structure.name] = (pair[0] or 0.0, pair[1] or 0.0)
    return answer


def _mean_over(
    subjects: Iterable[dict[str, list[tuple[float, float]]]], structure: str, which: int
) -> float:
    """Mean over subjects of the mean over their cases."""
    means = [
        mean(pair[which] for pair in subject[structure])
        for subject in subjects
        if structure in subject
    ]
    return mean(means)


def _write(
    model: Model, network: bytes, judgement: Judgement, output: Path, started: float
) -> None:
    files = {NETWORK: network, CARD: (model.card + _section(judgement)).encode()}
    gate = model.folder / QUALITY
    if gate.is_file():
        files[QUALITY] = gate.read_bytes()
    written = write_model(output, model.plan, files)
    facts: dict[str, Json] = {
        "model_id": written.id,
        "quantised_from": model.id,
        **asdict(judgement),
        "drop": judgement.drop,
    }
    write_run(output, "quantise", facts, started)


def _section(judgement: Judgement) -> str:
    """What the card says of int8."""
    rows = "".join(
        f"| {name} | {ENGINES[engine]} | {before:.4f} | {change.after[name]:.4f} |\n"
        for engine, change in judgement.engines.items()
        for name, before in change.before.items()
    )
    return (
        "\n## In int8\n\n"
        f"Quantised with ranges from {judgement.calibration_slices} training slices. Dice per "
        f"volume on {judgement.subjects} validation subjects, by each engine that was at hand; the "
        "quality gate's numbers are those of the float32 model.\n\n"
        f"| structure | engine | float32 | int8 |\n|---|---|---:|---:|\n{rows}"
    )
