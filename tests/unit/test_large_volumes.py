"""Volumes whose scores are too large to be held: the same labels, in a part of the memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from tests.grids import require_one_answer_in_every_order, rotated_grid
from tests.networks import SMALL, exported_network

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import PlaneWarning
from cardioseg.inference import predictor as predictor_module
from cardioseg.inference.planes import labels_of_planes, scores_bytes
from cardioseg.inference.predictor import Predictor, load_model
from cardioseg.inference.quality.assess import rule_reasons
from cardioseg.model import NETWORK, Model, write_model
from cardioseg.ops import intensity
from cardioseg.ops.components import keep_one_heart
from cardioseg.ops.intensity import scale_percentiles
from cardioseg.prepare.plan import Plan
from cardioseg.prepare.preparation import Preparation

PLAN = Plan(plane="orthogonal", spacing_mm=1.5, size=(24, 24), network=SMALL, scheme="acdc")
BLOCK = rotated_grid((20, 18, 13), (1.5, 1.4, 1.9), 25)
MODEL = Model("test", Path("nowhere"), PLAN, "0123")
TIE = 1e-4


@dataclass
class Ramps:
    """An engine whose four scores change slowly over the slice and with what is there."""

    name: str = "ramps"

    def __call__(self, slices):
        values = slices[:, 0]
        rows, columns = np.indices(slices.shape[2:], np.float32) / 24
        raw = np.stack([values, rows + 0 * values, columns + 0 * values, 1 - values], axis=1)
        return raw / raw.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    """A random network behind ONNX Runtime that reads orthogonal planes."""
    folder = tmp_path_factory.mktemp("models") / "random"
    write_model(folder, PLAN, {NETWORK: exported_network()})
    return load_model(folder)


@pytest.fixture
def too_large(monkeypatch):
    """No scores are small enough to be held."""
    monkeypatch.setattr(predictor_module, "LARGEST_SCORES_BYTES", 0)


def image_on(grid, seed=0):
    return Volume(np.random.default_rng(seed).normal(size=grid.shape), grid)


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that some work takes, what it answers included."""
    tracemalloc.start()
    try:
        answer = work()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    del answer
    return peak


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_those_of_the_scores_but_for_ties(predictor, too_large, seed):
    grid = rotated_grid((34, 30, 27), (1.3, 1.5, 1.8), 10 * seed)
    image = image_on(grid, seed)
    scores = predictor.predict_scores(image)
    labels = predictor.predict(image).labels.array
    assert len(np.unique(labels)) >= 3
    differ = labels != scores.argmax(axis=0)
    second, first = np.sort(scores, axis=0)[-2:]
    assert (first - second)[differ].max(initial=0) < TIE
    assert differ.mean() < 1e-3


def test_only_scores_that_are_small_enough_are_held(predictor, monkeypatch):
    held = []
    monkeypatch.setattr(
        Predictor,
        "predict_scores",
        lambda self, volume: held.append(1) or np.ones((4, *volume.geometry.shape), np.float32),
    )
    limit = scores_bytes(ACDC, BLOCK)
    assert limit == np.ones((4, *BLOCK.shape), np.float32).nbytes
    for largest, times in ((limit, 1), (limit - 1, 0)):
        monkeypatch.setattr(predictor_module, "LARGEST_SCORES_BYTES", largest)
        held.clear()
        predictor.predict(image_on(BLOCK))
        assert len(held) == times


@pytest.mark.parametrize("degrees", [25, 45])
def test_the_storage_order_changes_no_label(predictor, too_large, degrees):
    grid = rotated_grid((14, 12, 9), (1.5, 1.4, 1.9), degrees, "x")
    require_one_answer_in_every_order(predictor, image_on(grid))


def one_plane(grid, scores):
    """The same scores for each voxel of an axial plane of slices."""
    preparation = Preparation(grid, PLAN, "axial")
    column = np.array(scores, np.float32)[:, None, None]
    each = np.tile(column, (1, *preparation.plan.size))
    return preparation, (each[None] for _ in range(grid.shape[2]))


@pytest.mark.parametrize(
    ("planes", "label"),
    [
        ([(1, 0, 0, 0)] * 3, 0),
        ([(0, 0, 0, 1)] * 3, 3),
        ([(0.5, 0.5, 0, 0)] * 3, 0),
        ([(0, 0.5, 0.5, 0)] * 3, 1),
        ([(0.2, 0, 0.8, 0), (0.2, 0.8, 0, 0), (0.1, 0.45, 0.45, 0)], 1),
        ([(0.9, 0.1, 0, 0), (0, 0.55, 0.45, 0), (0, 0.25, 0.75, 0)], 2),
        ([(0, 1, 0, 0), (1, 0, 0, 0), (0.999, 0.001, 0, 0)], 0),
    ],
)
def test_the_highest_sum_wins_and_ties_go_to_the_lower_value(planes, label):
    grid = Geometry((20, 18, 5), np.diag([1.5, 1.5, 1.5, 1.0]))
    slices = [one_plane(grid, scores) for scores in planes]
    labels = labels_of_planes(slices, len(planes), grid, ACDC)
    assert (labels.array == label).all()


def test_what_no_plane_sees_is_background(too_large):
    grid = Geometry((60, 60, 60), np.diag([1.5, 1.5, 1.5, 1.0]))

    @dataclass
    class Everywhere:
        name: str = "everywhere"

        def __call__(self, slices):
            return np.eye(4, dtype=np.float32)[[3] * len(slices)][:, :, None, None] * np.ones(
                slices.shape, np.float32
            )

    labels = Predictor(MODEL, Everywhere()).predict(image_on(grid)).labels.array
    assert (labels[18:42, 18:42, 18:42] == 3).all()
    assert not labels[:18, :18, :18].any()
    assert not labels[42:, 42:].any()


def test_a_very_anisotropic_volume_is_told(predictor, too_large):
    with pytest.warns(PlaneWarning, match=r"5\.7 times longer than wide"):
        predictor.predict(image_on(rotated_grid((20, 18, 11), (1.5, 1.4, 8.0), 25)))


def test_scores_of_several_planes_are_never_held(too_large):
    """Of four classes, with slices and the values that they are scaled by, they take 7 volumes."""
    grid = Geometry((96, 96, 96), np.diag([1.5, 1.5, 1.5, 1.0]))
    plan = PLAN.model_copy(update={"size": (96, 96)})
    predictor = Predictor(replace(MODEL, plan=plan), Ramps())
    volume = image_on(grid)
    predictor.predict(volume)
    assert peak_bytes(lambda: predictor.predict(volume)) < 4.5 * volume.array.nbytes


def test_labels_are_made_once_where_they_stay():
    grid = Geometry((96, 96, 160), np.diag([1.5, 1.5, 1.5, 1.0]))
    preparation = Preparation(grid, PLAN.model_copy(update={"size": (96, 96)}), "axial")
    scores = np.full((1, 4, 96, 96), 0.25, np.float32)
    batches = (scores for _ in range(160))
    peak = peak_bytes(lambda: preparation.restore_labels(batches, ACDC))
    assert peak < 1.6 * np.prod(grid.shape)


def test_one_heart_is_kept_in_one_copy():
    array = np.zeros((96, 96, 160), np.uint8)
    array[40:60, 40:60, 70:90] = 3
    array[5:8, 5:8, 5:8] = 3
    labels = LabelMap(array, Geometry(array.shape, np.eye(4)), ACDC)
    assert peak_bytes(lambda: keep_one_heart(labels)) < 1.6 * array.nbytes


def test_few_of_very_many_values_are_held_to_scale_by(monkeypatch):
    values = np.random.default_rng(0).normal(size=(40, 70, 70)).astype(np.float32)[:, 3:-3, 3:-3]
    monkeypatch.setattr(intensity, "LARGEST_SAMPLE", values.size // 4)
    peak = peak_bytes(lambda: scale_percentiles(values, out=values))
    assert peak < 0.5 * values.nbytes


def test_slices_are_judged_one_at_a_time():
    grid = Geometry((128, 128, 60), np.diag([1.5, 1.5, 8.0, 1.0]))
    volume = image_on(grid)
    nothing = LabelMap(np.zeros(grid.shape, np.uint8), grid, ACDC)
    peak = peak_bytes(lambda: list(rule_reasons(volume, nothing, 0)))
    assert peak < 0.5 * volume.array.nbytes
