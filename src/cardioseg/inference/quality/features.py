"""What scores and mirrored passes tell about each structure: numbers from 0 to 1, high is good."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.engines.engine import Engine, Float32Array
from cardioseg.inference.predictor import BATCH_SIZE, Predictor
from cardioseg.prepare.plan import single_planes
from cardioseg.prepare.preparation import Preparation

Uint8Array = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]

FeatureName = Literal["overlap", "sureness", "kept", "mirrors"]

OVERLAP: Literal["overlap"] = "overlap"
SURENESS: Literal["sureness"] = "sureness"
KEPT: Literal["kept"] = "kept"
MIRRORS: Literal["mirrors"] = "mirrors"
"""Names of the features, as a calibration file names them."""

FEATURES: tuple[FeatureName, ...] = (OVERLAP, SURENESS, KEPT, MIRRORS)

TURNS = ((-1, 1), (1, -1), (-1, -1))
"""Steps along rows and columns of the mirrored passes: down, across, both."""

MARGIN = 16
"""Pixels around the heart that the mirrored passes see; 24 mm at 1.5 mm a pixel."""


def score_features(scores: Float32Array, labels: LabelMap) -> dict[str, dict[str, float]]:
    """What the scores of the prediction tell, by structure; costs no pass of the network.

    `overlap` is the Dice of scores against labels, which would be the expected Dice if the scores
    were true probabilities; `sureness` the mean score inside the structure; `kept` the share of
    the structure's most likely voxels that is still in the labels.

    Parameters
    ----------
    scores
        Probabilities (classes, I, J, K), background first.
    labels
        The answer that was made of them, on the same grid.
    """
    likely = np.asarray(scores.argmax(axis=0), np.uint8)
    answer = {}
    for structure in labels.scheme.structures:
        mask, score = labels.mask(structure.name), scores[structure.value]
        size, inside = int(mask.sum()), float(score[mask].sum(dtype=np.float64))
        found = int((likely == structure.value).sum())
        answer[structure.name] = {
            OVERLAP: 2 * inside / (float(score.sum(dtype=np.float64)) + size) if size else 0.0,
            SURENESS: inside / size if size else 0.0,
            KEPT: min(size / found, 1.0) if found else 0.0,
        }
    return answer


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
    rows = _span(marked.any(axis=(0, 2)), stride)
    columns = _span(marked.any(axis=(0, 1)), stride)
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
        engine(np.ascontiguousarray(slices[first : first + BATCH_SIZE, None])).argmax(axis=1)
        for first in range(0, len(slices), BATCH_SIZE)
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
