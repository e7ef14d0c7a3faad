"""Heart function as a document: the record of a JSON file, rows of a CSV, a table for a person."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from cardioseg.core.measurement import Measurement
from cardioseg.evaluation.function import HeartFunction
from cardioseg.evaluation.function_values import REGION_PREFIX
from cardioseg.evaluation.wall import THICKENING, THICKNESS

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

COLUMNS = ("subject", "quantity", "structure", "phase", "value", "unit", "low", "high", "note")

_DECIMALS = 3


def function_record(function: HeartFunction) -> dict[str, Json]:
    """The function as JSON holds it: times, curves, phases, measurements, comparisons, notes."""
    return {
        "times_ms": list(function.times_ms),
        "volumes_ml": {
            name: [round(v, _DECIMALS) for v in curve]
            for name, curve in function.volumes_ml.items()
        },
        "ed": function.ed,
        "es": function.es,
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
