"""What every engine is: slices in, scores out; and how many threads one may use."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]


class Engine(Protocol):
    """Runs one network."""

    @property
    def name(self) -> str:
        """`onnx`, `openvino` or `torch`."""
        ...

    def __call__(self, slices: Float32Array) -> Float32Array:
        """Scores (N, classes, H, W), softmax over classes, of slices (N, 1, H, W)."""
        ...


def usable_cores() -> int:
    """Cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def half_of_cores() -> int | None:
    """Threads for each of two engines that run at the same time; None if there is one core."""
    return usable_cores() // 2 or None
