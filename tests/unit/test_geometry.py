"""Grids: what is refused, and examples worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry, require_same_grid
from cardioseg.errors import GeometryError

SHAPE = (4, 5, 6)
SHEARED = np.array([[1.5, 0.75, 0, 0], [0, 1.5, 0, 0], [0, 0, 8, 0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize(
    ("shape", "affine", "words"),
    [
        ((4, 5), np.eye(4), r"three positive side lengths, not \(4, 5\)"),
        ((4, 5, 0), np.eye(4), "three positive side lengths"),
        ((4, 5, 2.5), np.eye(4), "three positive side lengths"),
        (SHAPE, np.eye(3), "a 4 x 4 matrix of finite numbers"),
        (SHAPE, np.diag([1, 1, np.nan, 1]), "a 4 x 4 matrix of finite numbers"),
        (SHAPE, np.diag([1, 1, np.inf, 1]), "a 4 x 4 matrix of finite numbers"),
        (SHAPE, np.diag([1, 1, 1, 2.0]), "last row must be 0 0 0 1"),
        (
            SHAPE,
            np.diag([1.5, 0, 8, 1]),
            r"spacing \(1.5, 0, 8\) mm: an axis of the grid has length 0",
        ),
        (SHAPE, np.diag([1, 1, 1, 1.0])[[0, 0, 2, 3]], "an axis of the grid has length 0|flat"),
        (SHAPE, [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "the grid is flat"),
    ],
)
def test_a_grid_that_cannot_be(shape: tuple[int, int, int], affine: np.ndarray, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        Geometry(shape, affine)


def test_a_grid_is_read_only_and_keeps_its_own_affine() -> None:
    affine = np.eye(4)
    grid = Geometry(SHAPE, affine)
    affine[0, 0] = 9
    assert grid.spacing == (1, 1, 1)
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 9


def test_shear_is_told_and_volume_is_not_the_product_of_spacings() -> None:
    grid = Geometry(SHAPE, SHEARED)
    assert not grid.is_orthogonal
    assert grid.shear == pytest.approx(np.cos(np.arctan2(1.5, 0.75)))
    assert grid.voxel_volume_mm3 == pytest.approx(1.5 * 1.5 * 8)
    assert np.prod(grid.spacing) > grid.voxel_volume_mm3


def test_the_diagonal_is_the_longest_way_between_voxel_centres() -> None:
    assert Geometry((4, 5, 1), np.diag([1.0, 1.0, 8.0, 1.0])).diagonal_mm == pytest.approx(5.0)
    assert Geometry((1, 1, 1), np.eye(4)).diagonal_mm == 0


def test_grids_of_different_shapes_are_infinitely_far_apart() -> None:
    assert Geometry((4, 5, 6), np.eye(4)).distance_mm(Geometry((4, 5, 7), np.eye(4))) == np.inf


def test_same_grid_is_a_distance_in_mm() -> None:
    grid = Geometry(SHAPE, np.eye(4))
    near, far = np.eye(4), np.eye(4)
    near[0, 3], far[0, 3] = 0.009, 0.011
    assert grid.is_same(Geometry(SHAPE, near))
    assert not grid.is_same(Geometry(SHAPE, far))
    assert grid.is_same(Geometry(SHAPE, far), tolerance_mm=0.1)


def test_different_grids_are_refused_with_both_and_their_distance() -> None:
    first, second = Geometry(SHAPE, np.eye(4)), Geometry(SHAPE, np.diag([1.0, 1.0, 2.0, 1.0]))
    require_same_grid(first, first, "labels and image")
    with pytest.raises(GeometryError) as told:
        require_same_grid(first, second, "case_07: labels and image")
    message = str(told.value)
    assert message.startswith("case_07: labels and image lie on different grids: 4 x 5 x 6 voxels")
    assert "of (1, 1, 1) mm, RAS against" in message
    assert "of (1, 1, 2) mm, RAS (corners up to 5 mm apart); re-export" in message
    with pytest.raises(GeometryError, match=r"against 4 x 5 x 7 voxels .* RAS; re-export"):
        require_same_grid(first, Geometry((4, 5, 7), np.eye(4)), "labels and image")
