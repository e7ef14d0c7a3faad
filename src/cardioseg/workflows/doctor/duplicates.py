"""One scan under two names: equal content, or so alike that only one heart can be so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.volume import Volume

if TYPE_CHECKING:
    from cardioseg.workflows.doctor.look import Seen

SIDE, SECTIONS = 16, 5
# Not the thumbnail of `data.near`, which looks for copies that were cropped, noisy, mirrored or
# turned: it blurs away what every chest shares, gives nothing for an image of fewer pixels than its
# 32 cells a side, and lays two on each other in every way. Of whole scans under two names the
# doctor asks less, also of coarse images; equal content it tells by digests.

ALIKE = 0.85
"""Correlation of two coarse pictures above which they show one scan. ACDC: frames of one patient
0.90 or more, different patients at most 0.68."""


def likeness(image: Volume) -> NDArray[np.float32]:
    """A coarse picture of an image (SECTIONS * SIDE * SIDE,), zero mean, length 1.

    Storage order and scaling of the intensities leave it as it is where axes are only cut finer.
    """
    slices = np.moveaxis(image.array, image.geometry.shown_axis, 0)
    chosen = np.linspace(0, len(slices) - 1, SECTIONS).round().astype(int)
    coarse = np.stack([_blocks(slices[k]) for k in chosen]).ravel()
    coarse = coarse - coarse.mean()
    length = float(np.linalg.norm(coarse))
    picture: NDArray[np.float32] = (coarse / length if length else coarse).astype(np.float32)
    return picture


def _blocks(picture: NDArray[np.float32]) -> NDArray[np.float64]:
    """Means of SIDE x SIDE blocks that cover the picture."""
    matrices = [_averaging(length) for length in picture.shape]
    blocks: NDArray[np.float64] = matrices[0] @ picture @ matrices[1].T
    return blocks


def _averaging(length: int) -> NDArray[np.float64]:
    """Matrix (SIDE, length) of the overlap of each block with each pixel; rows sum to 1."""
    edges = np.linspace(0, length, SIDE + 1)
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights: NDArray[np.float64] = np.clip(overlap, 0, None) * (SIDE / length)
    return weights


def alike_pairs(seen: Sequence[Seen]) -> list[tuple[Seen, Seen, float]]:
    """Pairs of cases of different subjects that show one scan, with their likeness.

    1 is equal content, mirrored and turned copies included; else the correlation of the coarse
    pictures.
    """
    if not seen:
        return []
    table = np.stack([each.likeness for each in seen])
    alike = table @ table.T
    digests = np.array([each.digest for each in seen])
    subjects = np.array([each.case.subject for each in seen])
    equal = digests[:, None] == digests[None, :]
    found = (equal | (alike > ALIKE)) & (subjects[:, None] != subjects[None, :])
    return [
        (seen[i], seen[j], 1.0 if equal[i, j] else float(alike[i, j]))
        for i, j in np.argwhere(np.triu(found))
    ]
