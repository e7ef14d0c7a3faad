"""A verdict in words, made from a paired difference by a rule that is stated beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cardioseg.evaluation import Comparison
from cardioseg.evaluation.rows import Level

Word = Literal["beats", "matches", "loses", "undecided"]

SIGNIFICANT = 0.05

RULE = f"""\
The rule, with d = Dice of the candidate minus Dice of the baseline, averaged over structures,
frames and seeds of a patient first, then over patients; its bootstrap 95 % interval over patients;
and p of Wilcoxon's signed-rank test, two-sided, after Holm's correction over the tests of one
table: **beats** if the interval lies above 0 and p < {SIGNIFICANT:g}; else **matches** if the
interval lies above minus the margin (not lower by more than the margin); else **loses** if the
interval lies below 0 and p < {SIGNIFICANT:g}; else **undecided**. The interval is
about patients: how much the seed matters is shown beside it and not in it."""


@dataclass(frozen=True)
class Verdict:
    """What a contrast says.

    Parameters
    ----------
    word
        By the rule.
    level
        `volume` or `slice`.
    difference, low, high
        Candidate minus baseline and its 95 % interval, in Dice; ends are None with fewer than two
        patients.
    p_holm
        After Holm's correction.
    margin
        Dice.
    """

    word: Word
    level: Level
    difference: float
    low: float | None
    high: float | None
    p_holm: float
    margin: float

    def sentence(self, candidate: str, baseline: str) -> str:
        """The verdict as a sentence that names the two and its numbers."""
        verb = {
            "beats": "beats",
            "matches": "matches",
            "loses": "loses to",
            "undecided": "is neither shown to match nor to lose to",
        }[self.word]
        interval = "no interval: fewer than two patients"
        if self.low is not None and self.high is not None:
            interval = f"95 % interval {self.low:+.4f} to {self.high:+.4f}"
        lower = self.word == "matches" and self.high is not None and self.high < 0
        note = ", lower by less than the margin" if lower else ""
        return (
            f"{candidate} {verb} {baseline} per {self.level}{note}: difference in Dice "
            f"{self.difference:+.4f} ({interval}), p = {self.p_holm:.2g} after Holm, "
            f"margin {self.margin:g}."
        )


def verdict(comparison: Comparison, margin: float, level: Level) -> Verdict:
    """Apply the rule to the comparison of candidate (a) and baseline (b).

    Examples
    --------
    >>> from cardioseg.evaluation.statistics import Interval
    >>> found = Comparison("dice", "mean of structures", 50, 0, 0.83, 0.81,
    ...                    Interval(0.01, 0.03), 0.001, 0.01, 0.6)
    >>> verdict(found, margin=0.01, level="volume").word
    'beats'
    """
    interval = comparison.interval
    low, high = (interval.low, interval.high) if interval else (None, None)
    return Verdict(
        word=_word(low, high, comparison.p_holm, margin),
        level=level,
        difference=comparison.mean_a - comparison.mean_b,
        low=low,
        high=high,
        p_holm=comparison.p_holm,
        margin=margin,
    )


def _word(low: float | None, high: float | None, p_holm: float, margin: float) -> Word:
    if low is None or high is None:
        return "undecided"
    if low > 0 and p_holm < SIGNIFICANT:
        return "beats"
    if low > -margin:
        return "matches"
    if high < 0 and p_holm < SIGNIFICANT:
        return "loses"
    return "undecided"
