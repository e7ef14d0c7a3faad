"""Minutes of training until ACDC's validation Dice is reached, read from the logs of runs."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path

GOALS = (0.80, 0.85, 0.88, 0.90)


def dice_curve(log: Path) -> list[dict[str, float]]:
    """Mean Dice of each validation, with the minutes until then on the clock and of CPU time.

    Parameters
    ----------
    log
        A run's log.jsonl; validation counts as training time.

    Returns
    -------
    list of dict
        `minutes`, `cpu_minutes`, `dice`.
    """
    records = [json.loads(line) for line in log.read_text().splitlines()]
    clocks = zip(
        accumulate(record["seconds"] for record in records),
        accumulate(record["cpu_seconds"] for record in records),
        strict=True,
    )
    return [
        {
            "minutes": round(seconds / 60, 3),
            "cpu_minutes": round(cpu_seconds / 60, 3),
            "dice": record["dice"],
        }
        for record, (seconds, cpu_seconds) in zip(records, clocks, strict=True)
        if "dice" in record
    ]


def minutes_to_goals(log: Path) -> dict[str, dict[str, float] | None]:
    """The validation that first had each mean Dice, as :func:`dice_curve` tells it; else None."""
    curve = dice_curve(log)
    return {
        f"{goal:.2f}": next((point for point in curve if point["dice"] >= goal), None)
        for goal in GOALS
    }
