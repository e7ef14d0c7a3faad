"""What scores and mirrored passes tell about each structure: numbers from 0 to 1, high is good."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.engines.engine import Engine, Float32Array
from cardioseg.inference.predictor import Predictor
from cardioseg.inference.window import LARGEST_BATCH
from cardioseg.prepare.plan import single_planes
from cardioseg.prepare.preparation import Preparation

Uint8Array = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]

FeatureName = Literal["overlap", "whole", "mirrors"]

OVERLAP: Literal["overlap"] = "overlap"
WHOLE: Literal["whole"] = "whole"
MIRRORS: Literal["mirrors"] = "mirrors"
"""Names of the features, as a calibration file names them."""

FEATURES: tuple[FeatureName, ...] = (OVERLAP, WHOLE, MIRRORS)

TURNS = ((-1, 1), (1, -1), (-1, -1))
"""Steps along rows and columns of the mirrored passes: down, across, both."""

NEAR_MM = 15.0
"""Scores farther than this from the heart's bounding box don't count in `overlap`."""

MARGIN = 16
"""Pixels around the heart that the mirrored passes see; 24 mm at 1.5 mm a pixel."""


def score_features(scores: Float32Array, labels: LabelMap) -> dict[str, dict[str, float]]:
    """What the scores of the prediction tell, by structure; costs no pass of the network.

    `overlap` is the Dice of the scores around the heart against the labels, which would be the
    expected Dice if the scores were true probabilities; loose pieces that were dropped don't count
    in it. `whole` is the share of everything that the network took for heart that is in the
    labels, the same for each structure.

    Parameters
    ----------
    scores
        Probabilities (classes, I, J, K), background first.
    labels
        The answer that was made of them, on the same grid.
    """
    likely = np.asarray(scores.argmax(axis=0), np.uint8)
    near = _box(labels)
    counted = ~((likely > 0) & (labels.array == 0))[near]
    found, left = int(np.count_nonzero(likely)), int(np.count_nonzero(labels.array))
    whole = min(left / found, 1.0) if found else 0.0
    answer = {}
    for structure in labels.scheme.structures:
        mask, score = labels.mask(structure.name), scores[structure.value]
        inside = float(score[mask].sum(dtype=np.float64))
        around = float(score[near][counted].sum(dtype=np.float64))
        overlap = 2 * inside / (around + int(mask.sum())) if mask.any() else 0.0
        answer[structure.name] = {OVERLAP: overlap, WHOLE: whole}
    return answer


def _box(labels: LabelMap) -> tuple[slice, ...]:
    """The voxels around the heart, `NEAR_MM` on every side."""
    box = []
    for axis, spacing in enumerate(labels.geometry.spacing):
        others = tuple(each for each in range(3) if each != axis)
        found = np.flatnonzero(labels.array.any(axis=others))
        margin = math.ceil(NEAR_MM / spacing)
        first, last = (found[0], found[-1]) if len(found) else (0, 0)
        box.append(slice(max(int(first) - margin, 0), int(last) + 1 + margin))
    return tuple(box)


def mirror_features(predictor: Predictor, volume: Volume, labels: LabelMap) -> dict[str, float]:
    """Mean Dice of the labels with the network's answers on the mirrored heart, by structure.

    Only the slices with labels and a box around the heart are read again, mirrored down, across
    and both: less work together than the prediction was. Of several planes the first is read.
    """
    plane = single_planes(predictor.used_plane)[0]
    preparation = Preparation(volume.geometry, predictor.model.plan, plane)
    marked = preparation.label_slices(labels)
    used = np.flatnonzero(marked.any(axis=(1, 2)))
    if not len(used):
        return dict.fromkeys((each.name for each in labels.scheme.structures), 0.0)
    stride = predictor.model.plan.network.stride
    rows = _span(np.asarray(marked.any(axis=(0, 2))), stride)
    columns = _span(np.asarray(marked.any(axis=(0, 1))), stride)
    slices = preparation.slices(volume)[used][:, rows, columns]
    return _agreement(predictor.engine, slices, marked[used][:, rows, columns], labels.scheme)


def _agreement(
    engine: Engine, slices: Float32Array, marked: Uint8Array, scheme: LabelScheme
) -> dict[str, float]:
    total = dict.fromkeys((each.name for each in scheme.structures), 0.0)
    for down, across in TURNS:
        found = _most_likely(engine, slices[:, ::down, ::across])[:, ::down, ::across]
        for each in scheme.structures:
            total[each.name] += _dice(found == each.value, marked == each.value)
    return {name: value / len(TURNS) for name, value in total.items()}


def _most_likely(engine: Engine, slices: Float32Array) -> NDArray[np.intp]:
    parts = [
        engine(np.ascontiguousarray(slices[first : first + LARGEST_BATCH, None])).argmax(axis=1)
        for first in range(0, len(slices), LARGEST_BATCH)
    ]
    return np.concatenate(parts)


def _dice(found: BoolArray, marked: BoolArray) -> float:
    """Dice of two masks; 0 where there is no structure to agree about."""
    total = int(found.sum()) + int(marked.sum())
    return 2 * int((found & marked).sum()) / total if total else 0.0


def _span(taken: BoolArray, stride: int) -> slice:
    """The pixels that hold something with a margin around them, as many as the network can read."""
    found = np.flatnonzero(taken)
    first, last = int(found[0]) - MARGIN, int(found[-1]) + 1 + MARGIN
    side = min(-(-(last - first) // stride) * stride, len(taken))
    start = min(max((first + last - side) // 2, 0), len(taken) - side)
    return slice(start, start + side)
