"""What the peers' arms share: seconds of a network's passes, reduced precision."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

import torch
from torch import nn


class Stopwatch:
    """Adds up the seconds of a network's forward passes.

    Parameters
    ----------
    network
        Watched from now on.
    """

    def __init__(self, network: nn.Module) -> None:
        self.seconds = 0.0
        self._started = 0.0
        network.register_forward_pre_hook(self._start)
        network.register_forward_hook(self._stop)

    def _start(self, *_: object) -> None:
        self._started = time.perf_counter()

    def _stop(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started


def autocast_bfloat16() -> AbstractContextManager[object]:
    """Convolutions in bfloat16 on the CPU."""
    return torch.autocast("cpu", dtype=torch.bfloat16)
