"""How long a study's training still takes, from the epochs that are behind."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from cardioseg.workflows.study.budget import History


def seconds_left(
    histories: Mapping[tuple[str, int], History],
    epochs_left: Mapping[str, int],
    work: Mapping[str, float],
) -> float | None:
    """Seconds on the clock until all training is done; None before the first epoch.

    Parameters
    ----------
    histories
        Records of the epochs so far, by (arm, seed).
    epochs_left
        Of each arm, over all seeds.
    work
        Relative work of an epoch of each arm, such as multiply-accumulates: it stands in for the
        time of an arm that has not begun.

    Examples
    --------
    >>> seconds_left({("a", 0): [{"seconds": 10.0}]}, {"a": 1, "b": 2}, {"a": 3.0, "b": 1.5})
    20.0
    """
    seconds: dict[str, list[float]] = {}
    for (arm, _), history in histories.items():
        seconds.setdefault(arm, []).extend(record["seconds"] for record in history)
    known = {arm: fmean(values) for arm, values in seconds.items() if values}
    if not known:
        return None
    rate = fmean(known[arm] / work[arm] for arm in known)
    return sum(left * known.get(arm, rate * work[arm]) for arm, left in epochs_left.items())


def duration_in_words(seconds: float) -> str:
    """A duration as a person says it.

    Examples
    --------
    >>> duration_in_words(50), duration_in_words(5400), duration_in_words(200_000)
    ('50 s', '90 min', '55.6 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
