"""Random grids for property tests: oblique, mirrored, anisotropic, and sheared if asked for."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.ops.grid import Reorientation

STORAGE_ORDERS = tuple(
    Reorientation(axes, flips)
    for axes in permutations(range(3))
    for flips in product((False, True), repeat=3)
)
"""The 48 ways to store one array on one grid."""

storage_orders = st.sampled_from(STORAGE_ORDERS)


@st.composite
def grids(draw, sheared=False, sides=(1, 7), spacings=(0.5, 10.0)):
    """A grid of any pose, handedness and spacing."""
    shape = tuple(draw(st.integers(*sides)) for _ in range(3))
    angles = [draw(st.integers(-180, 180)) for _ in range(3)]
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    if draw(st.booleans()):
        axes = axes[:, ::-1]
    if sheared:
        bend = np.eye(3)
        bend[np.triu_indices(3, 1)] = [draw(st.floats(-0.6, 0.6)) for _ in range(3)]
        axes = axes @ bend
    affine = np.eye(4)
    affine[:3, :3] = axes * [draw(st.floats(*spacings)) for _ in range(3)]
    affine[:3, 3] = [draw(st.integers(-200, 200)) for _ in range(3)]
    return Geometry(shape, affine)


def rotated_grid(shape, spacing, degrees, axis="z"):
    """A grid turned about one world axis."""
    affine = np.eye(4)
    turn = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    affine[:3, :3] = turn * np.asarray(spacing)
    return Geometry(shape, affine)


def require_one_answer_in_every_order(predictor, image):
    """However the array is stored, the labels of each voxel are the same."""
    labels = predictor.predict(image).labels
    assert len(np.unique(labels.array)) >= 3
    for order in STORAGE_ORDERS:
        stored = Volume(order.apply(image.array), order.geometry(image.geometry))
        again = predictor.predict(stored).labels
        np.testing.assert_array_equal(again.array, order.apply(labels.array))
