"""An engine that is told apart from what is done around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardioseg.engines.engine import Engine


@dataclass
class TimedEngine:
    """An engine that adds up the seconds of its network, and the slices and pixels it is given.

    Parameters
    ----------
    engine
        Does the work.
    clock
        Source of time in seconds: on the clock, or of the CPU.
    """

    engine: Engine
    clock: Callable[[], float] = time.perf_counter
    seconds: float = 0.0
    slices: int = 0
    pixels: int = 0

    @property
    def name(self) -> str:
        """The engine's own name."""
        return self.engine.name

    def __call__(self, slices: NDArray[np.float32]) -> NDArray[np.float32]:
        """The engine's answer."""
        started = self.clock()
        answer = self.engine(slices)
        self.seconds += self.clock() - started
        self.slices += len(slices)
        self.pixels += slices.size
        return answer
