"""From features to an expected Dice: a small monotone regression, kept as JSON beside the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from cardioseg.errors import ModelError, first_problem
from cardioseg.inference.quality.features import FEATURES, MIRRORS, FeatureName
from cardioseg.model import QUALITY, Model
from cardioseg.prepare.plan import FrozenModel

Features = Mapping[str, float]

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

SOFTENING = 0.01
"""Added to both sides of a feature's odds, so that 0 and 1 stay finite."""

TOLERANCE = 0.05
"""Errors of the expected Dice above this count by their size and no longer by its square: a gross
failure that no feature shows must not lower what is expected of all the others."""

RIDGE = 1e-3
"""Keeps the weights of features that say the same from growing against each other."""


class Line(FrozenModel):
    """Expected Dice of one structure: logistic in the features' log odds.

    Parameters
    ----------
    intercept
        Of the logistic function's argument.
    weights
        At least 0 each, so that a better feature never lowers the expected Dice.
    error
        Mean absolute error of the expected Dice on patients left out of the fit.
    """

    intercept: Annotated[float, Field(allow_inf_nan=False)]
    weights: Mapping[FeatureName, Weight]
    error: Annotated[float, Field(ge=0, le=1)]

    def expected(self, features: Features) -> float:
        """Expected Dice, 0 to 1.

        Examples
        --------
        >>> line = Line(intercept=0.0, weights={"overlap": 1.0}, error=0.05)
        >>> round(line.expected({"overlap": 0.9}), 3)
        0.892
        """
        # A feature without weight need not be known: mirrors then are not measured.
        weighed = (w * log_odds(features[n]) for n, w in self.weights.items() if w)
        total = self.intercept + sum(weighed)
        return float(1 / (1 + np.exp(-total)))


class Calibration(FrozenModel):
    """The regressions of one model.

    Parameters
    ----------
    network
        Id of the model that was measured; the shipped one may be a later step of its training.
    data
        What it was measured on, in words.
    structures
        By name, as the model's label scheme has them.
    """

    format_version: Literal[1] = 1
    network: str
    data: str
    structures: Mapping[str, Line]

    @property
    def needs_mirrors(self) -> bool:
        """Whether the mirrored passes of the network are needed."""
        return any(line.weights.get(MIRRORS, 0) > 0 for line in self.structures.values())

    def expected(self, features: Mapping[str, Features]) -> dict[str, float]:
        """Expected Dice of each structure that there are features of."""
        return {
            name: line.expected(features[name])
            for name, line in self.structures.items()
            if name in features
        }

    def to_json(self) -> str:
        """Indented JSON, the inverse of :func:`read_calibration`."""
        return self.model_dump_json(indent=2) + "\n"


def read_calibration(text: str | bytes, source: str | Path = QUALITY) -> Calibration:
    """Read a calibration.

    Raises
    ------
    ModelError
        If the text is not JSON, a key is unknown or missing, or a weight is negative.
    """
    try:
        return Calibration.model_validate_json(text)
    except ValidationError as error:
        raise ModelError(
            f"{source}: not a valid calibration: {first_problem(error)}; install the model again"
        ) from error


def calibration_of(model: Model) -> Calibration | None:
    """The calibration in a model's folder; None where it has none."""
    path = model.folder / QUALITY
    return read_calibration(path.read_bytes(), path) if path.is_file() else None


def fitted_line(
    features: Sequence[Features],
    dice: Sequence[float],
    error: float = 0.0,
    names: Sequence[FeatureName] = FEATURES,
) -> Line:
    """The line with the least pseudo-Huber error of the Dice.

    Parameters
    ----------
    features
        One mapping of all features for each sample.
    dice
        The true Dice of each, 0 to 1.
    error
        Mean absolute error on patients left out, if it is known.
    names
        The features that the line may use.
    """
    from scipy.optimize import minimize

    table = np.array([[log_odds(each[name]) for name in names] for each in features])
    truth = np.asarray(dice, np.float64)

    def loss(weights: NDArray[np.float64]) -> float:
        expected = 1 / (1 + np.exp(-(weights[0] + table @ weights[1:])))
        error = np.sqrt(1 + ((expected - truth) / TOLERANCE) ** 2) - 1
        return float(2 * TOLERANCE * error.mean() + RIDGE * (weights[1:] ** 2).mean())

    start = np.full(len(names) + 1, 0.3)
    bounds = [(None, None), *[(0, None)] * len(names)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    weights = {name: float(w) for name, w in zip(names, found[1:], strict=True)}
    return Line(intercept=float(found[0]), weights=weights, error=error)


def log_odds(share: float) -> float:
    """Logarithm of the odds of a share, finite at 0 and 1.

    Examples
    --------
    >>> log_odds(0.5)
    0.0
    """
    return float(np.log((share + SOFTENING) / (1 - share + SOFTENING)))
