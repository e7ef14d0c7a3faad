"""The beat of a cine: from a heart rate that is given, or from the times of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cardioseg.evaluation.cycle import Rates, beat_ms, beats_per_min, peak_rates

RATES_AGREE = 0.05
"""A larger share between the heart rate that is given and that of the frames' times is told."""

_MS_PER_MIN = 60000.0

NO_BEAT = "no heart rate: no cardiac output and no rates"


@dataclass(frozen=True)
class Beat:
    """The beat that output and rates are computed with.

    Parameters
    ----------
    per_min, note
        Heart rate, and where it comes from.
    length_ms
        Length of the beat, and no shorter than what the frames' times span.
    """

    per_min: float
    note: str
    length_ms: float


def beat_of(
    times_ms: Sequence[float], heart_rate_bpm: float | None
) -> tuple[Beat | None, tuple[str, ...]]:
    """The beat, None where neither rate nor times tell it, and what to know about it.

    Examples
    --------
    >>> beat_of([40.0 * frame for frame in range(25)], 75.0)[0].length_ms
    1000.0
    """
    spanned = beat_ms(times_ms)
    if heart_rate_bpm is None:
        if spanned is None:
            return None, (NO_BEAT,)
        told = "beat taken from the frames' times, which are supposed to span it"
        return Beat(beats_per_min(spanned), told, spanned), (told,)
    length = _MS_PER_MIN / heart_rate_bpm
    beat = Beat(heart_rate_bpm, "heart rate given", max(length, spanned or 0.0))
    if spanned is None or abs(spanned - length) <= RATES_AGREE * length:
        return beat, ()
    return beat, (
        f"the heart rate given is {heart_rate_bpm:.0f}/min, but the frames' times span a beat of "
        f"{beats_per_min(spanned):.0f}/min: check both",
    )


def rates_of(curve: Sequence[float], times_ms: Sequence[float], beat: Beat | None) -> Rates | None:
    """Steepest slopes of a volume curve; None where times, beat or cavity are unknown."""
    if beat is None or not len(times_ms) or not any(curve):
        return None
    return peak_rates(curve, times_ms, beat.length_ms)
