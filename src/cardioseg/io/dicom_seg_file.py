"""A written SEG: its file's name, and what a report needs to refer to its segments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".seg.dcm"


@dataclass(frozen=True)
class Segment:
    """One segment of a written SEG.

    Parameters
    ----------
    structure
        Its name in the label scheme.
    number
        Its number in the SEG; the structure's value.
    tracking_id, tracking_uid
        What names this structure of this patient in every phase and in the report.
    """

    structure: str
    number: int
    tracking_id: str
    tracking_uid: str


@dataclass(frozen=True)
class SegFile:
    """A written SEG: where it is, of which phase, and what a report needs to refer to it."""

    path: Path
    phase: int
    sop_instance_uid: str
    series_instance_uid: str
    segments: tuple[Segment, ...]


def phase_path(path: Path, phase: int, count: int) -> Path:
    """The file of one phase.

    Examples
    --------
    >>> phase_path(Path("a.seg.dcm"), 6, 20).name, phase_path(Path("a.seg.dcm"), 6, 1).name
    ('a-phase07.seg.dcm', 'a.seg.dcm')
    """
    if count == 1:
        return path
    name = path.name.removesuffix(SUFFIX) if path.name.endswith(SUFFIX) else path.stem
    return path.with_name(f"{name}-phase{phase + 1:02}{path.name[len(name) :]}")
