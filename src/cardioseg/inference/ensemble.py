"""Averages of several answers to one question."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from cardioseg.engines.engine import Engine, Float32Array


@dataclass(frozen=True)
class Mirrored:
    """An engine whose scores are the mean over the four mirrorings of a slice."""

    engine: Engine

    @property
    def name(self) -> str:
        """The inner engine's name."""
        return self.engine.name

    def __call__(self, slices: Float32Array) -> Float32Array:
        """Scores (N, classes, H, W) of slices (N, 1, H, W)."""
        answers = []
        for rows, columns in product((1, -1), repeat=2):
            turned = np.ascontiguousarray(slices[..., ::rows, ::columns])
            answers.append(self.engine(turned)[..., ::rows, ::columns])
        mean: Float32Array = np.mean(answers, axis=0, dtype=np.float32)
        return mean
