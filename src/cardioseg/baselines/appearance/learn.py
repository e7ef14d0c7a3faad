"""Learn an appearance model from labelled slices: align, find components, learn to correct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cardioseg.baselines.appearance.components import components
from cardioseg.baselines.appearance.landmarks import ENDOCARDIUM
from cardioseg.baselines.appearance.model import AppearanceModel, State, fit_model
from cardioseg.baselines.appearance.pose import Pose, aligned_mean, best_pose
from cardioseg.baselines.appearance.texture import sample, warp_weights
from cardioseg.baselines.imaging import Floats
from cardioseg.baselines.stack import Float32Array
from cardioseg.errors import DatasetError

SHAPE_SHARE, TEXTURE_SHARE, COMBINED_SHARE = 0.99, 0.90, 0.98
"""Shares of variance kept."""

FEWEST = 4
"""Fewer slices than this make no model."""

PERTURBATIONS = 12
"""Displacements from which each training slice teaches the way back, for each regression."""

STAGES = (1.0, 0.5, 0.25)
"""Sizes of the displacements of the regressions, from the first search to the last touch."""

DISPLACEMENT = np.array([0.15, 0.3, 5.0, 5.0])
"""Standard deviations of the largest: log scale, angle (radians), row and column (pixels)."""

RIDGE = 0.02
"""Weight of the regression's penalty, as a share of the residuals' mean variance."""

LIMIT_QUANTILE, LIMIT_FACTOR = 0.98, 1.2
"""A slice counts as a heart if it fits up to a little worse than nearly all training slices."""


@dataclass(frozen=True, eq=False)
class Example:
    """A training slice: smoothed intensities (rows, columns) and landmarks (n, 2)."""

    image: Float32Array
    points: Floats


def learn_model(examples: Sequence[Example], rng: np.random.Generator) -> AppearanceModel:
    """A model of one third of the heart.

    Parameters
    ----------
    examples
        Training slices, at least four.
    rng
        Draws the displacements that teach the regressions.

    Raises
    ------
    DatasetError
        If there are too few slices.
    """
    if len(examples) < FEWEST:
        raise DatasetError(
            f"an appearance model needs at least {FEWEST} training slices in each third of the "
            f"heart with RV, myocardium and LV, found {len(examples)}; add training cases"
        )
    mean = aligned_mean([each.points for each in examples], ENDOCARDIUM)
    poses = [best_pose(mean, each.points) for each in examples]
    frames = [pose.invert(each.points) for pose, each in zip(poses, examples, strict=True)]
    weights = warp_weights(mean)
    shapes = np.array([frame.ravel() for frame in frames])
    textures = np.array([sample(each.image, weights @ each.points) for each in examples])
    model, parameters = _combined(shapes, textures, weights)
    states = [State(each, pose) for each, pose in zip(parameters, poses, strict=True)]
    regressions = [_regression(model, examples, states, size, rng) for size in STAGES]
    model = replace(model, regressions=np.array(regressions))
    fitted = [
        fit_model(model, each.image, model.start(state.pose)).error
        for each, state in zip(examples, states, strict=True)
    ]
    return replace(
        model, limit=np.array([LIMIT_FACTOR * float(np.quantile(fitted, LIMIT_QUANTILE))])
    )


def encode(model: AppearanceModel, example: Example) -> State:
    """Parameters and pose that come closest to a labelled slice.

    Shape and texture modes together, by least squares, both as heavy as in training.
    """
    pose = best_pose(model.shape_mean, example.points)
    shape = (pose.invert(example.points) - model.shape_mean).ravel()
    texture = sample(example.image, model.weights @ example.points) - model.texture_mean
    heavy = _shape_weight(model.shape_modes, model.texture_modes, model.deviations)
    modes = np.hstack([heavy * model.shape_modes, model.texture_modes])
    target = np.concatenate([heavy * shape, texture])
    return State(np.linalg.lstsq(modes.T, target, rcond=None)[0], pose)


def _shape_weight(shape_modes: Floats, texture_modes: Floats, deviations: Floats) -> float:
    spread = [float(np.sum((deviations[:, None] * m) ** 2)) for m in (shape_modes, texture_modes)]
    return float(np.sqrt(spread[1] / spread[0])) if spread[0] > 0 else 1.0


def _combined(shapes: Floats, textures: Floats, weights: Floats) -> tuple[AppearanceModel, Floats]:
    """A model without regressions, and the parameters (m, k) of the training slices."""
    shape, texture = components(shapes, SHAPE_SHARE), components(textures, TEXTURE_SHARE)
    spread = np.sum(shape.deviations**2), np.sum(texture.deviations**2)
    heavy = float(np.sqrt(spread[1] / spread[0])) if spread[0] > 0 else 1.0
    joint = np.hstack([heavy * shape.encode(shapes), texture.encode(textures)])
    both = components(joint, COMBINED_SHARE)
    count = len(shape.deviations)
    model = AppearanceModel(
        shape_mean=shape.mean.reshape(-1, 2),
        shape_modes=both.modes[:, :count] @ shape.modes / heavy,
        texture_mean=texture.mean,
        texture_modes=both.modes[:, count:] @ texture.modes,
        deviations=both.deviations,
        weights=weights,
        regressions=np.empty((0, len(both.deviations) + 4, len(texture.mean) + 1)),
        limit=np.array([np.inf]),
    )
    return model, both.encode(joint)


def _regression(
    model: AppearanceModel,
    examples: Sequence[Example],
    states: Sequence[State],
    size: float,
    rng: np.random.Generator,
) -> Floats:
    """Matrix (k + 4, t + 1) from residual and 1 to the step back to where the heart is."""
    residuals, steps = [], []
    for example, state in zip(examples, states, strict=True):
        for _ in range(PERTURBATIONS):
            away = _displaced(model, state, size, rng)
            residuals.append(np.append(model.residual(example.image, away), 1.0))
            back = away.pose.step_to(state.pose)
            steps.append(np.concatenate([state.parameters - away.parameters, back]))
    rows, targets = np.array(residuals), np.array(steps)
    gram = rows.T @ rows
    penalty = RIDGE * np.trace(gram) / len(gram)
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), rows.T @ targets).T


def _displaced(
    model: AppearanceModel, state: State, size: float, rng: np.random.Generator
) -> State:
    """A state that a search could start from: partly forgotten parameters, another pose."""
    forgotten = state.parameters * (1 - size * rng.uniform(0.5, 1))
    parameters = forgotten + 0.3 * size * rng.normal(size=len(forgotten)) * model.deviations
    displacement = DISPLACEMENT * np.array(
        [1, 1, 1 / abs(state.pose.turn), 1 / abs(state.pose.turn)]
    )
    pose: Pose = state.pose.moved(size * rng.normal(size=4) * displacement)
    return State(parameters, pose)
