"""A training budget in CPU seconds: how much is spent, and the learning rates that follow it."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable

POLY_EXPONENT = 0.9
"""nnU-Net's."""
SNAPSHOTS = 6
"""The peers' weights are kept so many times, to measure how soon a Dice is reached."""


def cpu_seconds() -> float:
    """CPU seconds of this process and of its descendants that live or were waited for.

    Training is paid in these: other work on the machine then takes wall time, but no steps.
    """
    import psutil

    total = sum(os.times()[:4])
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:4])
    return total


class Clock:
    """Counts steps until the budget is spent; the next step must still fit in.

    Parameters
    ----------
    budget_s
        Seconds of training, above 0.
    now
        Source of time in seconds.
    """

    def __init__(self, budget_s: float, now: Callable[[], float] = cpu_seconds) -> None:
        if budget_s <= 0:
            raise ValueError(f"a budget of {budget_s} s: give more than 0")
        self.budget_s, self.steps = budget_s, 0
        self._now = now
        self._started = now()
        self._step_started = self._started
        self._longest, self._stopped = 0.0, math.inf

    @property
    def spent_s(self) -> float:
        """Seconds from the making of the clock until now, or until it was stopped."""
        return min(self._now(), self._stopped) - self._started

    def stop(self) -> None:
        """End of training: what follows does not count."""
        self._stopped = self._now()

    @property
    def share(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        return min(self.spent_s / self.budget_s, 1.0)

    @property
    def parts(self) -> int:
        """How many of the budget's :data:`SNAPSHOTS` parts are spent."""
        return int(self.share * SNAPSHOTS)

    def has_time(self) -> bool:
        """Whether a step as long as the longest of late still fits; to be asked before each."""
        now = self._now()
        if self.steps:
            # A slow step of long ago (start-up) must not end the run early.
            self._longest = max(0.9 * self._longest, now - self._step_started)
        self._step_started = now
        fits = now + self._longest - self._started < self.budget_s
        self.steps += fits
        return fits


def poly(share: float) -> float:
    """nnU-Net's decay: 1 at the start, 0 at the end of the budget."""
    return (1 - share) ** POLY_EXPONENT


def cosine(share: float) -> float:
    """Half a cosine: 1 at the start, 0 at the end of the budget."""
    return 0.5 * (1 + math.cos(math.pi * share))
