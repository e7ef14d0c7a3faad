"""A share of the inputs: several processes or machines each take one, and every input is in one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from cardioseg.errors import ConfigError

Item = TypeVar("Item")
_FORM = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """Share `number` of `count`, counted from 1.

    Examples
    --------
    >>> [Shard(number, 2).of("abcde") for number in (1, 2)]
    [('a', 'c', 'e'), ('b', 'd')]
    """

    number: int
    count: int

    @property
    def name(self) -> str:
        """As files are named after it: `3-of-8`."""
        return f"{self.number}-of-{self.count}"

    def of(self, inputs: Sequence[Item]) -> tuple[Item, ...]:
        """Every `count`-th input, by their order: neighbours, which often are alike, are spread.

        Of fewer inputs than shares, the last shares have none.
        """
        return tuple(inputs[self.number - 1 :: self.count])


def shard_named(words: str) -> Shard:
    """The share that `K/N` means.

    Raises
    ------
    ConfigError
        If it has another form, or K is not between 1 and N.

    Examples
    --------
    >>> shard_named("3/8")
    Shard(number=3, count=8)
    """
    match = _FORM.fullmatch(words)
    if not match:
        raise ConfigError(f"--shard {words}: not K/N, such as 3/8 for the third of eight shares")
    number, count = int(match[1]), int(match[2])
    if not 1 <= number <= count:
        raise ConfigError(f"--shard {words}: shares are numbered 1 to {count}; choose one of them")
    return Shard(number, count)
