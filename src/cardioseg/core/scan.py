"""A scan: what one input holds, a still volume or the frames of a cine, on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cardioseg.core.geometry import require_same_grid
from cardioseg.core.volume import Volume
from cardioseg.errors import FormatError

LARGE_VOXELS = 1 << 24
"""A volume of more voxels is large: image and labels take at least 80 MB, and scores many times
that."""

UNEVEN_MS = 1.0
"""Frames this near to their places in time are evenly apart: many scanners write whole ms."""


@dataclass(frozen=True)
class Body:
    """What volumes are indexed to; nothing that identifies a person.

    Parameters
    ----------
    height_m, weight_kg
        None where unknown.
    sex
        `F`, `M` or empty where unknown or other.
    age_years
        None where unknown.
    """

    height_m: float | None = None
    weight_kg: float | None = None
    sex: str = ""
    age_years: float | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """The frames of one acquisition.

    Parameters
    ----------
    frames
        One volume, or the frames of a cine in the order of time; all on one grid.
    times_ms
        Time of each frame after the R wave, in ms; empty where unknown.
    body
        Height, weight, sex and age where the file tells them.
    notes
        What the reader found worth telling, in plain words, without identifiers.

    Raises
    ------
    FormatError
        If there is no frame, or times and frames differ in number.
    GeometryError
        If the frames lie on different grids.

    Examples
    --------
    >>> import numpy as np
    >>> from cardioseg.core.geometry import Geometry
    >>> still = Volume(np.zeros((4, 4, 2), np.float32), Geometry((4, 4, 2), np.eye(4)))
    >>> Scan((still, still), (0.0, 40.0)).is_cine
    True
    """

    frames: tuple[Volume, ...]
    times_ms: tuple[float, ...] = ()
    body: Body = field(default_factory=Body)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.frames:
            raise FormatError("a scan needs at least one frame")
        if self.times_ms and len(self.times_ms) != len(self.frames):
            raise FormatError(f"{len(self.times_ms)} times for {len(self.frames)} frames")
        first = self.frames[0].geometry
        for number, frame in enumerate(self.frames[1:], start=2):
            require_same_grid(frame.geometry, first, f"frame {number} and frame 1")

    @property
    def is_cine(self) -> bool:
        """Whether there is more than one frame."""
        return len(self.frames) > 1

    @property
    def frame_ms(self) -> float | None:
        """Time between frames; None where unknown or uneven."""
        return even_step(self.times_ms)

    @property
    def is_large(self) -> bool:
        """Whether its frames are so large that one at a time is enough for the memory."""
        return self.frames[0].array.size > LARGE_VOXELS


def even_step(times_ms: Sequence[float]) -> float | None:
    """What lies between times that are evenly apart, in ms; None where they are not, or fewer
    than two.

    Examples
    --------
    >>> even_step((12.0, 45.0, 78.0, 112.0))
    33.333333333333336
    >>> even_step((0.0, 40.0, 80.0, 800.0)) is None
    True
    """
    if len(times_ms) < 2:
        return None
    first = times_ms[0]
    step = (times_ms[-1] - first) / (len(times_ms) - 1)
    even = all(abs(first + step * n - time) <= UNEVEN_MS for n, time in enumerate(times_ms))
    return step if even and step > 0 else None
