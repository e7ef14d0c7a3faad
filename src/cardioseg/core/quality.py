"""Quality of one segmentation without a reference: predicted Dice, a verdict and its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What a person should do with a segmentation."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


@dataclass(frozen=True)
class Reason:
    """One thing that speaks against a segmentation.

    Parameters
    ----------
    verdict
        The verdict that this reason alone leads to.
    rule
        The rule's short name, such as `fragments` or `no_heart`; stable, for programs.
    words
        What was found, in plain words, and what to do.
    """

    verdict: Verdict
    rule: str
    words: str


@dataclass(frozen=True)
class Quality:
    """How far a segmentation can be trusted.

    Parameters
    ----------
    verdict
        The worst of the reasons'; `accept` without reasons.
    predicted_dice
        Expected Dice by structure, 0 to 1; empty where the model has no calibration for it.
    reasons
        Worst first.

    Examples
    --------
    >>> Quality(Verdict.ACCEPT, {"LV cavity": 0.94}).reasons
    ()
    """

    verdict: Verdict
    predicted_dice: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
