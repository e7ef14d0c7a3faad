"""The synthetic MR image: its contrast, its noise, its seeds, and labels that follow it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2
from cardioseg.core.volume import LabelMap
from cardioseg.phantom import (
    CINE,
    LATE_ENHANCEMENT,
    T1_WEIGHTED,
    VARIANTS,
    Acquisition,
    Contrast,
    PhantomCase,
    Tissue,
    TissueMap,
    acquire,
    cohort,
    phantom_case,
    rasterise,
    refined,
    whole_heart_case,
)


@pytest.fixture(scope="module")
def case() -> PhantomCase:
    return phantom_case(seed=11, index=0, size=128)


def uniform(value: int, shape: tuple[int, int, int] = (60, 60, 60)) -> TissueMap:
    return TissueMap(np.full(shape, value, np.uint8), Geometry(shape, np.eye(4)))


def test_noise_in_air_follows_rayleigh() -> None:
    image = acquire(uniform(0), Acquisition(noise_sd=7.0), np.random.default_rng(0)).array
    assert image.mean() == pytest.approx(7.0 * np.sqrt(np.pi / 2), rel=0.005)
    assert image.std() == pytest.approx(7.0 * np.sqrt(2 - np.pi / 2), rel=0.01)


def test_noise_on_signal_follows_rice() -> None:
    flat = Contrast("flat", {1: 30.0})
    acquisition = Acquisition(flat, bias=0.0, noise_sd=10.0)
    image = acquire(uniform(1), acquisition, np.random.default_rng(0)).array.astype(np.float64)
    assert (image**2).mean() == pytest.approx(30.0**2 + 2 * 10.0**2, rel=0.01)
    assert (image**4).mean() == pytest.approx(
        30.0**4 + 8 * (30.0 * 10.0) ** 2 + 8 * 10.0**4, rel=0.02
    )


def test_texture_has_the_stated_spread() -> None:
    rough = Contrast("rough", {1: 100.0}, {1: 8.0})
    image = acquire(uniform(1), Acquisition(rough, bias=0, noise_sd=0), np.random.default_rng(0))
    assert image.array.std() == pytest.approx(8.0, rel=0.1)


@pytest.mark.parametrize(
    ("contrast", "brighter", "darker"),
    [
        (CINE, "LV cavity", "myocardium"),
        (LATE_ENHANCEMENT, "LV cavity", "myocardium"),
        (T1_WEIGHTED, "myocardium", "LV cavity"),
    ],
)
def test_blood_and_muscle_differ_as_the_contrast_says(
    case: PhantomCase, contrast: Contrast, brighter: str, darker: str
) -> None:
    fine = refined(case.geometry, (1, 1, 1))
    tissues = rasterise(case.heart, fine, case.thorax)
    image = acquire(tissues, Acquisition(contrast), np.random.default_rng(0)).array
    labels = tissues.labels(ACDC)
    bright, dark = (np.median(image[labels.mask(name)]) for name in (brighter, darker))
    assert bright > 2 * dark


def test_labels_follow_the_motion_between_slices(case: PhantomCase) -> None:
    assert any(shift != (0.0, 0.0) for shift in case.acquisition.shifts_mm)
    fine = refined(case.geometry, (2, 2, 1))
    marks = rasterise(case.heart, fine).labels(ACDC)
    shown = Contrast("marks", {1: 0.0, 2: 0.0, 3: 1.0})
    still = replace(case.acquisition, contrast=shown, samples=(2, 2, 1), bias=0.0, noise_sd=0.0)
    image = acquire(marks, still, np.random.default_rng(0)).array
    cavity = case.labels().mask("LV cavity")
    for k in np.flatnonzero(cavity.sum(axis=(0, 1)) > 200):
        image_centre = np.argwhere(image[..., k] > 0.5).mean(axis=0)
        assert image_centre == pytest.approx(np.argwhere(cavity[..., k]).mean(axis=0), abs=0.15)


def test_the_same_seed_gives_the_same_bytes_in_any_order() -> None:
    first, second = cohort(2, seed=4, size=64), cohort(2, seed=4, size=64)
    backwards = {case.id: case.image().array.tobytes() for case in reversed(second)}
    for case in first:
        assert case.image().array.tobytes() == backwards[case.id]
        assert case.image().array.tobytes() == case.image().array.tobytes()
    assert len(set(backwards.values())) == 4
    other = cohort(1, seed=5, size=64)[0].image().array
    assert (other != first[0].image().array).any()


def test_a_cohort_is_made_of_pairs_of_frames_on_one_grid() -> None:
    cases = cohort(2, seed=0, size=64)
    assert [c.id for c in cases] == [
        "phantom_000_frame01",
        "phantom_000_frame12",
        "phantom_001_frame01",
        "phantom_001_frame12",
    ]
    assert [(c.subject, c.phase, c.frame) for c in cases[:2]] == [
        ("phantom_000", "ED", 1),
        ("phantom_000", "ES", 12),
    ]
    (_, diastole), (_, systole) = cases[0].pair(), cases[1].pair()
    assert diastole.geometry.is_same(systole.geometry)
    assert systole.volume_ml("LV cavity") < 0.75 * diastole.volume_ml("LV cavity")
    assert systole.volume_ml("myocardium") == pytest.approx(
        diastole.volume_ml("myocardium"), rel=0.15
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_short_axis_stack_holds_the_whole_left_ventricle(variant: str) -> None:
    for index in range(3):
        case = phantom_case(2, index, variant, size=128)  # type: ignore[arg-type]
        labels = case.labels()
        assert labels.volume_ml("LV cavity") == pytest.approx(case.heart.lv_cavity_ml, rel=0.12)
        along, across = case.geometry.spacing[2], case.geometry.spacing[0]
        assert 8 <= along <= 10
        assert 1.4 <= across <= 1.8
        edge = np.ones(labels.array.shape[:2], bool)
        edge[3:-3, 3:-3] = False
        assert not labels.array[edge].any()


def test_stacks_are_stored_in_different_orders() -> None:
    orders = {phantom_case(0, n).geometry.orientation for n in range(12)}
    assert len(orders) > 3


def test_a_whole_heart_volume_is_isotropic_and_stored_as_p_i_r() -> None:
    case = whole_heart_case(1, 0, scheme=HVSMR2, spacing_mm=3.0)
    image, labels = case.case().pair()
    assert image.geometry.orientation == "PIR"
    assert image.geometry.spacing == pytest.approx((3.0, 3.0, 3.0))
    assert len(np.unique(labels.array)) == 9
    for name in ("LV", "RV", "LA", "RA"):
        touched = np.argwhere(labels.mask(name))
        assert (touched.min(axis=0) > 0).all()
        assert (touched.max(axis=0) < np.array(labels.array.shape) - 1).all()


def test_the_thorax_has_lungs_chest_wall_and_liver(case: PhantomCase) -> None:
    box = whole_heart_case(11, 0, spacing_mm=5.0).geometry
    found = np.unique(rasterise(case.heart, box, case.thorax).array)
    wanted = {Tissue.LUNG, Tissue.FAT, Tissue.MUSCLE, Tissue.LIVER, Tissue.MARROW, Tissue.AORTA}
    assert wanted <= set(found.tolist())


def test_an_image_of_any_label_map() -> None:
    values = np.zeros((8, 8, 8), np.uint8)
    values[2:6, 2:6, :] = 3
    labels = LabelMap(values, Geometry((8, 8, 8), np.eye(4)), ACDC)
    acquisition = Acquisition(Contrast("any", {3: 90.0}), (2.0, 2.0, 4.0), bias=0, noise_sd=0)
    image = acquire(labels, acquisition, np.random.default_rng(0))
    assert image.array.shape == (4, 4, 2)
    assert image.array[1:3, 1:3].tolist() == [[[90.0, 90.0]] * 2] * 2
    assert image.array.sum() == 90.0 * 8
