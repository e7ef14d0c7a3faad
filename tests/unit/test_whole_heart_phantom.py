"""Whole-heart phantoms: fields, details, contrasts, implanted label maps, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap
from cardioseg.errors import GeometryError, LabelError
from cardioseg.phantom import (
    HARDER,
    TRAINING,
    Deformation,
    Setting,
    Tissue,
    TissueMap,
    congenital_case,
    draw_appearance,
    draw_congenital_heart,
    draw_tissues,
    heart_box,
    heart_labels,
    implanted,
    synthesise,
)
from cardioseg.phantom.details import Details, detailed
from cardioseg.phantom.fields import smooth_noise, spline_matrix
from cardioseg.phantom.synthesis import SIGNAL
from cardioseg.phantom.warp import warped

GRID = Geometry((36, 40, 44), np.diag([1.0, 1.0, 1.0, 1.0]))
STILL = Setting(deformation=Deformation((20.0,), (0.0,)), turn_deg=0.0, stretch=0.0)
CROPPED = Setting(full_share=0.0)
PLAIN = Details(0.0, 0.0, 2.0, 0.0, partitions=False, rounding_mm=1.0, vessel_mm={})


def ball(radius: float, centre: tuple[float, float, float] = (18, 20, 22)) -> np.ndarray:
    index = np.indices(GRID.shape).reshape(3, -1).T - centre
    return (np.linalg.norm(index, axis=1) <= radius).reshape(GRID.shape)


def heart_in_lung() -> np.ndarray:
    """A ball of left ventricle in a shell of muscle, lung around."""
    tissues = np.full(GRID.shape, Tissue.LUNG, np.uint8)
    tissues[ball(14)] = Tissue.MYOCARDIUM
    tissues[ball(9)] = Tissue.LV
    return tissues


def test_spline_weights_add_up_to_one() -> None:
    matrix = spline_matrix(23, 1.3, 7.0)
    assert matrix.sum(axis=1) == pytest.approx(1.0)
    assert matrix.min() >= 0


def test_smooth_noise_is_smooth_and_seeded() -> None:
    first, again = (smooth_noise(GRID, 12.0, np.random.default_rng(3)) for _ in range(2))
    assert (first == again).all()
    rough = smooth_noise(GRID, 1.0, np.random.default_rng(3))
    assert np.abs(np.diff(first, axis=0)).mean() < 0.3 * np.abs(np.diff(rough, axis=0)).mean()


@pytest.mark.parametrize("strengths", [(0.9, 0.9, 0.1), (-0.1, 0.0, 0.0)])
def test_a_deformation_that_folds_is_refused(strengths: tuple[float, ...]) -> None:
    with pytest.raises(GeometryError, match="or the deformation folds"):
        Deformation(strengths=strengths)


@pytest.mark.parametrize("setting", [TRAINING, HARDER])
def test_deformations_do_not_fold(setting: Setting) -> None:
    coarse = Geometry((30, 30, 30), np.diag([4.0, 4.0, 4.0, 1.0]))
    for seed in range(5):
        way = setting.deformation.displacement(coarse, np.random.default_rng(seed))
        slopes = np.stack([np.stack(np.gradient(w, 4.0)) for w in way])
        jacobian = np.moveaxis(slopes, (0, 1), (-2, -1)) + np.eye(3)
        assert np.linalg.det(jacobian).min() > 0
        assert np.abs(way).max() > 3


def test_no_deformation_leaves_everything_in_place() -> None:
    array = heart_in_lung()
    assert (warped(array, GRID, GRID, STILL, np.random.default_rng(0)) == array).all()


def test_labels_are_a_readers() -> None:
    values = np.array(list(Tissue), np.uint8)
    line = Geometry((len(values), 1, 1), np.eye(4))
    labels = heart_labels(TissueMap(values[:, None, None], line)).array.ravel()
    named = {Tissue(t).name: v for t, v in zip(values.tolist(), labels.tolist(), strict=True)}
    assert {named[n] for n in ("MYOCARDIUM", "RV_WALL", "LV_TRABECULAE", "RV_TRABECULAE")} == {1}
    assert {named[n] for n in ("LV", "RV", "LA", "RA", "AORTA", "SVC")} == {2}
    assert {named[n] for n in ("LUNG", "FAT", "LIVER", "SMALL_VESSEL", "MUSCLE")} == {0}


def test_plain_details_change_nothing_but_a_trace() -> None:
    array = heart_in_lung()
    answer = detailed(array, GRID, PLAIN, np.random.default_rng(0))
    assert (answer != array).mean() < 0.002


def test_trabeculae_reach_from_the_wall_into_the_blood() -> None:
    array = heart_in_lung()
    rough = Details(0.9, 0.0, 1.0, 0.0, partitions=False, rounding_mm=1.0, vessel_mm={})
    answer = detailed(array, GRID, rough, np.random.default_rng(0))
    grown = answer == Tissue.LV_TRABECULAE
    assert grown.sum() > 100
    assert (array[grown] == Tissue.LV).all()
    shell = ball(9) & ~ball(7)
    assert grown[shell].mean() > 3 * grown[ball(3)].mean()


def test_vessels_end_at_their_reach() -> None:
    array = heart_in_lung()
    array[16:21, 18:23, 36:] = Tissue.SVC
    near = Details(0.0, 0.0, 2.0, 0.0, False, 1.0, {Tissue.SVC: 4.0})
    answer = detailed(array, GRID, near, np.random.default_rng(0))
    assert answer[18, 20, 43] == Tissue.SMALL_VESSEL
    assert answer[18, 20, 38] == Tissue.SVC


def test_chambers_that_touch_get_a_wall_and_joined_ones_do_not() -> None:
    array = np.full(GRID.shape, Tissue.LUNG, np.uint8)
    array[8:28, 8:32, 8:16], array[8:28, 8:32, 16:24] = Tissue.LA, Tissue.RA
    array[8:28, 8:32, 24:32] = Tissue.RV
    parted = Details(0.0, 0.0, 2.0, 0.0, True, 1.0, {})
    walls = [
        detailed(array, GRID, parted, np.random.default_rng(seed))[10:26, 10:30] == Tissue.MUSCLE
        for seed in range(8)
    ]
    assert np.mean([wall[:, :, 16] for wall in walls]) > 0.7
    assert not any(wall[:, :, 24].any() for wall in walls)


def test_blood_is_brighter_than_muscle_in_every_appearance() -> None:
    for seed in range(200):
        signal = draw_appearance(np.random.default_rng(seed)).signal
        assert set(signal) == set(SIGNAL) == set(Tissue)
        assert signal[Tissue.MYOCARDIUM] < 0.75 < 0.9 < signal[Tissue.LV]
        assert signal[Tissue.RV] > 0.5


def test_an_image_shows_the_contrast_it_was_given() -> None:
    tissues = TissueMap(heart_in_lung(), GRID)
    rng = np.random.default_rng(5)
    appearance = draw_appearance(rng)
    image = synthesise(tissues, appearance, rng).array
    blood, muscle, lung = (
        float(np.median(image[tissues.array == t]))
        for t in (Tissue.LV, Tissue.MYOCARDIUM, Tissue.LUNG)
    )
    assert blood > 1.2 * muscle > 1.2 * lung
    assert np.isfinite(image).all()


def test_a_case_is_its_seed() -> None:
    image, labels = congenital_case(0, 0).pair()
    again_image, again_labels = congenital_case(0, 0).pair()
    assert image.array.tobytes() == again_image.array.tobytes()
    assert labels.array.tobytes() == again_labels.array.tobytes()
    assert image.geometry.orientation == "PIR"
    assert set(np.unique(labels.array)) == {0, 1, 2}
    assert congenital_case(3, 0, HARDER).image().array.tobytes() != image.array.tobytes()


def test_hearts_are_of_the_size_of_real_ones() -> None:
    """Ranges: the seven label maps of HVSMR-2016, 44 to 223 ml of myocardium, 105 to 805 of blood;

    muscle 6 to 9 %, blood 19 to 22 % of the box around both (six of them).
    """
    found = []
    for seed in range(5):
        labels = heart_labels(draw_tissues(np.random.default_rng((1, seed, 7)), CROPPED))
        box = heart_box(labels)
        shares = [(box.array == value).mean() for value in (1, 2)]
        found.append([labels.volume_ml("myocardium"), labels.volume_ml("blood pool"), *shares])
    muscle_ml, blood_ml, muscle_share, blood_share = np.median(found, axis=0)
    assert 44 < muscle_ml < 223
    assert 105 < blood_ml < 805
    assert 0.03 < muscle_share < 0.12
    assert 0.12 < blood_share < 0.26


def test_malformed_hearts_vary_more_than_healthy_ones() -> None:
    hearts = [draw_congenital_heart(np.random.default_rng(n)) for n in range(60)]
    walls = [heart.lv.wall_mm for heart in hearts]
    assert min(walls) < 5.5
    assert max(walls) > 11
    assert 2 <= sum(heart.rv is None for heart in hearts) <= 16
    assert 10 <= sum(heart.defect_mm > 0 for heart in hearts) <= 32
    assert any(heart.rv and heart.rv.wall_mm > 5 for heart in hearts)


def test_an_implanted_heart_keeps_its_labels_and_gets_a_body() -> None:
    body = np.full(GRID.shape, Tissue.LUNG, np.uint8)
    body[:, :6] = Tissue.LIVER
    body[ball(12)] = Tissue.RV
    values = np.zeros(GRID.shape, np.uint8)
    values[ball(10, (18, 22, 22))] = 1
    values[ball(6, (18, 22, 22))] = 2
    labels = LabelMap(values, GRID, MYOCARDIUM_BLOOD)
    answer = implanted(labels, TissueMap(body, GRID), np.random.default_rng(0))
    assert (heart_labels(answer).array == values).all()
    assert (answer.array[values == 2] == Tissue.RV).all()
    assert (answer.array[:, 0] == Tissue.LIVER).all()


def test_only_hearts_of_the_scheme_are_implanted() -> None:
    body = TissueMap(heart_in_lung(), GRID)
    other = LabelMap(np.ones(GRID.shape, np.uint8), GRID, ACDC)
    with pytest.raises(LabelError, match="these have acdc"):
        implanted(other, body, np.random.default_rng(0))
    empty = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, MYOCARDIUM_BLOOD)
    with pytest.raises(LabelError, match="this map is empty"):
        heart_box(empty)


def test_a_heart_box_holds_every_label_in_place() -> None:
    values = np.zeros((20, 24, 30), np.uint8)
    values[5:9, 7:15, 3:20] = 1
    values[6, 9, 10] = 2
    affine = np.array([[0.0, 0, -1.2, 9], [0.9, 0, 0, -4], [0, 1.1, 0, 2], [0, 0, 0, 1]])
    source = LabelMap(values, Geometry(values.shape, affine), MYOCARDIUM_BLOOD)
    box = heart_box(source)
    assert box.geometry.orientation == "PIR"
    assert sorted(box.array.shape) == sorted((6, 10, 19))
    assert box.volume_ml("myocardium") == pytest.approx(source.volume_ml("myocardium"))
    here = box.geometry.to_world(np.argwhere(box.array == 2)[0])
    assert here == pytest.approx(source.geometry.to_world((6, 9, 10)))
