"""A row of a report: one value of one metric, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from cardioseg.errors import FormatError

Level = Literal["volume", "slice"]
"""A value of a whole volume or of one slice. The two are never compared with each other."""

LEVELS: tuple[Level, ...] = ("volume", "slice")

BACKGROUND = "background"

VOLUME_METRICS = ("volume_ml", "volume_error_ml")
"""Metrics in ml, which a single slice does not have."""

ABSENT = "absent from both"
"""Note of an undefined value: neither prediction nor reference has the structure."""

MISSED = "missed"
"""Note: the reference has the structure, the prediction does not."""

SPURIOUS = "spurious"
"""Note: the prediction has the structure, the reference does not."""

NO_SCORES = "undefined: no scores"
"""Note of a cross-entropy that cannot be computed from labels alone."""


@dataclass(frozen=True)
class Row:
    """One value of one metric for one structure of one case.

    Parameters
    ----------
    case
        Name of the case.
    subject
        Whose heart it is; the unit of all statistics.
    structure
        Name of the structure, or `background`.
    metric
        Name of the metric, such as `dice` or `hd95_mm`.
    value
        The value in `unit`; None where it is undefined.
    unit
        Unit, or what a bare number refers to; empty for a plain fraction.
    note
        Why the value is undefined or a worst case; empty for an ordinary value.
    level
        `volume` or `slice`.
    slice_index
        Index of the slice along the slice axis, from 0; None for a volume.
    region
        `base`, `mid` or `apex` of a slice where it is known, else empty.
    group, phase
        Pathology group, and `ED` or `ES`, as the data set names them; empty where unknown.

    Raises
    ------
    FormatError
        If the value is NaN or infinite, or is undefined without a note.

    Examples
    --------
    >>> Row("patient002_frame01", "patient002", "myocardium", "dice", 0.91).value
    0.91
    """

    case: str
    subject: str
    structure: str
    metric: str
    value: float | None
    unit: str = ""
    note: str = ""
    level: Level = "volume"
    slice_index: int | None = None
    region: str = ""
    group: str = ""
    phase: str = ""

    def __post_init__(self) -> None:
        where = f"{self.case}, {self.structure}, {self.metric}"
        if self.value is None and not self.note:
            raise FormatError(f"{where}: an undefined value needs a note that says why")
        if self.value is not None and not math.isfinite(self.value):
            raise FormatError(f"{where}: {self.value} is not a finite number; undefined is None")
        if self.level not in LEVELS or (self.level == "slice") != (self.slice_index is not None):
            raise FormatError(
                f"{where}: level {self.level!r} with slice {self.slice_index}; a row is of level "
                "'volume' without a slice or of level 'slice' with one"
            )
