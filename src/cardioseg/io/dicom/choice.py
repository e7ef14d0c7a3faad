"""The series that is meant: by number, description or UID, several joined; never guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cardioseg.errors import FormatError
from cardioseg.io.dicom.series import Series

_JOINING = "several by their numbers (5-9,12) where each is one slice of a stack"
_NUMBERS = re.compile(r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*")


def choose_series(
    found: Sequence[Series], wanted: str | int | None = None, source: str | Path = "the input"
) -> Series:
    """The series that is meant.

    Parameters
    ----------
    found
        All series, as :func:`find_series` gives them.
    wanted
        A series number, a description or a part of one (upper and lower case alike), or a UID.
        Numbers such as `5-9,12` join series, for scanners that store each slice as one. None
        takes the only series of images.
    source
        Where they come from, for messages.

    Raises
    ------
    FormatError
        If none or several are meant; the message lists them.
    """
    if wanted is None or wanted == "":
        images = [series for series in found if not series.unfit]
        how = f"choose one (--series), or {_JOINING}" if images else "there are"
        return _only(images, images or found, f"{source}: {_counted(images)}; {how}")
    for candidates in _matches(found, str(wanted).strip()):
        if candidates:
            words = f"{source}: {len(candidates)} series fit {wanted!r}; name one, or {_JOINING}"
            return _only(candidates, candidates, words)
    numbers = str(wanted).replace(" ", "")
    if _NUMBERS.fullmatch(numbers) and not numbers.isdigit():
        return _joined(found, numbers, source)
    raise FormatError(_listed(f"{source}: no series fits {wanted!r}; there are", found))


def _joined(found: Sequence[Series], numbers: str, source: str | Path) -> Series:
    """Series of images as one: their files together.

    Raises
    ------
    FormatError
        If a number that is named has no series, two have it, or none is of images.
    """
    wanted: list[Series] = []
    for part in numbers.split(","):
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        inside = [s for s in found if s.number is not None and low <= s.number <= high]
        images = [series for series in inside if not series.unfit]
        if not images:
            raise FormatError(_listed(f"{source}: no series of images fits {part!r}", found))
        wanted += [series for series in images if series not in wanted]
    if len({series.number for series in wanted}) < len(wanted):
        raise FormatError(_listed(f"{source}: series that share a number", wanted))
    if len(wanted) == 1:
        return wanted[0]
    return replace(
        wanted[0],
        number=None,
        uid="",
        images=sum(series.images for series in wanted),
        files=tuple(file for series in wanted for file in series.files),
    )


def _matches(found: Sequence[Series], wanted: str) -> tuple[list[Series], ...]:
    """Series that fit: by UID, number, whole description, part of it; the first that any does."""
    folded = wanted.casefold()
    return (
        [series for series in found if series.uid == wanted],
        [series for series in found if str(series.number) == wanted],
        [series for series in found if series.description.casefold() == folded],
        [series for series in found if folded in series.description.casefold()],
    )


def _only(candidates: Sequence[Series], listed: Sequence[Series], words: str) -> Series:
    if len(candidates) != 1:
        raise FormatError(_listed(words, listed))
    return candidates[0]


def _counted(images: Sequence[Series]) -> str:
    return f"{len(images)} series of images" if images else "no series of images"


def _listed(words: str, series: Sequence[Series]) -> str:
    """A message and the series, one a line; twins with their UID, which alone tells them apart."""
    shown = [(each.number, each.description) for each in series]
    lines = [words + ":"]
    for each, key in zip(series, shown, strict=True):
        row = each.row
        unfit = f" ({each.unfit})" if each.unfit else ""
        twin = f", UID {each.uid}" if shown.count(key) > 1 else ""
        lines.append(
            f"  {row['number']}: {row['description']}, {row['images']} images of {row['size']}, "
            f"{row['modality']}{unfit}{twin}"
        )
    return "\n".join(lines)
