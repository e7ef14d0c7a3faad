"""Function from predictions against function from references, over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cardioseg.core.measurement import Measurement
from cardioseg.evaluation.function import HeartFunction
from cardioseg.evaluation.function_values import EDV, EF, ESV, MASS, SV
from cardioseg.evaluation.measured_errors import MeasuredError, MeasuredErrors
from cardioseg.evaluation.paired import BlandAltman, bland_altman

COMPARED = (EDV, ESV, SV, EF, MASS)
"""Quantities that are held against the reference."""


@dataclass(frozen=True)
class FunctionPair:
    """Function of one patient, twice.

    Parameters
    ----------
    subject, group
        Whose heart, and its pathology group; empty where unknown.
    predicted, reference
        From the prediction's and from the reference's label maps, in the same phases.
    """

    subject: str
    group: str
    predicted: HeartFunction
    reference: HeartFunction


@dataclass(frozen=True)
class QuantityAgreement:
    """Agreement of one quantity, one pair a patient.

    Parameters
    ----------
    quantity, structure, phase, unit
        As in `Measurement`.
    values
        Of each patient: predicted and reference.
    undefined
        Patients left out because either is undefined.
    """

    quantity: str
    structure: str
    phase: str
    unit: str
    values: Mapping[str, tuple[float, float]]
    undefined: tuple[str, ...]

    @property
    def mean_absolute_error(self) -> float:
        """Mean over patients of the absolute difference, in `unit`."""
        return float(np.mean([abs(p - r) for p, r in self.values.values()]))

    @property
    def limits(self) -> BlandAltman | None:
        """Bias and limits of agreement; None with fewer than two patients."""
        if len(self.values) < 2:
            return None
        predicted, reference = zip(*self.values.values(), strict=True)
        return bland_altman(predicted, reference)

    @property
    def correlation(self) -> float | None:
        """Pearson's r; None with fewer than three patients or without spread."""
        table = np.array(list(self.values.values()))
        if len(table) < 3 or not table.std(axis=0).all():
            return None
        return float(np.corrcoef(table.T)[0, 1])

    @property
    def error(self) -> MeasuredError | None:
        """The error as an interval needs it; None with fewer than two patients."""
        if len(self.values) < 2:
            return None
        differences = np.array([p - r for p, r in self.values.values()])
        return MeasuredError(
            self.quantity,
            self.structure,
            self.phase,
            self.unit,
            bias=float(differences.mean()),
            sd=float(differences.std(ddof=1)),
            patients=len(differences),
        )


def function_agreement(pairs: Sequence[FunctionPair]) -> tuple[QuantityAgreement, ...]:
    """Agreement of volumes, ejection fractions and mass, in the order of the measurements.

    Raises
    ------
    ValueError
        If there is no pair.
    """
    if not pairs:
        raise ValueError("no pair of functions to compare")
    keys = dict.fromkeys(
        (each.quantity, each.structure, each.phase, each.unit)
        for pair in pairs
        for each in pair.reference.measurements
        if each.quantity in COMPARED
    )
    return tuple(_agreement(key, pairs) for key in keys)


def _agreement(key: tuple[str, str, str, str], pairs: Sequence[FunctionPair]) -> QuantityAgreement:
    values, undefined = {}, []
    for pair in pairs:
        both = [_value(f.measurement(*key[:3])) for f in (pair.predicted, pair.reference)]
        if both[0] is None or both[1] is None:
            undefined.append(pair.subject)
        else:
            values[pair.subject] = (both[0], both[1])
    return QuantityAgreement(*key, values, tuple(undefined))


@dataclass(frozen=True)
class WallAgreement:
    """Wall thickness of segments 1 to 16 in one phase, prediction minus reference, pooled.

    Parameters
    ----------
    phase
        `ED` or `ES`.
    segments
        Segments that both have, of all patients.
    undefined
        Segments that either lacks.
    bias_mm, sd_mm, mean_absolute_error_mm
        Over the segments; they are not independent of each other, so there is no interval.
    """

    phase: str
    segments: int
    undefined: int
    bias_mm: float
    sd_mm: float
    mean_absolute_error_mm: float


def wall_agreement(pairs: Sequence[FunctionPair]) -> tuple[WallAgreement, ...]:
    """Agreement of wall thickness by segment; empty where fewer than two segments are known."""
    found = []
    for phase in ("ED", "ES"):
        walls = [
            (p.predicted.wall_ed, p.reference.wall_ed)
            if phase == "ED"
            else (p.predicted.wall_es, p.reference.wall_es)
            for p in pairs
        ]
        both = [
            (predicted, reference)
            for one, other in walls
            for predicted, reference in zip(one.values_mm[:-1], other.values_mm[:-1], strict=True)
        ]
        known = np.array([p - r for p, r in both if p is not None and r is not None])
        if len(known) > 1:
            spread, absolute = float(known.std(ddof=1)), float(np.abs(known).mean())
            missing = len(both) - len(known)
            mean = float(known.mean())
            found.append(WallAgreement(phase, len(known), missing, mean, spread, absolute))
    return tuple(found)


def wall_markdown(found: Sequence[WallAgreement]) -> str:
    """A table of the wall's agreement."""
    lines = [
        "| wall thickness, segments 1 to 16 | segments | undefined | bias (mm) | sd (mm) "
        "| mean absolute error (mm) |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {w.phase} | {w.segments} | {w.undefined} | {w.bias_mm:+.2f} | {w.sd_mm:.2f} "
        f"| {w.mean_absolute_error_mm:.2f} |"
        for w in found
    ]
    return "\n".join(lines)


def _value(measurement: Measurement | None) -> float | None:
    return None if measurement is None else measurement.value


def measured_errors(found: Sequence[QuantityAgreement], source: str) -> MeasuredErrors:
    """The errors that intervals are made of, of all quantities with two patients or more."""
    errors = (each.error for each in found if each.values)
    return MeasuredErrors(source, tuple(error for error in errors if error is not None))


def agreement_markdown(found: Sequence[QuantityAgreement]) -> str:
    """A table: means, bias, limits of agreement, mean absolute error and correlation."""
    lines = [
        "| quantity | structure | unit | patients | predicted | reference | bias "
        "| limits of agreement | mean absolute error | r |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in found:
        name = f"{each.quantity}, {each.phase}" if each.quantity == MASS else each.quantity
        count = f"{len(each.values)}" + (
            f" ({len(each.undefined)} undefined)" * bool(each.undefined)
        )
        if not each.values:
            cells = ["", "", "", "", "", ""]
        else:
            predicted, reference = np.mean(list(each.values.values()), axis=0)
            limits, r = each.limits, each.correlation
            cells = [
                f"{predicted:.1f}",
                f"{reference:.1f}",
                "" if limits is None else f"{limits.bias:+.1f}",
                "" if limits is None else f"{limits.lower:.1f} to {limits.upper:.1f}",
                f"{each.mean_absolute_error:.1f}",
                "" if r is None else f"{r:.3f}",
            ]
        lines.append("| " + " | ".join([name, each.structure, each.unit, count, *cells]) + " |")
    return "\n".join(lines)
