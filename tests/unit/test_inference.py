"""The predictor: labels on the input's own grid, scores that sum to one, mirrors averaged."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from tests.grids import STORAGE_ORDERS, require_one_answer_in_every_order, rotated_grid
from tests.networks import SMALL, exported_network

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import GeometryError, PlaneWarning
from cardioseg.inference.ensemble import Mirrored
from cardioseg.inference.predictor import Predictor, load_model
from cardioseg.inference.window import LARGEST_BATCH
from cardioseg.model import NETWORK, Model, open_model, write_model
from cardioseg.ops.grid import reorientation
from cardioseg.prepare.plan import Plan
from cardioseg.training.config import read_config

PLAN = Plan(spacing_mm=1.5, size=(24, 24), network=SMALL, scheme="acdc")
MODEL = Model("test", Path("nowhere"), PLAN, "0123")
GRID = rotated_grid((20, 18, 11), (1.5, 1.4, 8.0), 25)


def image_on(grid, seed=0):
    return Volume(np.random.default_rng(seed).normal(size=grid.shape), grid)


@dataclass
class Constant:
    """An engine that always gives one answer, and remembers what it was asked."""

    scores: tuple[float, ...]
    name: str = "constant"
    asked: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, slices):
        self.asked.append(slices.shape)
        count, _, rows, columns = slices.shape
        column = np.array(self.scores, np.float32)[None, :, None, None]
        return np.tile(column, (count, 1, rows, columns))


@dataclass
class Corner:
    """An engine that sees the LV in the slice's first corner, whatever is there."""

    name: str = "corner"

    def __call__(self, slices):
        count, _, rows, columns = slices.shape
        scores = np.zeros((count, 4, rows, columns), np.float32)
        scores[:, 0] = 1
        scores[:, :, :4, :4] = np.array([0, 0, 0, 1], np.float32)[None, :, None, None]
        return scores


@dataclass
class Bright:
    """An engine that takes bright for LV cavity."""

    name: str = "bright"

    def __call__(self, slices):
        lv = (slices[:, 0] > 0.5).astype(np.float32)
        none = np.zeros_like(lv)
        return np.stack([1 - lv, none, none, lv], axis=1)


@dataclass
class Watched(Bright):
    """The same, and it remembers what it was asked."""

    asked: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, slices):
        self.asked.append(slices.shape)
        return super().__call__(slices)


def test_a_constant_answer_fills_the_field_of_view_on_the_inputs_own_grid():
    prediction = Predictor(MODEL, Constant((0.1, 0.2, 0.6, 0.1))).predict(image_on(GRID))
    assert prediction.labels.geometry is GRID
    assert prediction.labels.scheme.name == "acdc"
    assert (prediction.labels.array == 2).all()


def test_slices_go_to_the_engine_in_batches():
    engine = Constant((1, 0, 0, 0))
    Predictor(MODEL, engine, locate=False).predict(image_on(GRID))
    assert engine.asked == [(LARGEST_BATCH, 1, 24, 24), (11 - LARGEST_BATCH, 1, 24, 24)]


def test_only_a_network_trained_on_patches_gets_less_than_a_slice():
    """One that was trained on whole slices answers worse on less."""
    grid = Geometry((192, 192, 12), np.diag([1.5, 1.5, 8.0, 1.0]))
    heart = np.zeros(grid.shape)
    heart[90:110, 90:110] = 1
    whole = PLAN.model_copy(update={"size": (192, 192)})
    patches = whole.model_copy(update={"smallest_window": (64, 64)})
    for plan, locate, sides in (
        (whole, True, {192}),
        (patches, False, {192}),
        (patches, True, {192, 144}),
    ):
        engine = Watched()
        predictor = Predictor(replace(MODEL, plan=plan), engine, locate=locate)
        prediction = predictor.predict(Volume(heart, grid))
        assert {shape[-1] for shape in engine.asked} == sides
        assert prediction.provenance.located == predictor.settings["located"] == (len(sides) > 1)
        np.testing.assert_array_equal(prediction.labels.array, 3 * heart)


@pytest.mark.parametrize(
    "folder",
    [
        "acdc/src/cardioseg_models_acdc/sax",
        "whole-heart/src/cardioseg_models_whole_heart/whole-heart",
    ],
)
def test_a_shipped_model_may_be_given_as_little_as_its_preset_trains_on(folder):
    model = open_model(Path(__file__).resolve().parents[2] / "models" / folder)
    assert model.plan.smallest_window == read_config(model.folder.name).patch


def test_what_lies_outside_the_field_of_view_is_background():
    wide = Geometry((60, 18, 3), np.diag([1.5, 1.5, 8.0, 1.0]))
    labels = Predictor(MODEL, Constant((0, 0, 0, 1))).predict(image_on(wide)).labels.array
    assert (labels[18:42] == 3).all()
    assert not labels[:18].any()
    assert not labels[42:].any()


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    """A random network behind ONNX Runtime, opened as a user would."""
    folder = tmp_path_factory.mktemp("models") / "random"
    write_model(folder, PLAN, {NETWORK: exported_network()})
    return load_model(folder)


@pytest.mark.parametrize("mirrors", [False, True])
def test_scores_sum_to_one_and_their_largest_are_the_labels(predictor, mirrors):
    predictor = replace(predictor, mirrors=mirrors)
    image = image_on(rotated_grid((30, 30, 3), (1.2, 1.7, 8.0), -70))
    scores = predictor.predict_scores(image)
    labels = predictor.predict(image).labels.array
    assert scores.shape == (4, 30, 30, 3)
    np.testing.assert_allclose(scores.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(scores.argmax(axis=0), labels)
    assert len(np.unique(labels)) >= 3


def test_the_storage_order_changes_no_label_in_the_patient(predictor):
    predictor = replace(predictor, largest_component=True)
    image = image_on(GRID)
    labels = predictor.predict(image).labels
    assert len(np.unique(labels.array)) >= 3
    for order in STORAGE_ORDERS[::5]:
        stored = Volume(order.apply(image.array), order.geometry(GRID))
        again = predictor.predict(stored).labels
        np.testing.assert_array_equal(again.array, order.apply(labels.array))


def test_the_image_is_not_changed_and_the_answer_is_repeatable(predictor):
    image = image_on(GRID)
    before = image.array.copy()
    first, second = (predictor.predict(image).labels.array for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(image.array, before)


def test_mirrors_average_the_answers_to_four_mirrorings():
    slices = np.zeros((1, 1, 8, 8), np.float32)
    scores = Mirrored(Corner())(slices)
    assert np.allclose(scores[0, 3], 0.25), "each corner is the first once"
    assert np.allclose(scores.sum(axis=1), 1)
    asymmetric = np.random.default_rng(0).random((2, 1, 8, 8), np.float32)
    np.testing.assert_allclose(Mirrored(Bright())(asymmetric), Bright()(asymmetric), atol=1e-6)


def test_mirrored_scores_move_with_a_mirrored_slice(predictor):
    engine = Mirrored(predictor.engine)
    slices = np.random.default_rng(0).random((2, 1, 16, 16), np.float32)
    np.testing.assert_allclose(engine(slices[..., ::-1])[..., ::-1], engine(slices), atol=1e-5)


def two_blobs():
    grid = Geometry((16, 16, 3), np.diag([1.5, 1.5, 8.0, 1.0]))
    array = np.zeros(grid.shape)
    array[2:6, 2:6] = 1
    array[10:12, 10:12] = 1
    return Volume(array, grid)


@pytest.mark.parametrize(
    ("chosen", "planned", "voxels"),
    [(False, True, 60), (True, False, 48), (None, True, 48), (None, False, 60)],
)
def test_only_the_largest_piece_stays_if_asked_or_planned(chosen, planned, voxels):
    model = replace(MODEL, plan=PLAN.model_copy(update={"largest_component": planned}))
    prediction = Predictor(model, Bright(), largest_component=chosen).predict(two_blobs())
    assert prediction.labels.mask("LV cavity").sum() == voxels
    assert prediction.provenance.largest_component is (voxels == 48)


@dataclass
class Shades:
    """An engine that takes dark for background and ever brighter greys for the next classes."""

    classes: int = 3
    name: str = "shades"

    def __call__(self, slices):
        labels = np.rint((self.classes - 1) * slices[:, 0])
        return np.stack([labels == each for each in range(self.classes)], 1).astype(np.float32)


MERGED = replace(
    MODEL,
    plan=PLAN.model_copy(
        update={
            "size": (32, 32),
            "network": SMALL.model_copy(update={"classes": 3}),
            "scheme": "myocardium_blood",
            "largest_component": True,
        }
    ),
)


def short_axis():
    """Myocardium around the left ventricle, the right one beside it, and an island far away."""
    labels = np.zeros((32, 16, 9), np.uint8)
    labels[8:18, 3:13] = 2
    labels[10:16, 5:11] = 3
    labels[3:8, 5:11] = 1
    labels[26:29, 5:8] = 1
    grid = Geometry(labels.shape, np.diag([1.5, 1.5, 8.0, 1.0]))
    return LabelMap(labels, grid, ACDC).read_as(MYOCARDIUM_BLOOD)


def test_of_a_short_axis_whose_ventricles_are_merged_both_stay():
    whole = short_axis()
    image = Volume(whole.array.astype(np.float32), whole.geometry)
    heart = np.where(np.arange(32)[:, None, None] < 20, whole.array, 0)
    labels = Predictor(MERGED, Shades()).predict(image).labels
    np.testing.assert_array_equal(labels.array, heart, "all but the island")
    everything = Predictor(MERGED, Shades(), largest_component=False).predict(image).labels
    np.testing.assert_array_equal(everything.array, whole.array)


def test_scars_stay_wherever_they_lie_in_the_wall():
    wall = np.zeros((24, 24, 8), np.uint8)
    wall[4:20, 4:20] = 2
    wall[8:16, 8:16] = 1
    wall[4:8, 5:12] = wall[16:20, 12:18] = 3  # two infarcts across the wall
    wall[5:8, 6:10] = 4
    heart = wall.copy()
    wall[0, 0] = 3
    plan = PLAN.model_copy(
        update={
            "network": SMALL.model_copy(update={"classes": 5}),
            "scheme": "emidec",
            "largest_component": True,
        }
    )
    grid = Geometry(wall.shape, np.diag([1.5, 1.5, 8.0, 1.0]))
    predictor = Predictor(replace(MODEL, plan=plan), Shades(5))
    labels = predictor.predict(Volume(wall.astype(np.float32), grid)).labels
    np.testing.assert_array_equal(labels.array, heart, "all but the island")


def test_a_whole_heart_keeps_one_piece_of_blood_unless_a_stack_is_read_in_its_own_plane():
    whole_heart = replace(MERGED, plan=MERGED.plan.model_copy(update={"plane": "axial"}))
    whole = short_axis()
    image = Volume(whole.array.astype(np.float32), whole.geometry)
    left, both = (
        Predictor(whole_heart, Shades(), plane=plane).predict(image).labels.array == 2
        for plane in (None, "native")
    )
    assert left[10:16].any()
    assert not left[:8].any()
    assert both[3:8].any()
    assert not (left[26:] | both[26:]).any()


def test_the_provenance_names_what_made_the_answer(predictor):
    made_by = predictor.predict(image_on(GRID)).provenance
    assert (made_by.model, made_by.engine) == ("random", "onnx")
    assert made_by.model_id == predictor.model.id
    assert made_by.seconds > 0
    assert not made_by.mirrors


def test_a_plane_can_be_chosen_and_is_needed_where_there_is_none_of_its_own():
    cube = Geometry((5, 6, 7), np.eye(4) * [1.5, 1.5, 1.5, 1])
    engine = Constant((0, 1, 0, 0))
    with pytest.raises(GeometryError, match="name the plane"):
        Predictor(MODEL, engine).predict(image_on(cube))
    labels = Predictor(MODEL, engine, plane="sagittal").predict(image_on(cube)).labels
    assert sum(shape[0] for shape in engine.asked) == 5, "five sagittal slices"
    assert (labels.array == 1).all()


def test_labels_lie_where_the_image_is_bright_in_a_p_i_r_volume():
    ras = two_blobs()
    step = reorientation(ras.geometry, "PIR")
    pir = Volume(step.apply(ras.array), step.geometry(ras.geometry))
    labels = Predictor(MODEL, Bright()).predict(pir).labels
    assert labels.geometry.orientation == "PIR"
    np.testing.assert_array_equal(labels.mask("LV cavity"), pir.array == 1)


ORTHOGONAL = replace(MODEL, plan=PLAN.model_copy(update={"plane": "orthogonal"}))
BLOCK = rotated_grid((20, 18, 13), (1.5, 1.4, 1.9), 25)


@dataclass
class Stripes:
    """An engine whose scores depend on place in the slice and on what is there: no symmetry."""

    name: str = "stripes"

    def __call__(self, slices):
        rows, columns = np.indices(slices.shape[2:])
        own = np.broadcast_to(slices[:, 0], slices[:, 0].shape)
        raw = np.stack([own, rows / 24 + 0 * own, columns / 24 + 0 * own, 1 - own], axis=1) + 0.1
        return (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)


def test_orthogonal_scores_are_the_mean_of_the_three_planes():
    image = image_on(BLOCK)
    predictor = Predictor(ORTHOGONAL, Stripes())
    planes = ("axial", "coronal", "sagittal")
    single = [replace(predictor, plane=plane).predict_scores(image) for plane in planes]
    scores = predictor.predict_scores(image)
    np.testing.assert_allclose(scores, np.mean(single, axis=0), atol=1e-6)
    assert np.abs(single[0] - single[1]).max() > 0.1, "the planes differ"
    labels = predictor.predict(image).labels.array
    np.testing.assert_array_equal(labels, scores.argmax(axis=0))
    assert len(np.unique(labels)) >= 3


def test_each_plane_of_an_orthogonal_model_is_read_slice_by_slice():
    engine = Constant((0, 0, 1, 0))
    labels = Predictor(ORTHOGONAL, engine).predict(image_on(BLOCK)).labels
    assert sum(shape[0] for shape in engine.asked) == 20 + 18 + 13
    assert (labels.array == 2).all()


def test_one_plane_of_an_orthogonal_model_can_be_asked_for_and_is_named():
    engine = Constant((0, 1, 0, 0))
    prediction = Predictor(ORTHOGONAL, engine, plane="coronal").predict(image_on(BLOCK))
    assert sum(shape[0] for shape in engine.asked) == 18
    assert prediction.provenance.plane == "coronal"
    assert Predictor(ORTHOGONAL, engine).predict(image_on(BLOCK)).provenance.plane == "orthogonal"


@pytest.mark.parametrize("degrees", [25, 45])
def test_the_storage_order_changes_no_label_of_orthogonal_planes(predictor, degrees):
    predictor = replace(predictor, plane="orthogonal", largest_component=True)
    grid = rotated_grid((14, 12, 9), (1.5, 1.4, 1.9), degrees, "x")
    require_one_answer_in_every_order(predictor, image_on(grid))


def test_a_very_anisotropic_volume_is_told_where_planes_are_averaged():
    engine = Constant((1, 0, 0, 0))
    with pytest.warns(PlaneWarning, match=r"5\.7 times longer than wide.*--plane native"):
        Predictor(ORTHOGONAL, engine).predict(image_on(GRID))
    Predictor(ORTHOGONAL, engine, plane="native").predict(image_on(GRID))
    Predictor(ORTHOGONAL, engine).predict(image_on(BLOCK))


def test_memory_grows_with_the_volume_and_never_holds_its_scores():
    # Scores of four classes alone would be four times the volume.
    grid = Geometry((96, 96, 160), np.diag([1.5, 1.5, 2.0, 1.0]))
    plan = PLAN.model_copy(update={"size": (96, 96), "plane": "axial", "largest_component": True})
    predictor = Predictor(replace(MODEL, plan=plan), Bright())
    ramp = np.linspace(0, 1, 96, dtype=np.float32)[:, None, None]
    volume = Volume(np.broadcast_to(ramp, grid.shape), grid)
    predictor.predict(volume)
    tracemalloc.start()
    predictor.predict(volume)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.6 * volume.array.nbytes


def test_a_large_slice_goes_to_the_engine_alone():
    grid = Geometry((20, 18, 5), np.diag([1.5, 1.5, 8.0, 1.0]))
    plan = PLAN.model_copy(update={"size": (800, 800)})
    engine = Constant((1, 0, 0, 0))
    Predictor(replace(MODEL, plan=plan), engine).predict(image_on(grid))
    assert [shape[0] for shape in engine.asked] == [1] * 5
