"""Minutes of training until ACDC's validation Dice is reached, read from logs and curves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from benchmarks.speed.pace import Spread, spread_words
from benchmarks.speed.results import Point, crossing

GOALS = (0.80, 0.85, 0.88, 0.90)
LARGEST = "dice_largest"
"""A peer's Dice with the largest piece of each structure alone, as our budgets' `dice` is."""
CURVES = {
    "nnunet": ("nnU-Net 2-D", ""),
    "nnunet_mirrors": ("nnU-Net 2-D", ", mirrors (its default)"),
    "monai": ("MONAI BasicUNet", ""),
}
"""The peers' curves in curve.json: who, and how they predicted."""


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


def crossing_rows(curves: Mapping[str, Sequence[Point]]) -> list[list[str]]:
    """CPU minutes until a peer has each Dice, with every component and with the largest pieces.

    Parameters
    ----------
    curves
        What `benchmarks.peers.curve` found; a peer that is not there has no rows.

    Returns
    -------
    list of list of str
        Training, clock, and a cell for each of :data:`GOALS`.
    """
    rows = []
    for name, (peer, way) in CURVES.items():
        curve = curves.get(name, ())
        told = f"{peer} of an hour, by its {'snapshots' if len(curve) > 1 else 'last weights'}{way}"
        for words, key in (("", "dice"), (", largest piece kept", LARGEST)):
            cells = [_crossing_words(curve, goal, key) for goal in GOALS]
            rows += [[f"{told}{words}", "CPU min", *cells]] if curve else []
    return rows


def _crossing_words(curve: Sequence[Point], goal: float, key: str) -> str:
    found, last = crossing(curve, goal, "cpu_minutes", key)
    if found is None:
        return f"> {last:.0f}"
    return f"{found.min:.1f} to {found.max:.1f}" if found.min else f"≤ {found.max:.0f}"


def later(curves: Mapping[str, Sequence[Point]], ours: Spread, goal: float) -> tuple[float, str]:
    """How many times our CPU minutes nnU-Net took to a goal, both with the largest pieces alone.

    Parameters
    ----------
    curves
        What `benchmarks.peers.curve` found.
    ours
        Our CPU minutes to the goal, over seeds.
    goal
        Mean Dice.

    Returns
    -------
    tuple
        What is judged, and words. Where its default, with mirrors, was measured, that is judged.
        Of a goal that it did not reach, the ratio of all its minutes to our slowest seed's.
    """
    ratio, words, missed = _later(curves["nnunet"], ours, goal)
    if "nnunet_mirrors" not in curves:
        return ratio, f"{words} (nnU-Net did not reach it)" if missed else words
    ways = {"nnunet_mirrors": "with mirrors, its default", "nnunet": "without mirrors"}
    told = []
    for name, way in ways.items():
        _, words, missed = _later(curves[name], ours, goal)
        minutes = _crossing_words(curves[name], goal, LARGEST)
        told.append(f"{words} {way} ({minutes} CPU min{': not reached' if missed else ''})")
    return _later(curves["nnunet_mirrors"], ours, goal)[0], "; ".join(told)


def _later(curve: Sequence[Point], ours: Spread, goal: float) -> tuple[float, str, bool]:
    """The ratio that is judged, figures, and whether the goal was missed."""
    theirs, last = crossing(curve, goal, "cpu_minutes", LARGEST)
    if theirs is None:
        return last / ours.max, f"> {last / ours.max:.1f}", True
    times = Spread(theirs.min / ours.max, theirs.median / ours.median, theirs.max / ours.min)
    return times.median, spread_words(times, 1), False
