"""Seconds of several contenders, taken in turns in one run, and the ratios of those turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

WARM_UP = 2
"""Rounds that every contender runs before those that count."""


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


def spread_words(spread: Spread, digits: int = 2) -> str:
    """Smallest / median / largest.

    Examples
    --------
    >>> spread_words(Spread(1.0, 2.0, 3.456))
    '1.00 / 2.00 / 3.46'
    """
    return " / ".join(f"{value:.{digits}f}" for value in (spread.min, spread.median, spread.max))


def median_and_ends(spread: Spread, digits: int = 2) -> str:
    """The median, and in brackets smallest and largest where they differ.

    Examples
    --------
    >>> median_and_ends(Spread(1.0, 2.0, 3.456))
    '2.00 (1.00 to 3.46)'
    """
    low, middle, high = (f"{value:.{digits}f}" for value in (spread.min, spread.median, spread.max))
    return middle if low == high else f"{middle} ({low} to {high})"


def take_turns(
    contenders: Mapping[str, Callable[[], float]], rounds: int, warm_up: int = WARM_UP
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
