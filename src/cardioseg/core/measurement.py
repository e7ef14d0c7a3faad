"""A measurement: one clinical quantity with its unit and, where known, its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """One number that a clinic reads off.

    Parameters
    ----------
    quantity
        What was measured, such as `end-diastolic volume` or `ejection fraction`.
    structure
        Of which structure, as the label scheme names it.
    value
        The number; None where it is undefined, and `note` says why.
    unit
        UCUM: `ml`, `g`, `%`, `ml/m2`, `mm`.
    low, high
        Bounds of the 95 % interval; None where unknown.
    phase
        `ED`, `ES`, or empty where it is of the whole cycle or of a still volume.
    note
        Why it is undefined, or what to know about it.

    Examples
    --------
    >>> Measurement("ejection fraction", "LV cavity", 61.2, "%", 57.0, 65.4).told
    '61.2 % (57.0 to 65.4)'
    """

    quantity: str
    structure: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    phase: str = ""
    note: str = ""

    @property
    def told(self) -> str:
        """Value, unit and interval as one reads them out."""
        if self.value is None:
            return f"undefined: {self.note}"
        interval = (
            ""
            if self.low is None or self.high is None
            else (f" ({self.low:.1f} to {self.high:.1f})")
        )
        return f"{self.value:.1f} {self.unit}{interval}"
