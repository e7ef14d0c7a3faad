"""Shape-normalised texture: the same points of every heart, by a piecewise affine warp."""

from __future__ import annotations

import numpy as np

from cardioseg.baselines.appearance.landmarks import ENDOCARDIUM, EPICARDIUM, RIGHT
from cardioseg.baselines.imaging import Floats
from cardioseg.baselines.stack import Float32Array

SAMPLE_STEP = 2.0
"""Distance of texture samples in the mean shape, in working pixels: 3 mm."""

SURROUNDINGS = 1.3
"""The mesh reaches this far beyond epicardium and RV: what is around them says where they end."""


def warp_weights(mean: Floats) -> Floats:
    """Weights (samples, landmarks) that take landmarks to the texture's sample points.

    The mean shape's triangles cover the heart and its surroundings. A sample keeps its barycentric
    coordinates in its triangle whatever becomes of the landmarks: the warp is piecewise affine, and
    linear in the landmarks.

    Parameters
    ----------
    mean
        Landmarks (n, 2) of the mean shape.

    References
    ----------
    Cootes et al. 2001, doi:10.1109/34.927467
    """
    from scipy.spatial import Delaunay

    vertices = _vertices(len(mean))
    corners = vertices @ mean
    low, high = corners.min(axis=0), corners.max(axis=0)
    grid = np.stack(
        np.meshgrid(
            np.arange(low[0], high[0], SAMPLE_STEP),
            np.arange(low[1], high[1], SAMPLE_STEP),
            indexing="ij",
        ),
        axis=-1,
    ).reshape(-1, 2)
    mesh = Delaunay(corners)
    triangle = mesh.find_simplex(grid)
    grid, triangle = grid[triangle >= 0], triangle[triangle >= 0]
    change = mesh.transform[triangle]
    two = np.einsum("nij,nj->ni", change[:, :2], grid - change[:, 2])
    shares = np.column_stack([two, 1 - two.sum(axis=1)])
    weights: Floats = np.einsum("nt,ntv->nv", shares, vertices[mesh.simplices[triangle]])
    return weights


def sample(image: Float32Array, points: Floats) -> Floats:
    """Texture (n,) of an image at points (n, 2), with zero mean and unit variance."""
    from scipy import ndimage

    values = ndimage.map_coordinates(image, points.T, order=1, mode="nearest").astype(np.float64)
    deviation = values.std()
    texture: Floats = (values - values.mean()) / deviation if deviation > 0 else values * 0
    return texture


def _vertices(count: int) -> Floats:
    """Matrix (vertices, landmarks): the landmarks themselves, then a ring round LV and RV."""
    own = np.eye(count)
    rings = []
    for outline, inner in ((EPICARDIUM, ENDOCARDIUM), (RIGHT, RIGHT)):
        centre = own[inner].mean(axis=0)
        rings.append(centre + SURROUNDINGS * (own[outline] - centre))
    return np.concatenate([own, *rings])
