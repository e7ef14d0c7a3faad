"""Classical baselines: hearts of phantoms found, on any grid; folders; what is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.grids import STORAGE_ORDERS

from cardioseg.baselines.appearance.landmarks import ENDOCARDIUM, drawn
from cardioseg.baselines.appearance.learn import FEWEST, encode, learn_model
from cardioseg.baselines.appearance.model import fit_model
from cardioseg.baselines.appearance.pose import Pose, best_pose
from cardioseg.baselines.appearance.train import examples
from cardioseg.baselines.baseline import Baseline, BaselinePlan, fit_baseline
from cardioseg.baselines.folder import BUILT_IN, MODELS, open_baseline, write_baseline
from cardioseg.baselines.names import BUILT_IN_NAMES, PLAN, is_baseline
from cardioseg.baselines.region import COVERAGE, HeartRegion, learn_region
from cardioseg.baselines.stack import RegionStack
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import DatasetError, GeometryError, ModelError
from cardioseg.model import SUMS
from cardioseg.phantom import cohort, phantom_case, whole_heart_case

NORMAL = ("normal",)
UNSEEN = [phantom_case(5, 0, phase="ED"), phantom_case(5, 1, phase="ES")]


@cache
def unseen_image(index=0):
    """Drawing a phantom takes a second, so each once."""
    return UNSEEN[index].image()


def dice(labels, reference, structure):
    a, b = labels.mask(structure), reference.mask(structure)
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def appearance(tmp_path_factory):
    """An appearance baseline of six phantoms, written and opened."""
    cases = cohort(6, seed=1, variants=NORMAL)
    fitted = fit_baseline(BaselinePlan(method="appearance"), cases)
    return fitted, write_baseline(tmp_path_factory.mktemp("baselines") / "appearance", fitted)


@pytest.fixture(params=["otsu", "active-contour", "appearance"])
def baseline(request, appearance):
    return appearance[1] if request.param == "appearance" else open_baseline(request.param)


# Floors for mean Dice over two unseen phantoms. What lies below: bases where the blood goes on into
# the aorta, and fat beside the right ventricle.
FLOORS = {
    "otsu": {"LV cavity": 0.70, "myocardium": 0.80, "RV cavity": 0.45},
    "active-contour": {"LV cavity": 0.68, "myocardium": 0.72, "RV cavity": 0.50},
    "appearance": {"LV cavity": 0.85, "myocardium": 0.75, "RV cavity": 0.70},
}


def test_the_ventricles_of_unseen_phantoms_are_found(baseline):
    found = {name: [] for name in FLOORS[baseline.plan.method]}
    for index, case in enumerate(UNSEEN):
        labels = baseline.predict(unseen_image(index)).labels
        assert labels.geometry is unseen_image(index).geometry
        for name, values in found.items():
            values.append(dice(labels, case.labels(), name))
    for name, values in found.items():
        assert np.mean(values) > FLOORS[baseline.plan.method][name], (name, values)
    assert min(found["LV cavity"]) > 0.5


def test_the_storage_order_changes_no_label_in_the_patient(baseline):
    image = unseen_image()
    labels = baseline.predict(image).labels.array
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    order = STORAGE_ORDERS[38]
    stored = Volume(order.apply(image.array), order.geometry(image.geometry))
    again = baseline.predict(stored).labels.array
    np.testing.assert_array_equal(again, order.apply(labels))


@pytest.mark.parametrize("shape", [(96, 96, 3), (96, 96, 1), (3, 2, 2)])
def test_an_empty_image_gets_an_empty_label_map(baseline, shape):
    grid = Geometry(shape, np.diag([1.5, 1.5, 8.0, 1.0]))
    for value in (0, 7):
        labels = baseline.predict(Volume(np.full(shape, value, np.float32), grid)).labels
        assert labels.geometry is grid
        assert not labels.array.any()


@pytest.mark.parametrize("shape", [(96, 96, 3), (96, 96, 1), (3, 2, 2)])
def test_noise_does_not_crash(baseline, shape):
    grid = Geometry(shape, np.diag([1.5, 1.5, 8.0, 1.0]))
    noise = np.random.default_rng(0).random(shape, np.float32)
    labels = baseline.predict(Volume(noise, grid)).labels
    assert labels.geometry is grid


def test_the_provenance_names_what_made_the_answer(baseline):
    made_by = baseline.predict(unseen_image()).provenance
    assert (made_by.model, made_by.model_id, made_by.engine) == (
        baseline.name,
        baseline.id,
        "scikit-image",
    )
    assert made_by.seconds > 0


@pytest.mark.parametrize("name", ["otsu-whole-heart", "active-contour-whole-heart"])
def test_blood_of_a_whole_heart_is_found_in_a_chosen_plane(name):
    case = whole_heart_case(3, 0, spacing_mm=2.5)
    region = learn_region([whole_heart_case(2, 0, spacing_mm=2.5).labels()], "axial")
    opened = open_baseline(name)
    baseline = replace(opened, plan=opened.plan.model_copy(update={"region": region}))
    labels = baseline.predict(case.image()).labels
    assert labels.scheme is MYOCARDIUM_BLOOD
    assert dice(labels, case.labels(), "blood pool") > 0.6
    assert dice(labels, case.labels(), "myocardium") > 0.3


def test_a_region_is_learnt_from_where_the_hearts_lie():
    grid = Geometry((101, 81, 4), np.diag([2.0, 1.0, 8.0, 1.0]))
    array = np.zeros(grid.shape, np.uint8)
    array[40:61, 30:51] = 2
    array[45:56, 35:46] = 3
    labels = LabelMap(array, grid, ACDC)
    region = learn_region([labels], "native")
    assert region.centre_mm == (0, 0)
    np.testing.assert_allclose(region.low_mm, (-16, -26))
    np.testing.assert_allclose(region.high_mm, (16, 26))
    empty = LabelMap(np.zeros(grid.shape, np.uint8), grid, ACDC)
    assert learn_region([empty, labels], "native") == region
    with pytest.raises(DatasetError, match="no training case has a labelled voxel"):
        learn_region([empty], "native")


def test_an_edge_of_a_region_is_a_quantile_so_that_one_odd_heart_does_not_widen_it():
    grid = Geometry((101, 101, 1), np.diag([1.0, 1.0, 8.0, 1.0]))

    def case(start):
        array = np.zeros(grid.shape, np.uint8)
        array[start : start + 11, 45:56] = 3
        return LabelMap(array, grid, ACDC)

    usual, odd = case(45), case(0)
    region = learn_region([usual] * 99 + [odd], "native")
    assert region == learn_region([usual], "native")
    assert 0.9 <= COVERAGE < 0.99


def test_labels_go_into_the_window_and_back():
    case = phantom_case(0, 0)
    labels = case.labels()
    stack = RegionStack(case.geometry, "native", HeartRegion())
    shares = np.stack([stack.shares(labels.array == value) for value in range(4)])
    restored = stack.restore(shares.argmax(axis=0).astype(np.uint8), ACDC)
    for structure in ACDC.structures:
        assert dice(restored, labels, structure.name) > 0.97


@cache
def training_slices(fitted):
    """Model and labelled slice of every slice of the first training subject."""
    found = []
    for case in cohort(1, seed=1, variants=NORMAL):
        image, labels = case.pair()
        stack = RegionStack(image.geometry, "native", fitted.plan.region)
        found += [(fitted.models.of(t), each) for t, each in examples(image, labels, stack)]
    return found


def distance(model, state, example):
    """Mean distance of landmarks, in pixels."""
    points = state.pose.apply(model.shape(state.parameters))
    return np.linalg.norm(points - example.points, axis=1).mean()


def test_a_training_shape_is_reconstructed_to_less_than_a_pixel(appearance):
    slices = training_slices(appearance[0])
    gaps = [distance(model, encode(model, example), example) for model, example in slices]
    assert len(gaps) > 8
    assert max(gaps) < 1.0
    assert np.mean(gaps) < 0.7


def test_a_search_from_a_wrong_place_comes_closer(appearance):
    before, after = [], []
    for model, example in training_slices(appearance[0]):
        right = best_pose(model.shape_mean, example.points)
        start = model.start(right.moved(np.array([0.1, 0.15, 4.0, -3.0])))
        fit = fit_model(model, example.image, start)
        assert fit.error < float(np.mean(model.residual(example.image, start) ** 2))
        before.append(distance(model, start, example))
        after.append(distance(model, fit.state, example))
    assert min(before) > 4
    assert np.mean(after) < 0.75 * np.mean(before)


def test_landmarks_draw_the_labels_they_came_from():
    image, labels = phantom_case(0, 1).image(), phantom_case(0, 1).labels()
    stack = RegionStack(image.geometry, "native", HeartRegion())
    lv = stack.shares(labels.mask("LV cavity")) > 0.5
    for _, example in examples(image, labels, stack):
        drawn_lv, _, _ = drawn(example.points, stack.shape)
        best = max(2 * (drawn_lv & each).sum() / (drawn_lv.sum() + each.sum()) for each in lv)
        assert best > 0.95


def test_landmarks_turn_with_the_heart():
    image, labels = phantom_case(0, 1).image(), phantom_case(0, 1).labels()
    stack = RegionStack(image.geometry, "native", HeartRegion())
    array = np.ascontiguousarray(np.rot90(labels.array, axes=(0, 1)))
    turned = LabelMap(array, labels.geometry, ACDC)
    first, second = examples(image, labels, stack), examples(image, turned, stack)
    assert len(first) == len(second) > 2
    for (_, one), (_, other) in zip(first, second, strict=True):
        pose = best_pose(one.points, other.points)
        assert abs(abs(np.angle(pose.turn)) - np.pi / 2) < 0.05
        gap = np.linalg.norm(pose.apply(one.points) - other.points, axis=1)
        assert gap[ENDOCARDIUM].max() < 1.0


def test_a_step_is_undone_by_its_inverse():
    pose, step = Pose(1.2 + 0.4j, 10 - 3j), np.array([0.1, -0.2, 3.0, -4.0])
    np.testing.assert_allclose(pose.step_to(pose.moved(step)), step)


def test_too_few_slices_make_no_model():
    with pytest.raises(DatasetError, match=f"at least {FEWEST}"):
        learn_model([], np.random.default_rng(0))


def test_a_folder_holds_all_of_an_appearance_baseline(appearance, tmp_path):
    fitted, opened = appearance
    image = unseen_image()
    kept = Baseline("kept", "0", fitted.plan, fitted.models)
    again = write_baseline(tmp_path / "again", fitted)
    assert again.id == opened.id
    assert opened.plan == fitted.plan
    labels = [each.predict(image).labels.array for each in (opened, again, kept)]
    np.testing.assert_array_equal(labels[0], labels[1])
    # float32 on disk: a pixel on an edge may differ from what was in memory.
    assert (labels[0] != labels[2]).mean() < 1e-3


def test_fitting_twice_gives_one_id():
    cases = cohort(2, seed=1, variants=NORMAL)
    plan = BaselinePlan(method="otsu")
    assert fit_baseline(plan, cases).plan == fit_baseline(plan, cases).plan
    assert fit_baseline(plan, cases).plan.subjects == 2


def test_a_damaged_folder_is_refused(appearance, tmp_path):
    fitted, _ = appearance
    for name in (PLAN, MODELS):
        folder = tmp_path / name
        write_baseline(folder, fitted)
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")
        with pytest.raises(ModelError, match="changed since"):
            open_baseline(folder)
    (tmp_path / MODELS / MODELS).unlink()
    with pytest.raises(ModelError, match="not there"):
        open_baseline(tmp_path / MODELS)
    folder = tmp_path / "key"
    write_baseline(folder, replace(fitted, models=None, plan=BaselinePlan(method="otsu")))
    text = (folder / PLAN).read_text().replace('"seed"', '"sead"')
    (folder / PLAN).write_text(text)
    (folder / SUMS).write_text(f"{hashlib.sha256(text.encode()).hexdigest()}  {PLAN}\n")
    with pytest.raises(ModelError, match="sead"):
        open_baseline(folder)
    with pytest.raises(ModelError, match="otsu, active-contour"):
        open_baseline("nonsense")


def test_names_and_folders_are_told_from_models(tmp_path, monkeypatch):
    assert tuple(BUILT_IN) == BUILT_IN_NAMES
    assert is_baseline("otsu")
    assert not is_baseline("sax")
    assert not is_baseline(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "otsu").mkdir()  # somebody's images
    assert is_baseline("otsu")
    assert not is_baseline("./otsu")
    assert open_baseline("otsu").scheme is ACDC
    write_baseline(tmp_path, fit_baseline(BaselinePlan(method="otsu"), cohort(1, seed=0)))
    assert is_baseline(tmp_path)
    assert json.loads((tmp_path / PLAN).read_text())["method"] == "otsu"


def test_a_learnt_region_belongs_to_its_plane(appearance):
    _, opened = appearance
    with pytest.raises(ModelError, match="fit it again with --plane axial"):
        opened.in_plane("axial")
    assert open_baseline("otsu").in_plane("coronal").plan.plane == "coronal"


def test_a_cube_needs_a_plane():
    cube = Volume(np.zeros((5, 6, 7)), Geometry((5, 6, 7), np.eye(4)))
    with pytest.raises(GeometryError, match="name the plane"):
        open_baseline("otsu").predict(cube)
