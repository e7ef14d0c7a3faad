"""Corrections carried to neighbouring slices: what moves, what fades, what stays."""

from __future__ import annotations

import numpy as np
import pytest

from cardioseg.errors import GeometryError
from cardioseg.ops.shape_interpolation import propagate

PIXEL = (1.0, 1.0)


def disc(radius: float, value: int = 1, side: int = 41) -> np.ndarray:
    rows, columns = np.ogrid[:side, :side]
    centre = side // 2
    return np.uint8(value) * ((rows - centre) ** 2 + (columns - centre) ** 2 <= radius**2)


def stack(*slices: np.ndarray) -> np.ndarray:
    return np.stack(slices, axis=2).astype(np.uint8)


def radius_of(labels: np.ndarray) -> float:
    return float(np.sqrt(np.count_nonzero(labels) / np.pi))


def test_between_two_corrected_slices_the_radius_is_between_theirs() -> None:
    parent = stack(*[disc(5)] * 5)
    corrected = stack(disc(5), disc(8), disc(5), disc(14), disc(5))
    answer = propagate(parent, corrected, 2, PIXEL, reach=2)
    assert radius_of(answer[..., 2]) == pytest.approx(11, abs=0.3)
    assert (answer[..., 1] == corrected[..., 1]).all()
    assert (answer[..., 3] == corrected[..., 3]).all()


def test_one_corrected_slice_fades_with_distance() -> None:
    parent = stack(*[disc(6)] * 5)
    corrected = parent.copy()
    corrected[..., 0] = disc(12)
    answer = propagate(parent, corrected, 2, PIXEL, reach=2)
    radii = [radius_of(answer[..., k]) for k in range(5)]
    assert radii == pytest.approx([12, 10, 8, 6, 6], abs=0.5)


def test_neighbours_keep_their_own_shape() -> None:
    parent = stack(disc(6), disc(10), disc(3))
    corrected = parent.copy()
    corrected[..., 0] = disc(9)
    answer = propagate(parent, corrected, 2, PIXEL, reach=1)
    assert radius_of(answer[..., 1]) == pytest.approx(11.5, abs=0.4)
    assert (answer[..., 2] == parent[..., 2]).all()


def test_a_structure_drawn_anew_does_not_appear_where_it_is_not() -> None:
    parent = stack(disc(6), disc(6), disc(6))
    corrected = parent.copy()
    corrected[2:6, 2:6, 0] = 2
    answer = propagate(parent, corrected, 2, PIXEL, reach=2)
    assert not (answer[..., 1:] == 2).any()


def test_nothing_corrected_changes_nothing() -> None:
    parent = stack(disc(4), disc(6), disc(8))
    assert (propagate(parent, parent, 2, PIXEL) == parent).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_axis_gives_the_same_answer(axis: int) -> None:
    parent = stack(*[disc(6, side=21)] * 3)
    corrected = parent.copy()
    corrected[..., 0] = disc(9, side=21)
    expected = propagate(parent, corrected, 2, (1.0, 2.0))
    turned = [np.moveaxis(each, 2, axis) for each in (parent, corrected)]
    answer = propagate(*turned, axis, (1.0, 2.0))
    assert (np.moveaxis(answer, axis, 2) == expected).all()


def test_two_structures_move_together() -> None:
    wide = np.where(disc(9, 3) == 3, np.uint8(3), disc(13, 2)).astype(np.uint8)
    ring = np.where(disc(6, 3) == 3, np.uint8(3), disc(10, 2)).astype(np.uint8)
    parent = stack(ring, ring, ring)
    corrected = stack(wide, ring, wide)
    answer = propagate(parent, corrected, 2, PIXEL)
    assert (answer[..., 1] == wide).mean() > 0.99


def test_other_shapes_are_refused() -> None:
    with pytest.raises(GeometryError, match="differ in shape"):
        propagate(stack(disc(3)), stack(disc(3), disc(3)), 2, PIXEL)
