"""Which weights of a run count: the best so far after all its epochs, or within a CPU time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.training.fit import LOG

History = Sequence[Mapping[str, float]]
"""One record an epoch, as in log.jsonl."""


@dataclass(frozen=True)
class Stand:
    """A run as it stood at some time.

    Parameters
    ----------
    epoch
        The epoch whose weights validated best so far.
    trained
        Epochs trained until then.
    dice
        Its validation Dice.
    cpu_seconds
        CPU time of the epochs trained, of all threads; validation is part of it.
    """

    epoch: int
    trained: int
    dice: float
    cpu_seconds: float


def stand(history: History, cpu_seconds: float | None = None) -> Stand | None:
    """The best validated epoch among those that fit into a CPU time; None where there is none.

    Parameters
    ----------
    history
        Records of the epochs, in order.
    cpu_seconds
        The limit; None takes all epochs.

    Examples
    --------
    >>> history = [{"epoch": n, "dice": d, "cpu_seconds": 10.0} for n, d in ((1, 0.5), (2, 0.4))]
    >>> stand(history), stand(history, 5.0)
    (Stand(epoch=1, trained=2, dice=0.5, cpu_seconds=20.0), None)
    """
    best: Mapping[str, float] | None = None
    trained, spent = 0, 0.0
    for record in history:
        if cpu_seconds is not None and spent + record["cpu_seconds"] > cpu_seconds:
            break
        trained, spent = trained + 1, spent + record["cpu_seconds"]
        if "dice" in record and (best is None or record["dice"] > best["dice"]):
            best = record
    return Stand(int(best["epoch"]), trained, best["dice"], spent) if best else None


def cpu_seconds(history: History) -> float:
    """CPU time of all epochs."""
    # Added up in the order of `stand`, so that a run always fits into its own time.
    total = 0.0
    for record in history:
        total += record["cpu_seconds"]
    return total


def read_history(folder: Path) -> tuple[dict[str, float], ...]:
    """The records that a training run has left in its folder; empty where there is no log."""
    path = folder / LOG
    if not path.is_file():
        return ()
    return tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
