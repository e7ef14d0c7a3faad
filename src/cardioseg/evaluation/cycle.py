"""The cardiac cycle in a volume curve: end diastole, end systole, rates of emptying and filling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]

FRAMES_FOR_JUMPS = 14
"""Frames of a cycle from which on a frame can be told to jump out of the curve: of fewer, a healthy
end systole does."""

FRAMES_FOR_BEAT = 10
"""Frames from which on their times are taken to span a beat."""

FRAMES_FOR_RATES = 16
"""Frames of a cycle from which on rates are computed."""

JUMP = 0.2
"""A frame jumps if it lies this share of the curve's range off its neighbours."""

_NEIGHBOURS = 2
_HARMONICS = 5
_MS_PER_S = 1000.0
_MS_PER_MIN = 60000.0


@dataclass(frozen=True)
class Phases:
    """Frames of end diastole and end systole, counted from 0; in the notes from 1.

    Parameters
    ----------
    ed, es
        Frame of the largest and of the smallest volume; None where they cannot be told.
    notes
        Why not, or what to know.
    """

    ed: int | None
    es: int | None
    notes: tuple[str, ...] = ()


def find_phases(volumes_ml: ArrayLike, numbers: Sequence[int] = ()) -> Phases:
    """End diastole and end systole of a volume curve.

    The largest and the smallest volume. Frames without a cavity are left out first where two others
    have one, and with 14 frames or more those that jump out of the curve by a fifth of its range:
    one frame that was segmented badly must not become end systole. The curve is a ring: the first
    frame follows the last. Of equal volumes, the earlier frame counts, and it is told.

    Parameters
    ----------
    volumes_ml
        Volume of the cavity in each frame, in the order of time.
    numbers
        Number of each frame as the notes tell it; empty counts from 1.

    Examples
    --------
    >>> find_phases([150.0, 60.0])
    Phases(ed=0, es=1, notes=())
    """
    volumes = np.asarray(volumes_ml, dtype=np.float64)
    if volumes.size < 2:
        return Phases(None, None, ("one frame only: end diastole and end systole need two",))
    if volumes.max() <= 0:
        return Phases(None, None, ("no cavity in any frame",))
    if volumes.max() == volumes.min():
        return Phases(None, None, ("the volume is the same in all frames",))
    told = numbers or range(1, volumes.size + 1)
    empty, jumps = _failed_frames(volumes)
    notes = [f"frame {told[frame]} has no cavity and is left out" for frame in empty]
    notes += [f"frame {told[f]} jumps out of the volume curve and is left out" for f in jumps]
    usable = np.setdiff1d(np.arange(volumes.size), (*empty, *jumps))
    ed, es = (int(usable[pick(volumes[usable])]) for pick in (np.argmax, np.argmin))
    if volumes[ed] == volumes[es]:
        why = "the volume is the same in all frames that are not left out"
        return Phases(None, None, (why, *notes))
    for name, frame in (("diastole", ed), ("systole", es)):
        equal = [str(told[other]) for other in usable if volumes[other] == volumes[frame]]
        if len(equal) > 1:
            notes.append(
                f"end {name}: frames {', '.join(equal)} have one volume, the earliest is taken"
            )
    if 2 < volumes.size < FRAMES_FOR_JUMPS:
        notes.append(
            f"short cine of {volumes.size} frames: the extremes may fall between frames, and a "
            "frame that was segmented badly is not found"
        )
    return Phases(ed, es, tuple(notes))


def _failed_frames(volumes: Float64Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Frames without a cavity where two others have one, and frames that jump among the others."""
    there = np.flatnonzero(volumes > 0)
    if len(there) < 2:
        return (), jumping_frames(volumes)
    empty = np.setdiff1d(np.arange(volumes.size), there)
    jumps = there[list(jumping_frames(volumes[there]))]
    return tuple(map(int, empty)), tuple(map(int, jumps))


def jumping_frames(volumes_ml: ArrayLike) -> tuple[int, ...]:
    """Frames that lie a fifth of the curve's range off what is around them.

    Off the median of the five frames there, and beyond both adjacent frames: a short systole has a
    steep way down and up, but no frame of it stands alone. None with fewer than 14 frames.

    Examples
    --------
    >>> curve = 100 + 50 * np.cos(np.linspace(0, 2 * np.pi, 20, endpoint=False))
    >>> curve[4] = 20.0
    >>> jumping_frames(curve)
    (4,)
    """
    volumes = np.asarray(volumes_ml, dtype=np.float64)
    if volumes.size < FRAMES_FOR_JUMPS:
        return ()
    shifts = range(-_NEIGHBOURS, _NEIGHBOURS + 1)
    medians = np.median([np.roll(volumes, shift) for shift in shifts], axis=0)
    around = np.stack([medians, np.roll(volumes, 1), np.roll(volumes, -1)])
    limit = max(JUMP * float(medians.max() - medians.min()), 1e-9)
    stands_out = (volumes - around > limit).all(axis=0) | (around - volumes > limit).all(axis=0)
    return tuple(int(frame) for frame in np.flatnonzero(stands_out))


def beat_ms(times_ms: Sequence[float]) -> float | None:
    """Length of the beat that frames span: last minus first time and one step more, in ms.

    None with fewer than ten frames, or if the times do not grow: then they do not tell it.

    Examples
    --------
    >>> beat_ms([40.0 * frame for frame in range(20)])
    800.0
    """
    if len(times_ms) < FRAMES_FOR_BEAT:
        return None
    steps = np.diff(np.asarray(times_ms, dtype=np.float64))
    if not (steps > 0).all():
        return None
    return float(times_ms[-1] - times_ms[0] + np.median(steps))


def beats_per_min(beat: float) -> float:
    """Heart rate of a beat in ms.

    Examples
    --------
    >>> beats_per_min(800.0)
    75.0
    """
    return _MS_PER_MIN / beat


@dataclass(frozen=True)
class Rates:
    """Steepest emptying and steepest filling of a cavity, in ml/s, both positive."""

    ejection_ml_per_s: float
    filling_ml_per_s: float


def peak_rates(volumes_ml: ArrayLike, times_ms: ArrayLike, beat: float) -> Rates | None:
    """Steepest slopes of a volume curve, by a Fourier series of five harmonics fitted to it.

    Frames without a cavity and frames that jump out of the curve have no part in the fit.

    Parameters
    ----------
    volumes_ml, times_ms
        The curve (frames,).
    beat
        Length of the beat, in ms: the period of the series.

    Returns
    -------
    Rates or None
        None with fewer than 16 frames that are left.

    Examples
    --------
    >>> times = 40.0 * np.arange(20)
    >>> rates = peak_rates(100 + 50 * np.cos(2 * np.pi * times / 800), times, 800.0)
    >>> round(rates.ejection_ml_per_s, 1)
    392.7
    """
    volumes, times = (np.asarray(each, dtype=np.float64) for each in (volumes_ml, times_ms))
    empty, jumps = _failed_frames(volumes)
    usable = np.setdiff1d(np.arange(volumes.size), (*empty, *jumps))
    volumes, times = volumes[usable], times[usable]
    if volumes.size < FRAMES_FOR_RATES:
        return None
    orders = np.arange(1, _HARMONICS + 1)
    angles = 2 * np.pi * np.outer(times - times[0], orders) / beat
    basis = np.hstack([np.ones((volumes.size, 1)), np.cos(angles), np.sin(angles)])
    series = np.linalg.lstsq(basis, volumes, rcond=None)[0]
    # Only where there are frames: a series is free to swing in a gap.
    fine = 2 * np.pi * np.outer(np.linspace(0, times[-1] - times[0], 400), orders) / beat
    cosines, sines = np.split(series[1:], 2)
    slopes = (np.cos(fine) * sines - np.sin(fine) * cosines) @ (2 * np.pi * orders / beat)
    return Rates(float(-slopes.min() * _MS_PER_S), float(slopes.max() * _MS_PER_S))
