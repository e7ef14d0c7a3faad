"""Seconds of several contenders, taken in turns in one run, and the ratios of those turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """Smallest, median and largest of several figures."""

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some figures, at least one."""
        return cls(min(values), median(values), max(values))

    def as_json(self, digits: int = 4) -> dict[str, float]:
        """The three figures, rounded."""
        return {name: round(value, digits) for name, value in asdict(self).items()}


def take_turns(
    contenders: Mapping[str, Callable[[], float]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Let every contender run once a round, so that what else the machine does hits all alike.

    Parameters
    ----------
    contenders
        Each runs once and answers its seconds.
    rounds
        Rounds that count.
    warm_up
        Rounds before them, which don't.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(warm_up + rounds):
        for name, run in contenders.items():
            taken = run()
            if round_number >= warm_up:
                seconds[name].append(taken)
    return seconds


def ratios(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """How many times as long the first took, round by round."""
    return Spread.of([a / b for a, b in zip(slow, fast, strict=True)])
