"""An appearance model: one set of parameters for shape and texture, and how to fit it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from cardioseg.baselines.appearance.pose import Pose
from cardioseg.baselines.appearance.texture import sample
from cardioseg.baselines.imaging import Floats
from cardioseg.baselines.stack import Float32Array
from cardioseg.errors import ModelError

ROUNDS = 8
"""Updates by each of the regressions; a start that gets no better ends earlier."""

STEPS = (1.0, 0.5, 0.25)
"""Shares of an update that are tried until the residual falls."""

WIDEST = 2.5
"""Parameters stay within this many standard deviations: shapes that training has seen."""


@dataclass(frozen=True, eq=False)
class AppearanceModel:
    """What was learnt from the slices of one third of the heart.

    Parameters
    ----------
    shape_mean, shape_modes
        Landmarks (n, 2) of the mean heart; what each parameter adds, (k, 2 n).
    texture_mean, texture_modes
        The same of the normalised texture, (t,) and (k, t).
    deviations
        Standard deviation of each parameter (k,).
    weights
        From landmarks to the texture's sample points (t, n).
    regressions
        From a texture residual and 1 to the update of parameters and pose (stages, k + 4, t + 1).
    limit
        Mean squared residual (1,) above which a slice shows no such heart.

    References
    ----------
    Cootes et al. 2001, doi:10.1109/34.927467; Bosch et al. 2002, doi:10.1109/TMI.2002.801163
    """

    shape_mean: Floats
    shape_modes: Floats
    texture_mean: Floats
    texture_modes: Floats
    deviations: Floats
    weights: Floats
    regressions: Floats
    limit: Floats

    def shape(self, parameters: Floats) -> Floats:
        """Landmarks (n, 2) in the model's frame."""
        return self.shape_mean + (parameters @ self.shape_modes).reshape(-1, 2)

    def texture(self, parameters: Floats) -> Floats:
        """Normalised texture (t,)."""
        return self.texture_mean + parameters @ self.texture_modes

    def residual(self, image: Float32Array, state: State) -> Floats:
        """The image's texture under a shape, minus the model's, (t,)."""
        points = self.weights @ state.pose.apply(self.shape(state.parameters))
        return sample(image, points) - self.texture(state.parameters)

    def moved(self, state: State, step: Floats) -> State:
        """The state after a step (k + 4,) of parameters and pose."""
        reach = WIDEST * self.deviations
        parameters = (state.parameters + step[:-4]).clip(-reach, reach)
        return State(parameters, state.pose.moved(step[-4:]))

    def start(self, pose: Pose) -> State:
        """The mean heart at a pose."""
        return State(np.zeros(len(self.deviations)), pose)


@dataclass(frozen=True, eq=False)
class State:
    """Parameters (k,) and pose of a model in an image."""

    parameters: Floats
    pose: Pose


@dataclass(frozen=True, eq=False)
class Fit:
    """Where a search ended, and the mean squared residual there."""

    state: State
    error: float


def fit_model(model: AppearanceModel, image: Float32Array, start: State) -> Fit:
    """Search from one start: regress an update on the residual, keep it if the residual falls.

    Parameters
    ----------
    model
        The model.
    image
        Smoothed intensities (rows, columns).
    start
        Where to begin.
    """
    state = start
    residual = model.residual(image, state)
    error = float(np.mean(residual**2))
    for regression in model.regressions:
        for _ in range(ROUNDS):
            step = regression @ np.append(residual, 1.0)
            tried = (model.moved(state, share * step) for share in STEPS)
            for candidate in tried:
                found = model.residual(image, candidate)
                if (better := float(np.mean(found**2))) < error:
                    state, residual, error = candidate, found, better
                    break
            else:
                break
    return Fit(state, error)


def to_arrays(model: AppearanceModel) -> dict[str, Float32Array]:
    """The model's arrays by name, as a folder stores them."""
    return {
        each.name: np.ascontiguousarray(getattr(model, each.name), np.float32)
        for each in fields(model)
    }


def from_arrays(arrays: dict[str, Float32Array], source: str) -> AppearanceModel:
    """A model of stored arrays.

    Raises
    ------
    ModelError
        If an array is missing or its shape does not fit the others.
    """
    missing = [each.name for each in fields(AppearanceModel) if each.name not in arrays]
    if missing:
        raise ModelError(f"{source}: array {missing[0]!r} is missing; fit the baseline again")
    model = AppearanceModel(
        **{each.name: arrays[each.name].astype(np.float64) for each in fields(AppearanceModel)}
    )
    points, texture, count = len(model.shape_mean), len(model.texture_mean), len(model.deviations)
    expected = {
        "shape_modes": (count, 2 * points),
        "texture_modes": (count, texture),
        "weights": (texture, points),
        "regressions": (len(model.regressions), count + 4, texture + 1),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ModelError(
                f"{source}: array {name!r} has shape {arrays[name].shape}, not {shape}"
            )
    return model
