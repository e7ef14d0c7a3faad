"""The frames of each slice in the order of time, and what to do where two claim one moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

from cardioseg.errors import GeometryError
from cardioseg.io.dicom.planes import Plane

SamePixels = Callable[[Plane, Plane], bool]
Group = list[Plane]
Key = Callable[[Plane], float | None]

TIMES_AGREE = 0.5
"""Share of the frame distance by which one frame's times may differ between slices in silence."""

LONGEST_CYCLE_MS = 2500.0
"""A heart that beats 24 times a minute; frames that span more are not one cycle."""

_MOMENT = "one slice and one moment"

_CLOCKS: tuple[tuple[str, Key], ...] = (
    ("trigger time", lambda plane: plane.trigger_ms),
    ("temporal position", lambda plane: plane.temporal),
)
_COUNTERS: tuple[tuple[str, Key], ...] = (
    ("acquisition number", lambda plane: plane.order[0]),
    ("acquisition time", lambda plane: plane.order[1]),
    ("instance number", lambda plane: plane.order[2]),
)


def in_order(
    positions: Sequence[Group], same_pixels: SamePixels
) -> tuple[list[Group], tuple[float, ...], tuple[str, ...]]:
    """Sort the planes of each position by time.

    The first clock (trigger time, temporal position) that tells all of them apart is used. Where
    none does, two images of one moment are one if their pixels are equal, and an error if not.
    Without a clock, counters are used and told. Images of several heartbeats, one a beat, are in
    the order in which they were taken: their trigger times only scatter about one delay.

    Parameters
    ----------
    positions
        The planes of each slice.
    same_pixels
        Whether two planes hold the same pixels.

    Returns
    -------
    positions, times_ms, notes
        The sorted planes; median trigger time of each frame, empty where unknown; what to tell.

    Raises
    ------
    GeometryError
        If different images claim one slice and one moment, or are of different kinds.
    """
    if all(len(group) == 1 for group in positions):
        return [list(group) for group in positions], (), ()
    _require_one_kind(positions)
    beats_s = _beats_s(positions)
    if beats_s is not None:
        return _sorted(positions, _taken_s), (), (_no_cycle_told(beats_s),)
    for name, key in _CLOCKS:
        if all(_distinct(group, key) for group in positions):
            ordered = _sorted(positions, key)
            times, notes = _times(ordered)
            return ordered, times, notes if times else (*notes, _order_told(name))
    for name, key in _CLOCKS:
        if any(len({key(plane) for plane in group}) > 1 for group in positions):
            settled, dropped = _settled(positions, key, name, same_pixels)
            ordered = _sorted(settled, key)
            times, notes = _times(ordered)
            return ordered, times, (*_dropped_told(dropped), *notes)
    return _counted(positions, same_pixels)


def _require_one_kind(positions: Sequence[Group]) -> None:
    """Refuse magnitude beside phase, or several echoes, whatever their clocks say."""
    for group in positions:
        for plane in group[1:]:
            if plane.kind != group[0].kind:
                kinds = " against ".join(each.kind or "not told" for each in (group[0], plane))
                raise GeometryError(_clash(group[0], plane, f"one slice of two kinds ({kinds})"))


def _taken_s(plane: Plane) -> float | None:
    """Acquisition time, which DICOM writes as HHMMSS, in seconds of the day."""
    if plane.order[1] is None:
        return None
    hours, rest = divmod(plane.order[1] % 1_000_000, 10_000)
    minutes, seconds = divmod(rest, 100)
    return hours * 3600 + minutes * 60 + seconds


def _beats_s(positions: Sequence[Group]) -> float | None:
    """Time over which images were taken one a beat; None where they may be of one cycle.

    Each has an acquisition time of its own, they span more than a cycle, and trigger times go back
    from one to the next. A phase a beat, as some cines are taken, has trigger times that rise.
    """
    if not all(_distinct(group, _taken_s) for group in positions):
        return None
    ordered = _sorted(positions, _taken_s)
    span = max((_taken_s(group[-1]) or 0.0) - (_taken_s(group[0]) or 0.0) for group in ordered)
    back = any(
        one.trigger_ms is not None
        and other.trigger_ms is not None
        and other.trigger_ms < one.trigger_ms
        for group in ordered
        for one, other in pairwise(group)
    )
    return span if back and span * 1000 > LONGEST_CYCLE_MS else None


def _no_cycle_told(span_s: float) -> str:
    return (
        f"the frames span {span_s:.1f} s, longer than a heartbeat: not a cine of one cycle "
        "(perfusion?), so its ED and ES mean nothing"
    )


def _order_told(name: str) -> str:
    return (
        f"the header tells no usable trigger times: frames are in the order of {name}, and nothing "
        "says that they are one heartbeat"
    )


def _distinct(group: Group, key: Key) -> bool:
    values = [key(plane) for plane in group]
    return None not in values and len(set(values)) == len(values)


def _sorted(positions: Sequence[Group], key: Key) -> list[Group]:
    return [sorted(group, key=lambda plane: key(plane) or 0.0) for group in positions]


def _settled(
    positions: Sequence[Group], key: Key, name: str, same_pixels: SamePixels
) -> tuple[list[Group], int]:
    """One plane a moment: equal ones dropped and counted.

    Raises
    ------
    GeometryError
        If they are not equal, or one has no time.
    """
    kept: list[Group] = []
    for group in positions:
        by_time: dict[float, Plane] = {}
        for plane in group:
            value = key(plane)
            if value is None:
                raise GeometryError(
                    f"{plane.file.name}: no {name}, which other images of the series have; "
                    "export the series again"
                )
            first = by_time.setdefault(value, plane)
            if first is not plane and not same_pixels(first, plane):
                raise GeometryError(_clash(first, plane, f"{_MOMENT} ({name} {value:g})"))
        kept.append(list(by_time.values()))
    dropped = sum(map(len, positions)) - sum(map(len, kept))
    return kept, dropped


def _clash(one: Plane, other: Plane, what: str) -> str:
    remedy = (
        "put the images of one acquisition into a folder of their own, magnitude images where "
        "there are others, and name that"
    )
    if one.file == other.file:
        pair = f"frames {one.frame} and {other.frame} of {one.file.name}"
        return f"{pair} are different images of {what}: export it as single images, {remedy}"
    return f"{one.file.name} and {other.file.name} are different images of {what}: {remedy}"


def _dropped_told(dropped: int) -> tuple[str, ...]:
    if not dropped:
        return ()
    return (f"images of one slice and moment with equal pixels were left out: {dropped}",)


def _counted(
    positions: Sequence[Group], same_pixels: SamePixels
) -> tuple[list[Group], tuple[float, ...], tuple[str, ...]]:
    """Frames by counters, where no clock tells anything.

    Raises
    ------
    GeometryError
        If no counter tells the images of one slice apart.
    """
    kept = [_unequal(group, same_pixels) for group in positions]
    dropped = sum(map(len, positions)) - sum(map(len, kept))
    notes = _dropped_told(dropped)
    if all(len(group) == 1 for group in kept):
        return kept, (), notes
    for name, key in _COUNTERS:
        if all(_distinct(group, key) for group in kept):
            return _sorted(kept, key), (), (*notes, _order_told(name))
    first, second = next(group for group in kept if len(group) > 1)[:2]
    raise GeometryError(_clash(first, second, f"{_MOMENT} (nothing tells their order)"))


def _unequal(group: Group, same_pixels: SamePixels) -> Group:
    kept: Group = []
    for plane in group:
        if not any(same_pixels(plane, other) for other in kept):
            kept.append(plane)
    return kept


def _times(positions: Sequence[Group]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Median trigger time of each frame, and whether slices differ much in it."""
    if len({len(group) for group in positions}) != 1:
        return (), ()
    frames = list(zip(*positions, strict=True))
    each = [[plane.trigger_ms for plane in frame] for frame in frames]
    known = [[time for time in frame if time is not None] for frame in each]
    if any(len(times) != len(frame) for times, frame in zip(known, each, strict=True)):
        return (), ()
    medians = tuple(median(times) for times in known)
    if len(set(medians)) < len(medians):
        return (), ()
    span = medians[-1] - medians[0]
    step = span / max(len(medians) - 1, 1)
    notes = (_no_cycle_told(span / 1000),) if span > LONGEST_CYCLE_MS else ()
    spread = max(max(times) - min(times) for times in known)
    if spread <= TIMES_AGREE * step:
        return medians, notes
    return medians, (
        *notes,
        f"the trigger times of one frame differ by up to {spread:.0f} ms between slices (the heart "
        "rate changed between breath-holds): frames go by their order, times are medians",
    )
