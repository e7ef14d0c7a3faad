"""What has come of a study to the DICOM node, and what the node remembers once it is worked on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cardioseg.io.dicom_network import Uids


@dataclass
class Study:
    """What has come of one study so far."""

    job: str
    folder: Path
    sender: str
    begun: float
    touched: float
    size: int = 0
    received: list[Uids] = field(default_factory=list)
    """In the order of their files."""
    open: set[int] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    """Objects that were refused, or deleted with an earlier part of the study."""
    is_broken: bool = False
    """Whether an association was broken, and no later one has ended well."""
    doubted: set[int] = field(default_factory=set)
    """Associations that were open when another was broken: none of them makes up for it."""
    later_parts: frozenset[str] = frozenset()
    """Series of which another part has been worked on already."""

    @property
    def lack(self) -> str:
        """Why it is not whole; empty if it is."""
        told = [f"{len(self.missing)} objects are missing"] if self.missing else []
        return " and ".join(told + ["a connection was broken"] * self.is_broken)

    @property
    def instances(self) -> set[str]:
        """The objects that have come."""
        return {each.instance for each in self.received}

    def path(self, number: int) -> Path:
        """The file of an object, numbered from 1."""
        return self.folder / f"{number:06}.dcm"

    def leave_out_later_parts(self) -> bool:
        """Delete the objects of later parts; False if nothing is left."""
        for number, each in enumerate(self.received, 1):
            if each.series in self.later_parts:
                self.path(number).unlink(missing_ok=True)
        return any(each.series not in self.later_parts for each in self.received)

    def delete(self) -> None:
        """Delete all files."""
        shutil.rmtree(self.folder, ignore_errors=True)


class WorkedOn:
    """The objects of studies that were worked on, by series, each study for a while.

    Parameters
    ----------
    oldest_s
        How long a study is remembered.
    """

    def __init__(self, oldest_s: float) -> None:
        self._oldest_s = oldest_s
        self._studies: dict[str, tuple[float, dict[str, set[str]]]] = {}

    def forget(self, still_open: Collection[str]) -> None:
        """Forget old studies, but none of which more is coming."""
        now = time.monotonic()
        for key, (when, _) in list(self._studies.items()):
            if now - when > self._oldest_s and key not in still_open:
                del self._studies[key]

    def later_parts(self, key: str, received: Sequence[Uids]) -> frozenset[str]:
        """Remember a study's objects; the series of which not all remembered ones came again."""
        _, former = self._studies.get(key, (0.0, {}))
        came: dict[str, set[str]] = {}
        for each in received:
            came.setdefault(each.series, set()).add(each.instance)
        parts = frozenset(series for series in came if former.get(series, set()) - came[series])
        together = {each: former.get(each, set()) | came.get(each, set()) for each in former | came}
        self._studies[key] = time.monotonic(), together
        return parts
