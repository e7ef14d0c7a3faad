"""Near copies: a small picture of each image, alike for noise, rescaling, mirroring and turning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.volume import Volume
from cardioseg.ops.resample import interpolation_matrix

Float32Array = NDArray[np.float32]

STACK, PICTURE, ISOTROPIC = (32, 32, 8), (64, 64, 1), (20, 20, 20)
"""Cells of a thumbnail: of a stack (slices last), of a single picture, of voxels without a longest
side."""

NEAR = 0.8
"""Correlation of two thumbnails from which they count as one scan. On the 160 frames of 80 patients
of ACDC, ED and ES of one patient have at least 0.825, and two patients at most 0.47, save two that
are one person; a copy with noise or other voxels has 0.99, one cropped by 6 voxels 0.89."""

_BLUR_CELLS = 2.0
"""What is coarser is every chest's; what is left is this one's."""

_BLOCK = 256


def thumbnail(volume: Volume) -> Float32Array:
    """The image on a few cells, its coarse shading taken away, of mean 0 and length 1.

    An image of one value, or with fewer pixels in its plane than there are cells (too coarse to
    tell one chest from another), gives zeros, which are near to nothing.

    Examples
    --------
    >>> from cardioseg.core.geometry import Geometry
    >>> grid = Geometry((40, 36, 9), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> image = np.random.default_rng(0).random((40, 36, 9), np.float32)
    >>> found = thumbnail(Volume(image, grid))
    >>> found.shape, round(float(np.linalg.norm(found)), 3)
    ((32, 32, 8), 1.0)
    """
    from scipy import ndimage  # slow to import

    axis = volume.geometry.native_axis
    array = volume.array if axis is None else np.moveaxis(volume.array, axis, -1)
    cells = ISOTROPIC if axis is None else PICTURE if array.shape[-1] == 1 else STACK
    needed = cells if axis is None else cells[:2]
    if any(length < count for length, count in zip(array.shape, needed, strict=False)):
        return np.zeros(cells, np.float32)
    small = array
    for each, count in enumerate(cells):
        length = array.shape[each]
        positions = ((np.arange(count) + 0.5) * (length / count) - 0.5).astype(np.float32)
        matrix = interpolation_matrix(positions, length)
        small = np.moveaxis(np.tensordot(matrix, small, (1, each)), 0, each)
    blurs = [_BLUR_CELLS if axis is None or each < 2 else 0.0 for each in range(3)]
    fine = small - ndimage.gaussian_filter(small, blurs, mode="nearest")
    fine = fine - fine.mean()
    length_of = float(np.linalg.norm(fine))
    flat = length_of <= 1e-5 * float(np.linalg.norm(small))
    return np.zeros(cells, np.float32) if flat else (fine / length_of).astype(np.float32)


def near_pairs(
    first: Sequence[Float32Array], second: Sequence[Float32Array]
) -> Iterator[tuple[int, int]]:
    """Positions of the thumbnails of two lists that show one scan, however mirrored or turned."""
    for cells in sorted({each.shape for each in first}):
        rows, columns = (
            [n for n, each in enumerate(thumbnails) if each.shape == cells]
            for thumbnails in (first, second)
        )
        if not columns:
            continue
        others = np.stack([second[n] for n in columns])
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            best = _best(np.stack([first[n] for n in block]), others)
            for i, j in zip(*np.nonzero(best >= NEAR), strict=True):
                yield block[int(i)], columns[int(j)]


def _best(some: Float32Array, others: Float32Array) -> Float32Array:
    """Highest correlation of each with each over all ways to lay one on the other."""
    flat = others.reshape(len(others), -1)
    best = np.full((len(some), len(others)), -1.0, np.float32)
    for turned in _laid(some):
        np.maximum(best, turned.reshape(len(some), -1) @ flat.T, out=best)
    return best


def _laid(some: Float32Array) -> Iterator[Float32Array]:
    """The thumbnails in every order and direction of axes that keeps their shape."""
    shape = some.shape[1:]
    for order in permutations(range(3)):
        if tuple(shape[axis] for axis in order) != shape:
            continue
        ordered = some.transpose(0, *(axis + 1 for axis in order))
        flips = [(1, -1) if length > 1 else (1,) for length in shape]
        for i, j, k in product(*flips):
            yield np.ascontiguousarray(ordered[:, ::i, ::j, ::k])
