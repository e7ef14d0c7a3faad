"""Files evaluated: whose they are, in which phase, and what counts where something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import (
    ACDC,
    CAMUS,
    LEFT_VENTRICLE,
    MMWHS,
    MYOCARDIUM_BLOOD,
    MYOPS,
    LabelScheme,
)
from cardioseg.core.volume import LabelMap
from cardioseg.errors import DatasetError
from cardioseg.evaluation import Report
from cardioseg.evaluation.clinical import agreements
from cardioseg.evaluation.rows import VOLUME_METRICS
from cardioseg.evaluation.volumetry import ONE_SLICE
from cardioseg.io.nifti import write_labels, write_scores
from cardioseg.workflows.evaluate import EvaluationOptions, evaluate_files

GRID = Geometry((16, 16, 4), np.diag([1.5, 1.5, 8.0, 1.0]))
FLAT = Geometry((16, 16, 1), np.diag([1.5, 1.5, 1.0, 1.0]))


def heart(cavity: int, grid: Geometry = GRID) -> np.ndarray:
    """LV cavity of that many voxels a side, myocardium below it."""
    array = np.zeros(grid.shape, np.uint8)
    array[1:15, 10:14] = 2
    array[2 : 2 + cavity, 2:10] = 3
    return array


def write(path: Path, array: np.ndarray, scheme: LabelScheme = ACDC, grid: Geometry = GRID) -> None:
    path.parent.mkdir(exist_ok=True)
    write_labels(LabelMap(array, grid, scheme), path)


def measure(folder: Path, scheme: LabelScheme = ACDC, **options: object) -> Report:
    chosen = EvaluationOptions(scheme, **options)  # type: ignore[arg-type]
    return evaluate_files(folder / "p", folder / "r", chosen, folder / "out", force=True).report


def test_the_two_phases_of_a_patient_are_one_patient_with_an_ejection_fraction(
    tmp_path: Path,
) -> None:
    for patient in range(3):
        for phase, size in (("ED", 10), ("ES", 6)):
            name = f"pat{patient}_{phase}.nii.gz"
            write(tmp_path / "p" / name, heart(size))
            write(tmp_path / "r" / name, heart(size))
    report = measure(tmp_path)
    assert report.subjects == ("pat0", "pat1", "pat2")
    found = {a.quantity: a for a in agreements(report.rows)}
    assert found["LV cavity ejection fraction"].predicted == pytest.approx(40)


def test_opposite_errors_of_two_frames_are_in_the_limits(tmp_path: Path) -> None:
    for patient in range(3):
        for frame, size, off in (("01", 10, 1), ("12", 6, -1)):
            name = f"pat{patient}_frame{frame}.nii.gz"
            write(tmp_path / "p" / name, heart(size + off))
            write(tmp_path / "r" / name, heart(size))
    found = {a.quantity: a for a in agreements(measure(tmp_path).rows)}
    volume = found["LV cavity volume"]
    assert volume.predicted == pytest.approx(volume.reference)
    assert volume.limits
    error_ml = 8 * 4 * 1.5 * 1.5 * 8 / 1000
    assert volume.limits.upper > 1.96 * error_ml


def test_the_document_names_the_references_without_a_prediction(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / "r" / f"{name}.nii.gz", heart(8))
    write(tmp_path / "p" / "a.nii.gz", heart(8))
    measure(tmp_path)
    told = (tmp_path / "out" / "report.md").read_text().splitlines()
    assert told[2] == "Without a prediction, and not in the figures: b."
    assert json.loads((tmp_path / "out" / "run.json").read_text())["missing"] == ["b"]
    measure(tmp_path, count_missing=True)
    assert "counted as nothing found: b." in (tmp_path / "out" / "report.md").read_text()


def test_a_missing_case_counts_in_the_cross_entropy_too(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    one_hot = (heart(8)[None] == np.arange(4).reshape(4, 1, 1, 1)).astype(np.float32)
    for name in ("a", "b"):
        write(tmp_path / "r" / f"{name}.nii.gz", heart(8))
    write(tmp_path / "p" / "a.nii.gz", heart(8))
    write_scores(one_hot, GRID, tmp_path / "s" / "a.nii.gz")
    found, counted = (
        measure(tmp_path, scores=tmp_path / "s", count_missing=count) for count in (False, True)
    )
    assert found.mean("cce", "LV cavity") == 0
    share = (heart(8) == 3).mean()
    worst = counted.select(metric="cce", structure="LV cavity", case="b").rows[0]
    assert worst.value == pytest.approx(-share * np.log(1e-7))
    assert counted.mean("cce", "LV cavity") == pytest.approx(-share * np.log(1e-7) / 2)
    without = measure(tmp_path, count_missing=True)
    assert without.mean("cce", "LV cavity") is None


def sure_of(array: np.ndarray, classes: int) -> np.ndarray:
    """Scores of a network that is sure of these labels."""
    return (array[None] == np.arange(classes).reshape(-1, 1, 1, 1)).astype(np.float32)


def merged(scheme: LabelScheme) -> np.ndarray:
    return LabelMap(heart(8), GRID, ACDC).read_as(scheme).array


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(
    ("model", "reference"),
    [
        (MYOCARDIUM_BLOOD, MMWHS),
        # As many classes, in another order.
        (MYOCARDIUM_BLOOD, LEFT_VENTRICLE),
        # `predict --scheme` merged the labels; the scores have the model's classes.
        (ACDC, ACDC),
    ],
)
def test_scores_have_the_classes_of_their_model(
    tmp_path: Path, model: LabelScheme, reference: LabelScheme, told: bool
) -> None:
    truth = heart(8) if reference is ACDC else merged(LEFT_VENTRICLE)
    if reference is MMWHS:
        truth = np.array([0, 1, 5], np.uint8)[truth]
    likeliest = LabelMap(truth, GRID, reference).read_as(model)
    answer = likeliest.read_as(MYOCARDIUM_BLOOD)
    write(tmp_path / "p" / "a.nii.gz", answer.array, answer.scheme)
    write(tmp_path / "r" / "a.nii.gz", truth, reference)
    scores = sure_of(likeliest.array, model.class_count)
    (tmp_path / "s").mkdir()
    write_scores(scores, GRID, tmp_path / "s" / "a.nii.gz", scheme=model if told else None)
    found = measure(tmp_path, reference, read_as=MYOCARDIUM_BLOOD, scores=tmp_path / "s")
    assert found.mean("cce", "myocardium") == found.mean("cce", "blood pool") == 0


def test_scores_tell_their_scheme_before_the_prediction_does(tmp_path: Path) -> None:
    """Labels merged to as many classes as the model has: the number of classes tells nothing."""
    ventricle = LabelMap(merged(LEFT_VENTRICLE), GRID, LEFT_VENTRICLE)
    write(tmp_path / "r" / "a.nii.gz", ventricle.array, LEFT_VENTRICLE)
    blood = ventricle.read_as(MYOCARDIUM_BLOOD).array
    write(tmp_path / "p" / "a.nii.gz", blood, MYOCARDIUM_BLOOD)
    (tmp_path / "s").mkdir()
    scores, path = sure_of(ventricle.array, 3), tmp_path / "s" / "a.nii.gz"
    write_scores(scores, GRID, path, "0123456789abcdef", LEFT_VENTRICLE)
    options = {"read_as": MYOCARDIUM_BLOOD, "scores": tmp_path / "s"}
    assert measure(tmp_path, ACDC, **options).mean("cce", "blood pool") == 0
    write_scores(sure_of(ventricle.array, 5), GRID, path, scheme=LEFT_VENTRICLE)
    with pytest.raises(DatasetError, match="5 classes, scheme left_ventricle has 3"):
        measure(tmp_path, ACDC, **options)
    write_scores(sure_of(ventricle.array, 5), GRID, path)
    with pytest.raises(DatasetError, match="5 classes, scheme acdc has 4"):
        measure(tmp_path, ACDC, **options)


@pytest.mark.parametrize(
    ("line", "group", "phase"),
    [
        ("patient001_frame01,somebody", "DCM", "ED"),
        ("patient001_frame01,somebody,,", "DCM", "ED"),
        ("patient001_frame01,somebody,NOR,", "NOR", "ED"),
        ("patient001_frame01,somebody,NOR,ES", "NOR", "ES"),
    ],
)
def test_what_the_file_of_subjects_leaves_empty_comes_from_info(
    tmp_path: Path, line: str, group: str, phase: str
) -> None:
    write(tmp_path / "p" / "patient001_frame01.nii.gz", heart(8))
    write(tmp_path / "r" / "patient001_frame01_gt.nii.gz", heart(8))
    (tmp_path / "r" / "Info.cfg").write_text("ED: 1\nES: 12\nGroup: DCM\n")
    table = tmp_path / "subjects.csv"
    table.write_text(f"case,subject,group,phase\n{line}\n")
    row = measure(tmp_path, subjects=table).rows[0]
    assert (row.subject, row.group, row.phase) == ("somebody", group, phase)


def test_a_picture_has_no_volume_and_says_why(tmp_path: Path) -> None:
    for phase, size in (("ED", 8), ("ES", 5)):
        name = f"patient0001_4CH_{phase}.nii.gz"
        array = np.where(heart(size, FLAT) == 3, 1, heart(size, FLAT)).astype(np.uint8)
        write(tmp_path / "p" / name, array, CAMUS, FLAT)
        write(tmp_path / "r" / name, array, CAMUS, FLAT)
    report = measure(tmp_path, CAMUS)
    volumes = [r for r in report.rows if r.metric in VOLUME_METRICS]
    assert volumes
    assert {(r.value, r.note) for r in volumes} == {(None, ONE_SLICE)}
    assert report.mean("dice", "LV cavity") == 1
    assert agreements(report.rows) == ()
    document = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert f"volumes, mass and ejection fraction: undefined of 1 patient: {ONE_SLICE}" in document


def test_mass_is_that_of_the_whole_wall(tmp_path: Path) -> None:
    array = np.zeros(GRID.shape, np.uint8)
    array[2:10, 2:10], array[2:10, 10], array[2:10, 11], array[2:10, 12] = 1, 3, 4, 5
    write(tmp_path / "p" / "a.nii.gz", array, MYOPS)
    write(tmp_path / "r" / "a.nii.gz", array, MYOPS)
    found = {a.quantity: a for a in agreements(measure(tmp_path, MYOPS).rows)}
    whole = float((array >= 3).sum()) * 1.5 * 1.5 * 8 / 1000 * 1.05
    assert found["myocardium mass"].predicted == pytest.approx(whole)
