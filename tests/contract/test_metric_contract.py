"""A rule for each metric where a structure is missing; and the figures of other libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation import Report, combine, evaluate
from cardioseg.evaluation.summary import ABSOLUTE_VOLUME_ERROR
from cardioseg.io.nifti import write_labels
from cardioseg.workflows.evaluate import EvaluationOptions, evaluate_files

GRID = Geometry((12, 10, 4), np.diag([1.5, 2.0, 8.0, 1.0]))
SLICE_DIAGONAL = float(np.hypot(11 * 1.5, 9 * 2.0))
VOXEL_ML = 1.5 * 2.0 * 8.0 / 1000
LV = "LV cavity"

EMPTY = np.zeros(GRID.shape, np.uint8)
LARGE, SMALL = EMPTY.copy(), EMPTY.copy()
LARGE[2:9, 2:8, 1:3] = 3
SMALL[3:8, 3:7, 1:3] = 3
VOXELS = int((LARGE == 3).sum())

SITUATIONS = {"absent": (EMPTY, EMPTY), "missed": (EMPTY, LARGE), "spurious": (LARGE, EMPTY)}
"""Prediction and reference."""

UNDEFINED = (None, "absent from both")

RULES = {
    # metric: what each situation gives; for a distance, the diagonal of the volume or the slice
    "dice": {"absent": UNDEFINED, "missed": (0.0, "missed"), "spurious": (0.0, "spurious")},
    "jaccard": {"absent": UNDEFINED, "missed": (0.0, "missed"), "spurious": (0.0, "spurious")},
    "surface_dice": {"absent": UNDEFINED, "missed": (0.0, "missed"), "spurious": (0.0, "spurious")},
    "hd95_mm": {
        "absent": UNDEFINED,
        "missed": ("diagonal", "missed"),
        "spurious": ("diagonal", "spurious"),
    },
    "assd_mm": {
        "absent": UNDEFINED,
        "missed": ("diagonal", "missed"),
        "spurious": ("diagonal", "spurious"),
    },
    "cce": {
        "absent": UNDEFINED,
        "missed": ("share of -ln 0.01", "missed"),
        "spurious": (None, "spurious"),
    },
    "volume_ml": {
        "absent": UNDEFINED,
        "missed": (0.0, "missed"),
        "spurious": (VOXELS * VOXEL_ML, "spurious"),
    },
    "volume_error_ml": {
        "absent": UNDEFINED,
        "missed": (-VOXELS * VOXEL_ML, "missed"),
        "spurious": (VOXELS * VOXEL_ML, "spurious"),
    },
}

BETTER = {
    "dice": 1,
    "jaccard": 1,
    "surface_dice": 1,
    "hd95_mm": -1,
    "assd_mm": -1,
    "cce": -1,
    ABSOLUTE_VOLUME_ERROR: -1,
}
"""1 where more is better. Signed volumes and their errors have no better direction."""


def measured(prediction: np.ndarray, reference: np.ndarray, case: str = "p1") -> Report:
    """With scores that are 0.97 sure of the prediction."""
    scores = np.full((4, *GRID.shape), 0.01)
    for value in range(4):
        scores[value][prediction == value] = 0.97
    return evaluate(
        LabelMap(prediction, GRID, ACDC), LabelMap(reference, GRID, ACDC), case=case, scores=scores
    )


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("metric", RULES)
@pytest.mark.parametrize("level", ["volume", "slice"])
def test_the_rule(metric: str, situation: str, level: str) -> None:
    rows = measured(*SITUATIONS[situation]).select(metric, LV, level).rows
    if level == "slice":
        rows = tuple(row for row in rows if row.slice_index == 1)
        if metric.startswith("volume"):
            assert rows == (), "volumes are not measured in slices"
            return
    (row,) = rows
    value, note = RULES[metric][situation]
    if value == "diagonal":
        value = SLICE_DIAGONAL if level == "slice" else GRID.diagonal_mm
    elif value == "share of -ln 0.01":
        reference = SITUATIONS[situation][1]
        inside = reference[..., 1] if level == "slice" else reference
        value = -np.log(0.01) * np.mean(inside == 3)
    assert row.note == note
    assert row.value == (value if value is None else pytest.approx(value))


def test_no_metric_is_without_a_rule() -> None:
    report = measured(LARGE, LARGE)
    assert {row.metric for row in report.rows} == RULES.keys()
    derived = {summary.metric for summary in report.summaries()} - RULES.keys()
    assert derived == {ABSOLUTE_VOLUME_ERROR}
    assert BETTER.keys() == RULES.keys() - {"volume_ml", "volume_error_ml"} | derived


def means(*cases: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    report = combine([measured(*case, f"p{n}") for n, case in enumerate(cases)])
    return {
        f"{s.metric} {s.level}": s.mean
        for s in report.summaries()
        if s.structure == LV and s.metric in BETTER and s.mean is not None
    }


@pytest.mark.parametrize("metric", BETTER)
def test_a_missed_structure_is_worse_than_a_poor_one(metric: str) -> None:
    """A prediction that overlaps half of the structure, against one that has nothing of it."""
    poor = np.roll(LARGE, 3, axis=0)
    found = means((SMALL, LARGE), (poor, LARGE))
    missed = means((SMALL, LARGE), (EMPTY, LARGE))
    for level in ("volume", "slice"):
        key = f"{metric} {level}"
        assert (key in missed) == (key in found)
        if key in found:
            assert BETTER[metric] * missed[key] < BETTER[metric] * found[key]


@pytest.mark.parametrize("metric", sorted(set(BETTER) - {"cce", ABSOLUTE_VOLUME_ERROR}))
def test_an_invented_structure_is_worse_than_none(metric: str) -> None:
    """Absent from both says nothing; invented is the worst there is.

    A volume error has no worst case: an invented structure adds the volume that it has.
    """
    right = means((SMALL, LARGE), (EMPTY, EMPTY))
    wrong = means((SMALL, LARGE), (SMALL, EMPTY))
    assert BETTER[metric] * wrong[f"{metric} volume"] < BETTER[metric] * right[f"{metric} volume"]


@pytest.mark.filterwarnings("ignore")
def test_random_masks_agree_with_monai_simpleitk_and_scikit_image() -> None:
    """100 pairs here; `make soak-metrics` compares 5000 (docs/metrics.md)."""
    pytest.importorskip("monai", exc_type=ImportError)
    from tests.soak.metrics import LIBRARIES, soak

    record = soak(count=100, seed=1)
    compared = {(row["metric"], row["library"]) for row in record["agreement"]}
    assert {library for _, library in compared} == {*LIBRARIES, "PyTorch"}
    metrics = {"dice", "jaccard", "hd95_mm", "assd_mm", "surface_dice"}
    for metric in metrics:
        assert len([pair for pair in compared if pair[0] == metric]) >= 2, metric
    wrong = [row for row in record["agreement"] if row["disagree"]]
    assert wrong == []
    assert all(row["compared"] >= 95 for row in record["agreement"])


@pytest.mark.filterwarnings("ignore")
def test_the_comparison_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("monai", exc_type=ImportError)
    from tests.soak import metrics

    real = metrics.ours
    monkeypatch.setattr(metrics, "ours", lambda *a: {**real(*a), "assd_mm": 1.01})
    record = metrics.soak(count=3, seed=1)
    assert {row["metric"] for row in record["agreement"] if row["disagree"]} == {"assd_mm"}


def test_a_case_without_a_prediction_counts_as_nothing_found_if_asked(tmp_path: Path) -> None:
    for folder, names in (("predictions", "a"), ("references", "ab")):
        (tmp_path / folder).mkdir()
        for name in names:
            write_labels(LabelMap(LARGE, GRID, ACDC), tmp_path / folder / f"{name}.nii.gz")
    answers = {}
    for count in (False, True):
        options = EvaluationOptions(ACDC, count_missing=count)
        done = evaluate_files(
            tmp_path / "predictions", tmp_path / "references", options, tmp_path / f"{count}"
        )
        assert done.unmatched == ("b",)
        answers[count] = done.report.mean("dice", LV), done.report.mean("hd95_mm", LV)
    assert answers[False] == (1, 0)
    assert answers[True] == pytest.approx((0.5, GRID.diagonal_mm / 2))
