"""Which label maps are of one heart, and of which frame each is, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cardioseg.core.case import phase_of, subject_of
from cardioseg.workflows.inputs import FRAME_ENDING, Input

_FRAME = re.compile(r"_frame(\d+|(?=_|$))")

_MOST_NAMED = 3


@dataclass(frozen=True)
class Heart:
    """A heart in one view or sequence: its label files in time, and names of files left out."""

    name: str
    files: tuple[Input, ...]
    left_out: tuple[str, ...] = ()

    @property
    def frame_numbers(self) -> tuple[int, ...]:
        """Numbers of the frames by their files' names; empty where a name lacks it."""
        found = [number for each in self.files if (number := frame_of(each.name)) is not None]
        is_told = 1 < len(self.files) == len(set(found))
        return tuple(found) if is_told else ()

    @property
    def subject(self) -> str:
        """Whose heart it is; views and sequences of one subject are several here."""
        return subject_of(FRAME_ENDING.sub("", self.files[0].name))

    @property
    def note(self) -> str:
        """What is left out, in words; empty where nothing is."""
        if not self.left_out:
            return ""
        return f"{named(self.left_out)} beside {self.name} left out"


def hearts_of(files: Sequence[Input]) -> tuple[Heart, ...]:
    """The hearts that label maps are of, in the order of their first files."""
    hearts: dict[str, list[Input]] = {heart_name(each.name): [] for each in files}
    for each in sorted(files, key=_in_time):
        hearts[heart_name(each.name)].append(each)
    return tuple(_heart(name, own) for name, own in hearts.items())


def heart_name(name: str) -> str:
    """A label map's name without its frame and phase.

    View and sequence stay: what differs in them is no frame of one cine.

    Examples
    --------
    >>> [heart_name(name) for name in ("patient002_frame01", "pat4_frame09_ES", "scan-phase07")]
    ['patient002', 'pat4', 'scan']
    >>> [heart_name(name) for name in ("001_SA_ED", "001_LA_ES", "myops_training_101_DE")]
    ['001_SA', '001_LA', 'myops_training_101_DE']
    """
    plain = FRAME_ENDING.sub("", name)
    if phase := phase_of(plain):
        plain = plain.removesuffix(f"_{phase}")
    return _FRAME.sub("", plain) or name


def frame_of(name: str) -> int | None:
    """The number of the frame that a name tells; None where it tells none.

    Examples
    --------
    >>> [frame_of(name) for name in ("patient002_frame01", "scan-phase07", "scan")]
    [1, 7, None]
    """
    found = FRAME_ENDING.search(name) or _FRAME.search(name)
    return int(found[1]) if found and found[1] else None


def named(names: Sequence[str]) -> str:
    """Names in a sentence; of more than three the first two.

    Examples
    --------
    >>> named(["a", "b"]), named(["a", "b", "c", "d"])
    ('a and b', 'a, b and 2 more')
    """
    shown = list(names)
    if len(shown) > _MOST_NAMED:
        shown = [*shown[:2], f"{len(shown) - 2} more"]
    return " and ".join(", ".join(part) for part in (shown[:-1], shown[-1:]) if part)


def _heart(name: str, files: Sequence[Input]) -> Heart:
    """A heart; beside the file of the whole, its frames and phases are copies."""
    names = {each.name for each in files}
    copies = [each for each in files if _is_copy(each.name, name, names)]
    kept = tuple(each for each in files if each not in copies)
    return Heart(name, kept, tuple(each.name for each in copies))


def _is_copy(name: str, heart: str, names: set[str]) -> bool:
    is_frame = FRAME_ENDING.search(name) is not None
    return (is_frame and FRAME_ENDING.sub("", name) in names) or (
        bool(phase_of(name)) and heart in names
    )


def _in_time(file: Input) -> tuple[int, str]:
    """Frame 2 comes before frame 10, however many digits the names have."""
    return (frame_of(file.name) or 0, file.name)
