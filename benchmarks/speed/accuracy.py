"""Minutes of training until ACDC's validation Dice is reached, read from the logs of runs."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path

GOALS = (0.80, 0.85, 0.88, 0.90)


def minutes_to_goals(log: Path) -> dict[str, float | None]:
    """Minutes on the clock until each mean Dice was first validated; None where it never was.

    Parameters
    ----------
    log
        A run's log.jsonl; validation counts as training time.
    """
    records = [json.loads(line) for line in log.read_text().splitlines()]
    spent = list(accumulate(record["seconds"] for record in records))
    reached: dict[str, float | None] = {}
    for goal in GOALS:
        times = (
            seconds
            for seconds, record in zip(spent, records, strict=True)
            if record.get("dice", 0.0) >= goal
        )
        first = next(times, None)
        reached[f"{goal:.2f}"] = None if first is None else round(first / 60, 2)
    return reached
