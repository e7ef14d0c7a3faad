"""Heart function is of the heart: not of how an array is stored, turned or scaled."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.grids import storage_orders
from tests.short_axis_heart import round_heart

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.cycle import find_phases, jumping_frames
from cardioseg.evaluation.function import HeartFunction, heart_function
from cardioseg.ops.grid import Reorientation

THICKENING_SLACK = 1.0
"""In percent: a quotient of two thicknesses that are good to a hundredth of a millimetre or two."""


@cache
def frames() -> tuple[LabelMap, LabelMap]:
    """Two phases with a wall that differs between septum and lateral side, on one grid."""
    diastole = round_heart(wall_mm=9.0, shift_mm=3.0, spacing=(2.0, 8.0), cap=1)
    systole = round_heart(
        tuple(0.75 * r for r in (27, 26, 25, 24, 23, 21, 19, 17, 15)), 11.0, 2.0, (2.0, 8.0), cap=1
    )
    return diastole, systole


@cache
def stored_as_made() -> HeartFunction:
    return heart_function(frames())


def stored(labels: LabelMap, order: Reorientation) -> LabelMap:
    return LabelMap(
        np.ascontiguousarray(order.apply(labels.array)),
        order.geometry(labels.geometry),
        labels.scheme,
    )


def values(function: HeartFunction) -> dict[tuple[str, str, str], float | None]:
    return {(m.quantity, m.structure, m.phase): m.value for m in function.measurements}


@settings(deadline=None, max_examples=8)
@given(storage_orders)
def test_function_does_not_depend_on_how_the_array_is_stored(order: Reorientation) -> None:
    found = heart_function([stored(each, order) for each in frames()])
    expected = values(stored_as_made())
    assert set(values(found)) == set(expected)
    for key, value in values(found).items():
        if expected[key] is None:
            assert value is None, key
        else:
            # Where a contour starts moves its points by a fraction of their distance.
            slack = THICKENING_SLACK if key[0] == "wall thickening" else 1e-6
            assert value == pytest.approx(expected[key], rel=2e-3, abs=slack), key
    assert found.notes == stored_as_made().notes


@settings(deadline=None, max_examples=3)
@given(st.floats(0.6, 1.6))
def test_a_grid_twice_as_large_has_eight_times_the_volume_and_twice_the_wall(scale: float) -> None:
    affine = np.diag([scale, scale, scale, 1.0])
    grown = [
        LabelMap(
            each.array, Geometry(each.geometry.shape, affine @ each.geometry.affine), each.scheme
        )
        for each in frames()
    ]
    expected = values(stored_as_made())
    for key, value in values(heart_function(grown)).items():
        quantity = key[0]
        power = {"ejection fraction": 0, "wall thickening": 0, "wall thickness": 1}.get(quantity, 3)
        if expected[key] is None:
            assert value is None, key
        else:
            slack = THICKENING_SLACK if quantity == "wall thickening" else 1e-6
            assert value == pytest.approx(expected[key] * scale**power, rel=0.02, abs=slack), key


def test_turning_the_patient_on_the_table_changes_no_volume() -> None:
    turn = np.diag([-1.0, -1.0, 1.0, 1.0])
    turned = [
        LabelMap(
            each.array, Geometry(each.geometry.shape, turn @ each.geometry.affine), each.scheme
        )
        for each in frames()
    ]
    found, expected = values(heart_function(turned)), values(stored_as_made())
    for key, value in expected.items():
        if not key[0].startswith("wall"):
            assert found[key] == pytest.approx(value), key


@given(st.integers(14, 40), st.integers(0, 39), st.floats(0.5, 0.9))
def test_one_bad_frame_does_not_become_a_phase(count: int, place: int, depth: float) -> None:
    cycle = 100 + 50 * np.cos(2 * np.pi * np.arange(count) / count)
    bad = place % count
    spoiled = cycle.copy()
    spoiled[bad] = cycle[bad] - 100 * depth
    phases = find_phases(spoiled)
    assert bad != phases.es
    assert phases.es is not None
    assert abs(phases.es - count / 2) <= 1.5


@given(st.integers(3, 40), st.floats(0.0, 1.0))
def test_a_healthy_short_systole_is_a_phase(count: int, offset: float) -> None:
    # A left ventricle of 150 and 60 ml that empties in a third of the beat, sampled anywhere.
    share = (np.arange(count) + offset) / count % 1
    points = [0, 0.05, 0.12, 0.2, 0.28, 0.35, 0.45, 0.52, 0.58, 0.65, 0.85, 0.92, 1]
    filled = [1, 0.97, 0.72, 0.38, 0.12, 0.0, 0.25, 0.55, 0.70, 0.75, 0.80, 0.92, 1]
    curve = 60 + 90 * np.interp(share, points, filled)
    assert jumping_frames(curve) == ()
    assert find_phases(curve).es == int(curve.argmin())
