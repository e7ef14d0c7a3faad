"""Random grids: oblique, mirrored, anisotropic, small."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from cardioseg.core.geometry import Geometry

ANGLES = st.floats(-np.pi, np.pi, allow_nan=False)
SPACINGS = st.floats(0.3, 12.0)
OFFSETS = st.floats(-300.0, 300.0)
SIDES = st.integers(1, 6)


def rotation(a: float, b: float, c: float) -> np.ndarray:
    """A rotation matrix from three angles, about z, y and x."""
    (ca, sa), (cb, sb), (cc, sc) = ((np.cos(x), np.sin(x)) for x in (a, b, c))
    z = np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]])
    y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    x = np.array([[1, 0, 0], [0, cc, -sc], [0, sc, cc]])
    return z @ y @ x


@st.composite
def grids(draw: st.DrawFn) -> Geometry:
    """An orthogonal grid anywhere, turned and mirrored in any way."""
    turn = rotation(draw(ANGLES), draw(ANGLES), draw(ANGLES))
    mirrors = np.array([draw(st.sampled_from((-1.0, 1.0))) for _ in range(3)])
    affine = np.eye(4)
    affine[:3, :3] = turn * (mirrors * [draw(SPACINGS) for _ in range(3)])
    affine[:3, 3] = [draw(OFFSETS) for _ in range(3)]
    return Geometry((draw(SIDES), draw(SIDES), draw(SIDES)), affine)


@st.composite
def sheared_grids(draw: st.DrawFn) -> Geometry:
    """A grid whose axes are not all perpendicular."""
    grid = draw(grids())
    change = np.eye(4)
    change[0, 1] = draw(st.floats(0.05, 0.4))
    return Geometry(grid.shape, grid.affine @ change)
