"""Heart function as a document: the record of a JSON file, rows of a CSV, a table for a person."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from cardioseg.core.measurement import Measurement
from cardioseg.evaluation.function import HeartFunction
from cardioseg.evaluation.function_values import EDV, EF, ESV, MASS, REGION_PREFIX
from cardioseg.evaluation.wall import THICKENING, THICKNESS

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

COLUMNS = ("subject", "quantity", "structure", "phase", "value", "unit", "low", "high", "note")

GROUPED = (EDV, ESV, EF, MASS)
"""Quantities that are told by pathology group."""

_DECIMALS = 3


def function_record(function: HeartFunction) -> dict[str, Json]:
    """The function as JSON holds it: times, curves, phases, measurements, comparisons, notes.

    Frames have their numbers: those of their files, else counted from 1.
    """
    return {
        "times_ms": list(function.times_ms),
        "volumes_ml": {
            name: [round(v, _DECIMALS) for v in curve]
            for name, curve in function.volumes_ml.items()
        },
        "frames": list(function.frame_numbers),
        "ed": function.number(function.ed),
        "es": function.number(function.es),
        "measurements": [measurement_record(each) for each in function.measurements],
        "comparisons": [
            {
                "quantity": each.measurement.quantity,
                "structure": each.measurement.structure,
                "phase": each.measurement.phase,
                "low": round(each.low, _DECIMALS),
                "high": round(each.high, _DECIMALS),
                "position": each.position,
                "certain": each.certain,
                "source": each.source,
            }
            for each in function.comparisons
        ],
        "notes": list(function.notes),
    }


def frame_number(frame: int | None) -> int | None:
    """The number of a frame as a person counts, from 1; None where there is none."""
    return None if frame is None else frame + 1


def measurement_record(measurement: Measurement) -> dict[str, Json]:
    """A measurement with its numbers rounded to a thousandth."""
    return {
        name: round(value, _DECIMALS) if isinstance(value, float) else value
        for name, value in asdict(measurement).items()
    }


def function_csv(functions: Mapping[str, HeartFunction]) -> str:
    """One row a measurement of each subject; undefined values are empty, the note says why."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for subject, function in functions.items():
        for each in function.measurements:
            writer.writerow({"subject": subject, **measurement_record(each)})
    return stream.getvalue()


def shown_rows(function: HeartFunction) -> Sequence[Mapping[str, str]]:
    """Rows of a table for a person: without regions and wall, which have their own."""
    known = {id(each.measurement): each for each in function.comparisons}
    rows = []
    for each in function.measurements:
        if each.quantity in (THICKNESS, THICKENING) or each.quantity.startswith(REGION_PREFIX):
            continue
        found = known.get(id(each))
        told = "" if found is None else f"{found.position} {found.low:.0f} to {found.high:.0f}"
        rows.append(
            {
                "quantity": each.quantity,
                "structure": each.structure,
                "phase": each.phase,
                "value": each.told,
                "healthy adults": told,
            }
        )
    return rows


def groups_markdown(functions: Mapping[str, HeartFunction], groups: Mapping[str, str]) -> str:
    """Mean and standard deviation of volumes, ejection fractions, mass and wall by group.

    The head counts a group's patients; where a value is of fewer, its own count follows it.
    """
    keys = dict.fromkeys(
        (each.quantity, each.structure, each.phase, each.unit)
        for function in functions.values()
        for each in function.measurements
        if each.quantity in GROUPED
    )
    names = sorted(set(groups.values()))
    members = {name: [s for s in functions if groups.get(s) == name] for name in names}
    heads = [f"{name} ({len(members[name])})" for name in names]
    lines = [
        "| quantity | structure | unit | " + " | ".join(heads) + " |",
        "|---|---|---|" + "---:|" * len(names),
    ]
    for quantity, structure, phase, unit in keys:
        cells = []
        for name in names:
            found = [functions[s].measurement(quantity, structure, phase) for s in members[name]]
            cells.append(_mean_told([None if m is None else m.value for m in found]))
        shown = f"{quantity}, {phase}" if quantity == MASS else quantity
        lines.append("| " + " | ".join([shown, structure, unit, *cells]) + " |")
    walls = [_mean_told([_mean_wall(functions[s]) for s in members[n]], 1) for n in names]
    lines.append("| " + " | ".join(["mean wall thickness, ED", "myocardium", "mm", *walls]) + " |")
    return "\n".join(lines)


def _mean_wall(function: HeartFunction) -> float | None:
    """Of segments 1 to 16 at end diastole."""
    known = [value for value in function.wall_ed.values_mm[:-1] if value is not None]
    return float(np.mean(known)) if known else None


def _mean_told(values: Sequence[float | None], decimals: int = 0) -> str:
    known = np.array([value for value in values if value is not None])
    if not known.size:
        return "undefined"
    spread = f" \u00b1 {known.std(ddof=1):.{decimals}f}" if known.size > 1 else ""
    count = f" ({known.size})" if known.size < len(values) else ""
    return f"{known.mean():.{decimals}f}{spread}{count}"
