"""What the speed must reach, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.speed.accuracy import later
from benchmarks.speed.budgets import cheapest
from benchmarks.speed.pace import Spread, median_and_ends, spread_words
from benchmarks.speed.results import FLOAT32, INT8, NAMES, NOT_MEASURED, Results
from benchmarks.speed.volumes import LARGE_SAX, LARGE_WHOLE_HEART

from cardioseg.evaluation.tables import markdown_table
from cardioseg.workflows.quantise import LARGEST_DROP

GOAL = "0.85"
CALLED = {"unet-2": "U-Net 2", "unet-1": "U-Net 1"}


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


def _as_good(network: str, faster: Measure) -> Measure:
    """An int8 ratio that counts only where the trained network loses little enough Dice."""

    def measure(results: Results) -> Measured | None:
        found = faster(results)
        if found is None:
            return None
        judged = (results.found("int8") or {}).get(f"{CALLED[network]}, exact")
        if judged is None:
            return Measured(None, f"{found.words}; loss of Dice not measured")
        lost = max(each["drop"] for each in judged["engines"].values())
        told = f"{found.words}; Dice {-lost:+.4f}"
        return Measured(found.median if lost <= LARGEST_DROP else None, told)

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
    return Measured(*later(curves, ours, float(GOAL)))


def _process(results: Results) -> Measured | None:
    found = results.found("process")
    if not found:
        return None
    spread = Spread(**found["runs"]["auto"]["seconds"])
    return Measured(spread.median, spread_words(spread))


def _memory(which: str) -> Measure:
    def measure(results: Results) -> Measured | None:
        large = (results.found("process") or {}).get("large", {})
        if which not in large:
            return None
        told = large[which]["peak_mb"]
        spread = Spread(**{name: mebibytes * 2**20 / 1e9 for name, mebibytes in told.items()})
        return Measured(spread.median, median_and_ends(spread))

    return measure


def _peers(which: str, mirrors: str) -> Measure:
    def measure(results: Results) -> Measured | None:
        found = results.found("peers-predict")
        if not found:
            return None
        spread = Spread(**found["nnunet_over_ours"][mirrors][which])
        return Measured(spread.median, spread_words(spread, 1))

    return measure


KERAS = ((" as it comes", ("keras",)), (", memory kept", ("keras (allocator set)",)))
"""Both ways of measuring Keras, in words and by contender."""

PYTORCH = ("torch-channels-last", "torch-nchw")
"""As it comes: in the layout that is the faster for the network."""


def _prediction_targets() -> list[Target]:
    bounds = {("unet-2", 8): (5, 7), ("unet-2", 1): (4, 6), ("unet-1", 8): (2.5, 4)}
    rows = [
        Target(
            f"prediction, {CALLED[network]}, batch {batch}: ours / Keras{how}",
            *bound,
            "x",
            _faster("inference", network, batch, FLOAT32, keras),
            _as_good(network, _faster("inference", network, batch, INT8, keras)),
        )
        for (network, batch), bound in bounds.items()
        for how, keras in KERAS
    ]
    int8 = _as_good("unet-2", _faster("inference", "unet-2", 8, INT8, FLOAT32))
    told = "prediction, U-Net 2, batch 8: int8 / our float32, Dice within 0.002"
    return [*rows, Target(told, 1.3, 2, "x", None, int8)]


def _training_targets() -> list[Target]:
    # PyTorch's layers with all that our training gives PyTorch: freed memory kept, fused Adam.
    fast = " with memory kept and fused Adam, same precision"
    slow: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
        *((f"Keras{how}", keras, keras) for how, keras in KERAS),
        ("PyTorch as it comes", PYTORCH, PYTORCH),
        (f"PyTorch{fast}", ("ours-eager",), ("ours-bfloat16-eager",)),
    ]
    bounds = {
        "unet-2": ((3, 5), (2, 3.5), (1.6, 2.5), (1.6, 2.5)),
        "unet-1": ((2, None), (2, None), (1, None), (1, None)),
    }
    return [
        Target(
            f"training step, {CALLED[network]}, batch {batch}: ours / {told}",
            *bound,
            "x",
            _faster("training", network, batch, ("ours",), full),
            _faster("training", network, batch, ("ours-bfloat16",), reduced),
        )
        for batch in (4, 8)
        for network in bounds
        for (told, full, reduced), bound in zip(slow, bounds[network], strict=True)
    ]


TARGETS = (
    *_prediction_targets(),
    *_training_targets(),
    Target(f"time to {GOAL} on ACDC validation", 10, 4, "min", _minutes, at_most=True),
    Target(f"CPU time to {GOAL}, largest piece kept: nnU-Net 2-D / ours", 3, 10, "x", _later),
    Target("`predict --model sax`, one volume", 1.5, 0.7, "s", _process, at_most=True),
    *(
        Target(f"nnU-Net 2-D predict / ours, {told}{more}", 10, 30, "x", _peers(which, mirrors))
        for which, told in (("process", "whole process"), ("network", "network only"))
        for mirrors, more in (("without", ""), ("with", ", its mirrors on"))
    ),
    *(
        Target(f"peak memory, {which}", 1.2, 0.6, "GB", _memory(which), at_most=True)
        for which in (LARGE_SAX, LARGE_WHOLE_HEART)
    ),
)


def targets_table(results: Results) -> str:
    """The table of all targets; what was not measured says so."""
    header = ["what", "target", "aim", "min / median / max", "by int8 or bfloat16", "reached"]
    rows = []
    for target in TARGETS:
        what, goal, *rest = target.cells(results)
        rows.append([what, f"{'≤' if target.at_most else '≥'} {goal}", *rest])
    return markdown_table(header, rows)
