"""The synthetic heart has the volumes, neighbours and variants that its numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap
from cardioseg.phantom import (
    VARIANTS,
    HeartShape,
    Tissue,
    Variant,
    contracted,
    draw_heart,
    label,
    rasterise,
)


def heart_of(variant: Variant, seed: int = 5) -> HeartShape:
    return draw_heart(np.random.default_rng(seed), variant)


def box(spacing_mm: float, heights: tuple[float, float] = (-75, 75)) -> Geometry:
    """A grid along the patient's axes, symmetric about x = 0, that holds both ventricles."""
    sides = [round(side / spacing_mm) for side in (220, 190, heights[1] - heights[0])]
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = (-(sides[0] - 1) * spacing_mm / 2, -85, heights[0])
    return Geometry((sides[0], sides[1], sides[2]), affine)


def along_the_heart(heart: HeartShape, spacing_mm: float, through_mm: float) -> Geometry:
    """An oblique grid whose third axis is the ventricle's long axis; half a slice off the base."""
    affine = np.eye(4)
    columns = np.array(heart.pose.frame.axes).T * (spacing_mm, spacing_mm, through_mm)
    n, depth = int(150 / spacing_mm), int(110 / through_mm)
    affine[:3, :3] = columns
    affine[:3, 3] = heart.pose.base_centre - columns @ (n / 2 - 8, n / 2, -0.5)
    return Geometry((n, n, depth), affine)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_rasterised_volumes_are_the_closed_form_ones(variant: Variant, seed: int) -> None:
    heart = heart_of(variant, seed)
    labels = label(heart, box(1.0), ACDC)
    cavity, muscle = labels.volume_ml("LV cavity"), labels.volume_ml("myocardium")
    if variant == "septal_defect":
        # The hole is blood where the closed form has muscle.
        assert 1 < cavity / heart.lv_cavity_ml < 1.05
        assert 0.95 < muscle / heart.myocardium_ml < 1
        return
    assert cavity == pytest.approx(heart.lv_cavity_ml, rel=0.01)
    assert muscle == pytest.approx(heart.myocardium_ml, rel=0.01)


@pytest.mark.parametrize("variant", VARIANTS)
def test_hearts_are_of_human_size(variant: Variant) -> None:
    for seed in range(4):
        heart = heart_of(variant, seed)
        labels = label(heart, box(2.5), ACDC)
        assert 60 < labels.volume_ml("LV cavity") < 380
        assert 55 < labels.volume_ml("myocardium") < 260
        if heart.rv is not None:
            assert 70 < labels.volume_ml("RV cavity") < 380


def test_a_volume_does_not_depend_on_the_grid_s_orientation() -> None:
    heart = heart_of("normal")
    straight, oblique = label(heart, box(1.5), ACDC), along_the_heart(heart, 1.5, 1.5)
    for name in ("RV cavity", "myocardium", "LV cavity"):
        volume_ml = label(heart, oblique, ACDC).volume_ml(name)
        assert straight.volume_ml(name) == pytest.approx(volume_ml, rel=0.02)


@pytest.mark.parametrize("variant", ["normal", "dilated_rv", "single_ventricle"])
def test_the_muscle_encloses_the_left_ventricle_on_every_short_axis_slice(
    variant: Variant,
) -> None:
    heart = heart_of(variant)
    labels = label(heart, along_the_heart(heart, 1.5, 4.0), ACDC)
    cavity, muscle = labels.mask("LV cavity"), labels.mask("myocardium")
    for k in np.flatnonzero(cavity.any(axis=(0, 1))):
        inside = ndimage.binary_fill_holes(muscle[..., k]) & ~muscle[..., k]
        assert (inside == cavity[..., k]).all()


def blood_parts(labels: LabelMap) -> int:
    blood = labels.mask("LV cavity") | labels.mask("RV cavity")
    count: int = ndimage.label(blood)[1]
    return count


def test_only_a_septal_defect_joins_the_ventricles() -> None:
    grid = along_the_heart(heart_of("normal"), 1.5, 1.5)
    assert blood_parts(label(heart_of("normal"), grid, ACDC)) == 2
    assert blood_parts(label(heart_of("septal_defect"), grid, ACDC)) == 1


def test_a_mirrored_heart_is_the_mirror_image_of_the_normal_one() -> None:
    grid = box(2.0)
    normal = rasterise(heart_of("normal"), grid).array
    mirrored = rasterise(heart_of("mirrored"), grid).array
    assert (mirrored != normal[::-1]).mean() < 1e-6
    where = np.argwhere(mirrored == Tissue.LV).mean(axis=0)
    assert grid.to_world(where)[0] > 20
    assert grid.to_world(np.argwhere(normal == Tissue.LV).mean(axis=0))[0] < -20


def test_a_single_ventricle_takes_both_atria_and_feeds_both_arteries() -> None:
    heart = heart_of("single_ventricle")
    labels = label(heart, box(2.0, (-75, 115)), HVSMR2)
    assert not labels.mask("RV").any()
    near = ndimage.binary_dilation(labels.mask("LV"), iterations=2)
    for name in ("LA", "RA", "aorta", "pulmonary artery"):
        assert (near & labels.mask(name)).any(), name


def test_a_dilated_right_ventricle_is_larger_and_flattens_the_septum() -> None:
    normal, dilated = heart_of("normal"), heart_of("dilated_rv")
    grid = box(2.0)
    volumes = [label(h, grid, ACDC).volume_ml("RV cavity") for h in (normal, dilated)]
    assert volumes[1] > 1.2 * volumes[0]
    assert dilated.lv.semi_axes[0] < normal.lv.semi_axes[0]


def test_the_whole_heart_has_eight_structures_each_in_one_piece() -> None:
    labels = label(heart_of("normal"), box(2.0, (-75, 115)), HVSMR2)
    for structure in HVSMR2.structures:
        assert ndimage.label(labels.mask(structure.name))[1] == 1, structure.name
    assert ndimage.label(labels.read_as(MYOCARDIUM_BLOOD).mask("blood pool"))[1] == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_schemes_agree_with_each_other(variant: Variant) -> None:
    tissues = rasterise(heart_of(variant), box(3.0, (-75, 115)))
    acdc, whole, eight = (tissues.labels(s) for s in (ACDC, MYOCARDIUM_BLOOD, HVSMR2))
    assert (acdc.mask("myocardium") == whole.mask("myocardium")).all()
    blood = eight.read_as(MYOCARDIUM_BLOOD).mask("blood pool")
    assert (blood == whole.mask("blood pool")).all()
    ventricles = acdc.read_as(MYOCARDIUM_BLOOD).mask("blood pool")
    assert (ventricles == (eight.mask("LV") | eight.mask("RV"))).all()
    assert not (ventricles & ~blood).any()


@pytest.mark.parametrize("ejection_fraction", [0.2, 0.5, 0.7])
def test_systole_ejects_that_part_and_keeps_the_muscle(ejection_fraction: float) -> None:
    diastole = heart_of("normal")
    systole = contracted(diastole, ejection_fraction)
    ejected = 1 - systole.lv_cavity_ml / diastole.lv_cavity_ml
    assert ejected == pytest.approx(ejection_fraction)
    assert systole.myocardium_ml == pytest.approx(diastole.myocardium_ml)
    assert systole.lv.wall_mm > diastole.lv.wall_mm

    def apex(heart: HeartShape) -> np.ndarray:
        return np.array(heart.epicardium.frame.place((0, 0, heart.epicardium.semi_axes[2])))

    assert apex(systole) == pytest.approx(apex(diastole))
    labels = label(systole, box(1.0), ACDC)
    assert labels.volume_ml("LV cavity") == pytest.approx(systole.lv_cavity_ml, rel=0.02)
    assert labels.volume_ml("myocardium") == pytest.approx(systole.myocardium_ml, rel=0.02)
