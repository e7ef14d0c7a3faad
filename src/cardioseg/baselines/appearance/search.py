"""Segment a stack with the models of its thirds: many starts in one slice, then its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from cardioseg.baselines.appearance.landmarks import LV, MYOCARDIUM, RV, drawn
from cardioseg.baselines.appearance.model import AppearanceModel, Fit, State, fit_model
from cardioseg.baselines.appearance.pose import Pose
from cardioseg.baselines.cavities import find_lv
from cardioseg.baselines.imaging import Mask
from cardioseg.baselines.stack import PIXEL_MM, Float32Array, LabelArray
from cardioseg.baselines.wall import BLOOD_SHARE

Third = Literal["base", "mid", "apex"]
THIRDS: tuple[Third, ...] = get_args(Third)

SMOOTHING_SD = 1.0
"""Smoothing before texture is sampled, in working pixels."""

START_STEP_MM = 20.0
"""Distance of the starts on a grid round the expected place."""

START_TURNS = (0.0, -0.6, 0.6)
"""Angles of the starts at a blood pool that was found, in radians from the mean heart's."""


@dataclass(frozen=True, eq=False)
class ThirdModels:
    """A model for each third of the heart."""

    base: AppearanceModel
    mid: AppearanceModel
    apex: AppearanceModel

    def of(self, third: Third) -> AppearanceModel:
        """The model of one third."""
        return {"base": self.base, "mid": self.mid, "apex": self.apex}[third]


def thirds(areas: list[int]) -> dict[int, Third]:
    """Third of every slice that has an area; base is the end with more of it.

    Examples
    --------
    >>> thirds([0, 9, 8, 5, 2, 0])
    {1: 'base', 2: 'base', 3: 'mid', 4: 'apex'}
    """
    slices = [k for k, area in enumerate(areas) if area > 0]
    half = len(slices) // 2
    if sum(areas[k] for k in slices[:half]) < sum(areas[k] for k in slices[len(slices) - half :]):
        slices.reverse()
    share = 3 / max(len(slices), 1)
    named = {k: THIRDS[int(rank * share)] for rank, k in enumerate(slices)}
    return dict(sorted(named.items()))


def smoothed(slices: Float32Array) -> Float32Array:
    """Slices as textures are sampled from."""
    from scipy import ndimage

    answer: Float32Array = ndimage.gaussian_filter(slices, (0, SMOOTHING_SD, SMOOTHING_SD))
    return answer


def segment_short_axis(
    slices: Float32Array, expected: tuple[float, float], models: ThirdModels
) -> LabelArray:
    """Labels (scheme `acdc`) of a short-axis stack.

    The middle slice is searched from a grid of starts round the expected place and from the round
    blood pool, if there is one; its neighbours also from where the last one ended. Slices in which
    the model explains the image badly stay empty.

    Parameters
    ----------
    slices
        Intensities of the heart region (slices, rows, columns).
    expected
        Pixel (row, column) where the LV is expected.
    models
        A model for each third.

    Returns
    -------
    labels
        (slices, rows, columns) uint8.
    """
    labels = np.zeros(slices.shape, np.uint8)
    pools = find_lv(slices, expected)
    if pools is None:
        return labels
    named = thirds(pools.sum(axis=(1, 2)).tolist())
    images = smoothed(slices)
    order = sorted(named)
    middle = len(order) // 2
    fits: dict[int, Fit] = {}
    for walk in (order[middle:], order[:middle][::-1]):
        last = fits.get(order[middle])
        for k in walk:
            starts = _starts(pools[k], expected, last)
            last = _best(models.of(named[k]), images[k], starts)
            fits[k] = last
    for k, fit in fits.items():
        model = models.of(named[k])
        if fit.error <= float(model.limit[0]):
            labels[k] = _labelled(slices[k], model, fit.state)
    return labels


def _starts(pool: Mask, expected: tuple[float, float], last: Fit | None) -> list[Pose]:
    middle = np.argwhere(pool).mean(axis=0)
    at_pool = complex(middle[0], middle[1])
    starts = [Pose(complex(np.exp(1j * angle)), at_pool) for angle in START_TURNS]
    if last is not None:
        turn = last.state.pose.turn
        return [*starts, last.state.pose, Pose(turn, at_pool)]
    step = START_STEP_MM / PIXEL_MM
    grid = [complex(row, column) * step for row in (-1, 0, 1) for column in (-1, 0, 1)]
    return starts + [Pose(1 + 0j, complex(*expected) + away) for away in grid]


def _best(model: AppearanceModel, image: Float32Array, starts: list[Pose]) -> Fit:
    fits = [fit_model(model, image, model.start(pose)) for pose in starts]
    return min(fits, key=lambda fit: fit.error)


def _labelled(image: Float32Array, model: AppearanceModel, state: State) -> LabelArray:
    """The fitted shape as labels; an RV as dark as muscle is none."""
    points = state.pose.apply(model.shape(state.parameters))
    lv, heart, rv = drawn(points, (image.shape[0], image.shape[1]))
    wall = heart & ~lv
    labels = np.zeros(image.shape, np.uint8)
    if not (lv.any() and wall.any()):
        return labels
    blood, muscle = float(np.median(image[lv])), float(np.median(image[wall]))
    if rv.any() and np.median(image[rv]) > muscle + BLOOD_SHARE * (blood - muscle):
        labels[rv] = RV
    labels[wall] = MYOCARDIUM
    labels[lv] = LV
    return labels
