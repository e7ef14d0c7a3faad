"""A label map of a heart put into a synthetic thorax in the place of its own heart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from cardioseg.core.case import Case
from cardioseg.core.geometry import Float64Array
from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap
from cardioseg.errors import LabelError
from cardioseg.ops.grid import reorientation
from cardioseg.phantom.congenital import draw_congenital_heart
from cardioseg.phantom.details import BLOOD, MUSCLE
from cardioseg.phantom.grids import whole_heart_grid
from cardioseg.phantom.organs import draw_thorax
from cardioseg.phantom.resizing import (
    cubic_grid,
    enlarged,
    finer,
    grown,
    middle,
    moved,
    part,
    scaled,
)
from cardioseg.phantom.scene import rasterise
from cardioseg.phantom.setting import TRAINING, Setting
from cardioseg.phantom.tissue import Tissue, TissueMap
from cardioseg.phantom.warp import warped
from cardioseg.phantom.whole_heart import cropped, heart_labels, lazy_case

WALL_MM = (0.8, 3.0)
"""Range of the coat that keeps a heart's blood apart from the lung, where no wall is labelled."""


def implanted(labels: LabelMap, body: TissueMap, rng: np.random.Generator) -> TissueMap:
    """The tissues of `body` with its heart replaced by a label map on the same grid.

    Parameters
    ----------
    labels
        Scheme `myocardium_blood`.
    body
        A phantom with heart and thorax; its chambers say which blood is which.
    rng
        Source of randomness: whether vessels of the body that end at the label map go on, and the
        coat around the heart.

    Raises
    ------
    LabelError
        If the labels have another scheme or hold no heart.
    """
    if labels.scheme != MYOCARDIUM_BLOOD or not labels.array.any():
        raise LabelError(
            f"a heart to implant has labels of scheme {MYOCARDIUM_BLOOD.name}, myocardium and "
            f"blood pool; these have {labels.scheme.name}, highest value {labels.array.max()}"
        )
    kind = body.array
    heart = np.isin(kind, (*MUSCLE, *BLOOD))
    answer = _nearest(kind, ~heart)
    vessels = np.isin(kind, (Tissue.AORTA, Tissue.PULMONARY_ARTERY, Tissue.SVC, Tissue.IVC))
    spacing = labels.geometry.spacing
    marked = labels.array > 0
    away = distance_transform_edt(~marked, sampling=spacing).astype(np.float32)
    if rng.random() < 0.7:
        answer[vessels & (away > rng.uniform(2, 6))] = Tissue.SMALL_VESSEL
    coat = (Tissue.FAT, Tissue.MUSCLE)[int(rng.random() < 0.4)]
    answer[away <= rng.uniform(*WALL_MM)] = coat
    blood = labels.array == MYOCARDIUM_BLOOD.structure("blood pool").value
    answer[blood] = _nearest(kind, np.isin(kind, BLOOD))[blood]
    muscle = labels.array == MYOCARDIUM_BLOOD.structure("myocardium").value
    answer[muscle] = Tissue.MYOCARDIUM
    return TissueMap(answer, body.geometry)


def draw_implanted(
    box: LabelMap, rng: np.random.Generator, setting: Setting = TRAINING
) -> TissueMap:
    """A label map, randomly deformed and resized, in a random thorax, on the grid of a scan.

    Parameters
    ----------
    box
        A heart as `heart_box` cuts it out.
    rng
        Source of randomness.
    setting
        How far the results differ.
    """
    heart, thorax = draw_congenital_heart(rng), draw_thorax(rng)
    spacing, growth = float(rng.uniform(1.1, 1.4)), float(np.exp(rng.normal(0, 0.12)))
    scene = grown(whole_heart_grid(heart, spacing), np.full(3, round(50 / spacing)))
    low, high = _extent(heart_labels(rasterise(heart, finer(scene, 0.3))))
    extent = np.multiply(box.array.shape, box.geometry.spacing)
    size = growth * float(np.linalg.norm(extent) / np.linalg.norm(high - low))
    body = rasterise(heart, finer(scene, 1.25 * size), thorax)
    grid = cubic_grid(box.geometry, growth * extent + rng.uniform(20, 50), spacing)
    way = middle(grid) - size * (low + high) / 2
    shifted = moved(scaled(body.geometry, size), way)
    around = warped(body.array, shifted, grid, setting, rng)
    held = warped(box.array, enlarged(box.geometry, growth), grid, setting, rng)
    implant = LabelMap(held, grid, MYOCARDIUM_BLOOD)
    whole = implanted(implant, TissueMap(around, grid), rng)
    return whole if rng.random() < setting.full_share else cropped(whole, rng)


def implanted_case(
    sources: Sequence[tuple[str, LabelMap]], seed: int, index: int, setting: Setting = TRAINING
) -> Case:
    """A synthetic scan of one of several label maps, taken in turn; made when asked for.

    Parameters
    ----------
    sources
        Names and hearts (see `heart_box`); the name is the subject, since scans of one heart must
        not part.
    seed, index
        Name the scan: the same two give the same bytes.
    setting
        How far scans differ.
    """
    name, box = sources[index % len(sources)]
    return lazy_case(
        f"{name}_frame{index:04d}",
        name,
        partial(draw_implanted, box, setting=setting),
        (seed, index, 8),
        setting,
    )


def heart_box(labels: LabelMap) -> LabelMap:
    """The labelled part of a label map, one voxel of background around it, stored as P-I-R.

    Raises
    ------
    LabelError
        If nothing is labelled.
    """
    turn = reorientation(labels.geometry, "PIR")
    array, geometry = turn.apply(labels.array), turn.geometry(labels.geometry)
    found = np.nonzero(array)
    if not len(found[0]):
        raise LabelError("a heart to implant has labels; this map is empty")
    low = np.array([axis.min() for axis in found])
    high = np.array([axis.max() + 1 for axis in found])
    box = array[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]
    return LabelMap(np.pad(box, 1), part(geometry, low - 1, high + 1), labels.scheme)


def _extent(labels: LabelMap) -> tuple[Float64Array, Float64Array]:
    """Lowest and highest corner, RAS+ mm, of what is labelled (axes along the patient's)."""
    corners = labels.geometry.to_world(np.argwhere(labels.array))
    return corners.min(axis=0), corners.max(axis=0)


def _nearest(kind: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """At each voxel the nearest kind among those voxels."""
    index = distance_transform_edt(~where, return_distances=False, return_indices=True)
    answer: NDArray[np.uint8] = kind[tuple(index)]
    return answer
