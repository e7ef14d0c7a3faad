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


def heart(right: float = 5, muscle: float = 9, left: float = 6) -> np.ndarray:
    """One slice with ACDC's numbers, from radii: right ventricle 1, muscle 2, left ventricle 3."""
    rows, columns = np.ogrid[:64, :64]
    labels = np.zeros((64, 64), np.uint8)
    for value, radius, column in ((1, right, 14), (2, muscle, 38), (3, left, 38)):
        labels[(rows - 32) ** 2 + (columns - column) ** 2 < radius**2] = value
    return labels


@pytest.mark.parametrize(
    ("model", "person"),
    [
        (heart(right=0), heart()),
        (heart(), heart(right=0)),
        (heart(left=0), heart()),
        (heart(0, 0, 0), heart()),
        (heart(), heart(0, 0, 0)),
        (np.full((64, 64), 2, np.uint8), heart(0)),
    ],
    ids=["right added", "right erased", "left added", "gap filled", "all erased", "all muscle"],
)
def test_beside_a_structure_that_is_added_or_erased_all_stays(
    model: np.ndarray, person: np.ndarray
) -> None:
    parent = stack(heart(), heart(), model, heart(), heart(6, 10, 7))
    corrected = parent.copy()
    corrected[..., 2] = person
    assert (propagate(parent, corrected, 2, PIXEL) == corrected).all()


def test_what_moved_beside_a_structure_that_was_added_is_carried() -> None:
    parent = stack(heart(), heart(), heart(right=0), heart(), heart())
    corrected = parent.copy()
    corrected[..., 2] = heart(muscle=13, left=6)
    answer = propagate(parent, corrected, 2, PIXEL)
    assert (answer[..., 1] == 2).sum() > 1.3 * (parent[..., 1] == 2).sum()
    assert ((answer == 1) == (corrected == 1)).all()
    assert ((answer == 3) == (corrected == 3)).all()


def test_between_slices_of_which_one_lacks_a_structure_it_stays() -> None:
    parent = stack(heart(right=0), heart(right=4), heart(right=5))
    corrected = stack(heart(0, 11, 7), heart(right=4), heart(5, 11, 7))
    answer = propagate(parent, corrected, 2, PIXEL)
    assert (answer[..., 1] == heart(4, 11, 7)).all()


def test_a_gap_between_slices_drawn_by_hand_is_filled() -> None:
    empty = heart(0, 0, 0)
    parent, corrected = stack(empty, empty, empty), stack(heart(), empty, heart())
    assert (propagate(parent, corrected, 2, PIXEL)[..., 1] == heart()).all()


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
