"""What the speed must reach, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.speed.budgets import cheapest
from benchmarks.speed.pace import Spread
from benchmarks.speed.results import FLOAT32, INT8, NAMES, Results, crossing

from cardioseg.evaluation.tables import markdown_table

NOT_MEASURED = "not measured"
GOAL = "0.85"
LARGEST = "dice_largest"
"""nnU-Net's Dice with the largest piece of each structure alone, as our budgets' `dice` is."""


@dataclass(frozen=True)
class Measured:
    """One figure with its spread, in words and as it is judged.

    Parameters
    ----------
    median
        What is compared with the target; None where the goal was never met.
    words
        Smallest, median and largest, and which contender it was.
    """

    median: float | None
    words: str


Measure = Callable[[Results], Measured | None]


@dataclass(frozen=True)
class Target:
    """One row of the table.

    Parameters
    ----------
    what
        In words.
    goal, aim
        Must and wish; None where there is none.
    unit
        After the figures: `x`, `min`, `s`, `GB`.
    full, reduced
        How it is measured in float32, and in int8 or bfloat16.
    at_most
        Whether less is better.
    """

    what: str
    goal: float
    aim: float | None
    unit: str
    full: Measure | None
    reduced: Measure | None = None
    at_most: bool = False

    def cells(self, results: Results) -> list[str]:
        """The row: what, target, aim, measured twice, reached."""
        first, second = (how(results) if how else None for how in (self.full, self.reduced))
        aim = "-" if self.aim is None else f"{self.aim:g} {self.unit}"
        told = [
            "-" if how is None else NOT_MEASURED if found is None else found.words
            for how, found in ((self.full, first), (self.reduced, second))
        ]
        return [self.what, f"{self.goal:g} {self.unit}", aim, *told, self._verdict(first, second)]

    def _verdict(self, full: Measured | None, reduced: Measured | None) -> str:
        """Judged by float32's median; by the other's where that is the only one or reaches more."""
        ranks = [(self._rank(each), name) for each, name in ((full, ""), (reduced, " (reduced)"))]
        best, name = max(ranks, key=lambda rank: rank[0])
        alone = self.full is None
        words = {-1: NOT_MEASURED, 0: "no", 1: "target", 2: "aim"}[best]
        return words + (name if best > 0 and not alone else "")

    def _rank(self, found: Measured | None) -> int:
        if found is None:
            return -1
        if found.median is None:
            return 0
        sign = -1 if self.at_most else 1
        reached = [
            bound is not None and sign * found.median >= sign * bound
            for bound in (self.goal, self.aim)
        ]
        return 2 if reached[1] else int(reached[0])


def spread_words(spread: Spread, digits: int = 2) -> str:
    """Smallest / median / largest.

    Examples
    --------
    >>> spread_words(Spread(1.0, 2.0, 3.456))
    '1.00 / 2.00 / 3.46'
    """
    return " / ".join(f"{value:.{digits}f}" for value in (spread.min, spread.median, spread.max))


def _faster(
    part: str, network: str, batch: int, fast: Sequence[str], slow: Sequence[str]
) -> Measure:
    def measure(results: Results) -> Measured | None:
        duel = results.duel(part, network, batch)
        found = duel.ratio(fast, slow) if duel else None
        if found is None:
            return None
        name, spread = found
        return Measured(spread.median, f"{spread_words(spread)} ({NAMES[name]})")

    return measure


def _reached(results: Results, clock: str) -> Spread | str | None:
    """Minutes of each seed's cheapest training that reached the goal; words if a seed has none."""
    rungs = results.found("budgets")
    if not rungs:
        return None
    found = cheapest(rungs, float(GOAL), clock)
    known = [minutes for minutes in found.values() if minutes is not None]
    if len(known) < len(found):
        return f"{len(known)} of {len(found)} seeds reached it"
    return Spread.of(known)


def _minutes(results: Results) -> Measured | None:
    """Minutes on the clock of the cheapest training that reached the goal, over seeds."""
    found = _reached(results, "minutes")
    if isinstance(found, Spread):
        seeds = len({rung["seed"] for rung in results.found("budgets")})
        return Measured(found.median, f"{spread_words(found, 1)} ({seeds} seeds)")
    return found and Measured(None, found)


def _later(results: Results) -> Measured | None:
    """How many times as many CPU minutes nnU-Net takes to the goal; both keep the largest piece."""
    curves, ours = results.found("curve"), _reached(results, "cpu_minutes")
    if not curves or ours is None:
        return None
    if isinstance(ours, str):
        return Measured(None, f"cardioseg: {ours}")
    theirs, last = crossing(curves["nnunet"], float(GOAL), "cpu_minutes", LARGEST)
    if theirs is None:
        return Measured(last / ours.max, f"> {last / ours.max:.1f} (nnU-Net did not reach it)")
    spread = Spread(theirs.min / ours.max, theirs.median / ours.median, theirs.max / ours.min)
    return Measured(spread.median, spread_words(spread, 1))


def _process(results: Results) -> Measured | None:
    found = results.found("process")
    if not found:
        return None
    spread = Spread(**found["runs"]["auto"]["seconds"])
    return Measured(spread.median, spread_words(spread))


def _memory(results: Results) -> Measured | None:
    found = results.found("process")
    if not found:
        return None
    gigabytes = found["large"]["peak_mb"] * 2**20 / 1e9
    return Measured(gigabytes, f"{gigabytes:.2f} (one run)")


def _peers(which: str, mirrors: str) -> Measure:
    def measure(results: Results) -> Measured | None:
        found = results.found("peers-predict")
        if not found:
            return None
        spread = Spread(**found["nnunet_over_ours"][mirrors][which])
        return Measured(spread.median, spread_words(spread, 1))

    return measure


def _network_targets() -> list[Target]:
    keras, kept = ("keras",), ("keras (allocator set)",)
    ours, reduced = ("ours",), ("ours-bfloat16",)
    # PyTorch's layers with all that our training gives PyTorch: freed memory kept, fused Adam.
    eager, eager_reduced = ("ours-eager",), ("ours-bfloat16-eager",)

    def inference(what: str, goal: float, aim: float, network: str, batch: int) -> Target:
        full = _faster("inference", network, batch, FLOAT32, keras)
        return Target(what, goal, aim, "x", full, _faster("inference", network, batch, INT8, keras))

    def training(
        what: str,
        bounds: tuple,
        network: str,
        batch: int,
        slow: Sequence[str],
        slow_reduced: Sequence[str] = (),
    ) -> Target:
        full = _faster("training", network, batch, ours, slow)
        less = _faster("training", network, batch, reduced, slow_reduced or slow)
        return Target(f"training step, {what}", *bounds, "x", full, less)

    int8 = _faster("inference", "unet-2", 8, INT8, FLOAT32)
    rows = [
        inference("prediction, U-Net 2, batch 8: ours / Keras", 5, 7, "unet-2", 8),
        inference("the same, batch 1", 4, 6, "unet-2", 1),
        Target("the same, batch 8, int8 / our float32", 1.3, 2, "x", None, int8),
        inference("prediction, U-Net 1, batch 8: ours / Keras", 2.5, 4, "unet-1", 8),
    ]
    for batch in (4, 8):
        b, torch = f"batch {batch}", ("torch-channels-last",)
        rows += [
            training(f"U-Net 2, {b}: ours / Keras as it comes", (3, 5), "unet-2", batch, keras),
            training(f"U-Net 2, {b}: ours / Keras, memory kept", (2, 3.5), "unet-2", batch, kept),
            training(f"U-Net 1, {b}: ours / Keras as it comes", (2, None), "unet-1", batch, keras),
        ]
        for name, network, bounds in (
            ("U-Net 2", "unet-2", (1.6, 2.5)),
            ("U-Net 1", "unet-1", (1, None)),
        ):
            stock, fast = (
                f"{name}, {b}: ours / PyTorch {how}"
                for how in ("as it comes", "with memory kept and fused Adam, same precision")
            )
            rows += [
                training(stock, bounds, network, batch, torch),
                training(fast, bounds, network, batch, eager, eager_reduced),
            ]
    return rows


TARGETS = (
    *_network_targets(),
    Target(f"time to {GOAL} on ACDC validation", 10, 4, "min", _minutes, at_most=True),
    Target(f"CPU time to {GOAL}, largest piece kept: nnU-Net 2-D / ours", 3, 10, "x", _later),
    Target("`predict --model sax`, one volume", 1.5, 0.7, "s", _process, at_most=True),
    *(
        Target(f"nnU-Net 2-D predict / ours, {told}{more}", 10, 30, "x", _peers(which, mirrors))
        for which, told in (("process", "whole process"), ("network", "network only"))
        for mirrors, more in (("without", ""), ("with", ", its mirrors on"))
    ),
    Target("peak memory, 528 x 528 x 200", 1.2, 0.6, "GB", _memory, at_most=True),
)


def targets_table(results: Results) -> str:
    """The table of all targets; what was not measured says so."""
    header = ["what", "target", "aim", "min / median / max", "by int8 or bfloat16", "reached"]
    rows = []
    for target in TARGETS:
        what, goal, *rest = target.cells(results)
        rows.append([what, f"{'≤' if target.at_most else '≥'} {goal}", *rest])
    return markdown_table(header, rows)
