"""What every engine is: slices in, scores out; and how many threads one may use."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux tells a container how much of the processors' time it has (control groups 2)."""


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
    """Cores that this process may use, at least 1: those it may run on, or the share of their time
    that its container has, where that is less; part of a core counts as one.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _quota() or cores)


def _quota() -> int | None:
    """Cores that a container's limit amounts to; None where there is none.

    References
    ----------
    https://docs.kernel.org/admin-guide/cgroup-v2.html, `cpu.max`: microseconds in each period.
    """
    try:
        microseconds, period = QUOTA.read_text(encoding="ascii").split()
        return max(1, math.ceil(int(microseconds) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max": no limit
        return None


def half_of_cores() -> int | None:
    """Threads for each of two engines that run at the same time; None if there is one core."""
    return usable_cores() // 2 or None
