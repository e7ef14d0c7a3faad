"""Heart function and wall thickness of hearts whose figures are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from tests.short_axis_heart import round_heart

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.function import HeartFunction, heart_function
from cardioseg.evaluation.wall import thickening, wall_thickness
from cardioseg.phantom import HeartShape, contracted, draw_heart, label


def along_the_heart(heart: HeartShape, spacing_mm: float, through_mm: float) -> Geometry:
    """An oblique short-axis grid; half a slice off the base."""
    affine = np.eye(4)
    columns = np.array(heart.pose.frame.axes).T * (spacing_mm, spacing_mm, through_mm)
    n, depth = int(160 / spacing_mm), int(110 / through_mm)
    affine[:3, :3] = columns
    affine[:3, 3] = heart.pose.base_centre - columns @ (n / 2 - 8, n / 2, -0.5)
    return Geometry((n, n, depth), affine)


def value(function: HeartFunction, quantity: str, structure: str, phase: str = "") -> float:
    found = function.measurement(quantity, structure, phase)
    assert found is not None
    assert found.value is not None
    return found.value


def test_a_cine_of_a_phantom_has_the_closed_form_s_function() -> None:
    heart = draw_heart(np.random.default_rng(3), "normal")
    grid = along_the_heart(heart, 1.5, 3.0)
    ejected = [0.6 * (0.5 - 0.5 * np.cos(2 * np.pi * t / 12)) for t in range(12)]
    hearts = [contracted(heart, float(fraction)) for fraction in ejected]
    function = heart_function([label(h, grid, ACDC) for h in hearts], [70.0 * t for t in range(12)])
    assert (function.ed, function.es) == (0, 6)
    large, small = hearts[0].lv_cavity_ml, hearts[6].lv_cavity_ml
    assert value(function, "end-diastolic volume", "LV cavity", "ED") == pytest.approx(
        large, rel=0.02
    )
    assert value(function, "end-systolic volume", "LV cavity", "ES") == pytest.approx(
        small, rel=0.03
    )
    assert value(function, "ejection fraction", "LV cavity") == pytest.approx(60.0, abs=1.0)
    output = (large - small) * (60000 / 840) / 1000
    assert value(function, "cardiac output", "LV cavity") == pytest.approx(output, rel=0.03)
    for phase in ("ED", "ES"):
        mass = value(function, "myocardial mass", "myocardium", phase)
        assert mass == pytest.approx(1.05 * heart.myocardium_ml, rel=0.03)
    thirds = [value(function, f"volume, {r}", "LV cavity", "ED") for r in ("base", "mid", "apex")]
    assert sum(thirds) == pytest.approx(function.volumes_ml["LV cavity"][0])
    assert thirds[0] > thirds[1] > thirds[2]


def test_a_phantom_in_its_place_has_a_septum_and_walls_of_its_thickness() -> None:
    heart = draw_heart(np.random.default_rng(3), "normal")
    wall = wall_thickness(label(heart, along_the_heart(heart, 1.2, 6.0), ACDC))
    assert wall.notes == ()
    for mm in wall.values_mm[:12]:
        assert mm == pytest.approx(heart.lv.wall_mm, rel=0.12)


def test_a_mirrored_heart_is_told_and_keeps_anterior_in_front() -> None:
    heart = draw_heart(np.random.default_rng(3), "mirrored")
    grid = along_the_heart(heart, 1.5, 6.0)
    mirror = Geometry(grid.shape, np.diag([-1.0, 1, 1, 1]) @ grid.affine)
    wall = wall_thickness(label(heart, mirror, ACDC))
    assert "other side" in wall.notes[0]


@pytest.mark.parametrize("wall_mm", [4.0, 6.5, 9.0, 14.0])
@pytest.mark.parametrize("pixel", [1.0, 1.8])
def test_an_even_wall_has_its_thickness_in_all_segments(wall_mm: float, pixel: float) -> None:
    wall = wall_thickness(round_heart(wall_mm=wall_mm, spacing=(pixel, 8.0)))
    assert wall.values_mm[:16] == pytest.approx([wall_mm] * 16, abs=0.25)
    assert wall.values_mm[16] is None
    assert "no apical cap" in wall.reasons[16]


def eccentric(radius: float, outer: float, shift: float, sector: tuple[float, float]) -> float:
    """Mean over a sector about the cavity's centre of the nearest distance, both ways."""
    means = []
    degrees = np.arange(0, 360, 0.1)
    ring = np.exp(1j * np.deg2rad(degrees))
    inner, outside = shift + radius * ring, outer * ring
    for points, gap in (
        (inner, outer - np.abs(inner)),
        (outside, np.abs(outside - shift) - radius),
    ):
        about = np.degrees(np.angle(points - shift)) % 360
        inside = (about - sector[0]) % 360 < sector[1]
        means.append(float(gap[inside].mean()))
    return sum(means) / 2


def test_an_eccentric_cavity_has_the_closed_form_in_each_sector() -> None:
    shift, radius, outer = 4.0, 24.0, 34.0
    heart = round_heart((24.2, 24.1, 24, 24, 23.9, 23.8), 10.0, shift)
    wall = wall_thickness(heart)
    # The septum's middle is at 0 degrees, the anterior insertion at half its width.
    found = [wall.values_mm[i] for i in range(6)]
    assert found[1] == pytest.approx(found[2], abs=0.3)  # the septal two are mirror images
    assert found[0] == pytest.approx(found[3], abs=0.5)
    assert found[4] == pytest.approx(found[5], abs=0.5)
    assert min(found) < eccentric(radius, outer, shift, (-20, 40)) + 1.0
    septal = eccentric(radius, outer, shift, (0.0, 60.0))
    lateral = eccentric(radius, outer, shift, (120.0, 60.0))
    assert found[1] == pytest.approx(septal, abs=0.6)
    assert found[5] == pytest.approx(lateral, abs=0.6)
    assert septal < 7.0 < 13.0 < lateral


def test_the_apical_cap_is_as_thick_as_its_slices() -> None:
    assert wall_thickness(round_heart(cap=1)).values_mm[16] == pytest.approx(8.0)
    assert wall_thickness(round_heart(cap=2)).values_mm[16] == pytest.approx(16.0)


def test_a_wall_that_grows_by_half_thickens_by_half() -> None:
    thin = wall_thickness(round_heart(wall_mm=8.0))
    thick = wall_thickness(round_heart(tuple(0.7 * r for r in range(27, 18, -1)), wall_mm=12.0))
    for each in thickening(thin, thick)[:16]:
        assert each.value == pytest.approx(50.0, abs=5.0)


def test_an_open_wall_is_undefined_and_not_thin() -> None:
    whole = round_heart()
    array = whole.array.copy()
    n = array.shape[0] // 2
    # The lateral wall is missing in the basal third, as at the outflow tract.
    array[:n, :, 1:4][array[:n, :, 1:4] == 2] = 0
    wall = wall_thickness(LabelMap(array, whole.geometry, whole.scheme))
    assert [wall.values_mm[i] for i in (4, 5)] == [None, None]
    assert "no closed wall" in wall.reasons[4]
    assert [wall.values_mm[i] for i in (1, 2)] == pytest.approx([9.0, 9.0], abs=0.3)


@pytest.mark.parametrize(
    ("towards_deg", "segments"),
    [
        (90, (1, 7, 13)),  # the anterior wall: septum at 0 degrees, front and head at 90
        (30, (2, 8)),
        (-30, (3, 9)),
        (0, (14,)),
        (-90, (4, 10, 15)),
        (-150, (5, 11)),
        (150, (6, 12)),
        (180, (16,)),
    ],
)
def test_a_thick_stretch_is_found_in_the_segment_of_that_name(
    towards_deg: int, segments: tuple[int, ...]
) -> None:
    heart = round_heart(wall_mm=8.0)
    array = heart.array.copy()
    n = array.shape[0]
    x, y = (np.indices((n, n)) - n / 2) * 1.4
    off = (np.degrees(np.arctan2(y, x)) - towards_deg + 180) % 360 - 180
    for k in range(1, array.shape[2] - 1):
        inner = (array[..., k] == 3) & (np.abs(off) < 20)
        # Inwards, so that the right ventricle still touches where it did.
        array[..., k][inner & (np.hypot(x, y) > [0, 27, 26, 25, 24, 23, 21, 19, 17, 15][k] - 5)] = 2
    values = wall_thickness(LabelMap(array, heart.geometry, heart.scheme)).values_mm
    for segment in segments:
        first, count = ((0, 6), (6, 6), (12, 4))[(segment > 6) + (segment > 12)]
        level = [v for v in values[first : first + count] if v is not None]
        assert values[segment - 1] == max(level), values
        assert max(level) > 9.0  # 8 mm elsewhere
