"""How far a model's measurements lay from the reference on unseen patients, as intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from cardioseg.core.measurement import Measurement
from cardioseg.errors import FormatError

CONFIDENCE = 0.95

_DECIMALS = 4


@dataclass(frozen=True)
class MeasuredError:
    """Prediction minus reference of one quantity over patients that the model had not seen.

    Parameters
    ----------
    quantity, structure, phase, unit
        As in `Measurement`.
    bias, sd
        Mean and standard deviation (n - 1) of the differences, in `unit`.
    patients
        How many, two or more.

    Raises
    ------
    FormatError
        If there are fewer than two patients or the deviation is negative.
    """

    quantity: str
    structure: str
    phase: str
    unit: str
    bias: float
    sd: float
    patients: int

    def __post_init__(self) -> None:
        if self.patients < 2 or self.sd < 0:
            raise FormatError(
                f"measured error of {self.quantity}, {self.structure}: needs two patients or more "
                f"and a deviation of 0 or more, not {self.patients} and {self.sd:g}"
            )

    @property
    def half_width(self) -> float:
        """Half of the interval that holds the next patient's difference in 95 of 100 cases.

        Student's t and the uncertainty of the bias are in it: with ten patients it is a fifth
        wider than the limits of agreement, which hold for these patients only.
        """
        from scipy import stats

        quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, self.patients - 1))
        return float(quantile * self.sd * (1 + 1 / self.patients) ** 0.5)


@dataclass(frozen=True)
class MeasuredErrors:
    """All errors of one model that were measured, and on what.

    Parameters
    ----------
    source
        Model and patients, in words.
    errors
        One for each quantity.
    """

    source: str
    errors: tuple[MeasuredError, ...]

    def with_intervals(self, measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
        """The measurements with their 95 % intervals, where the error is known.

        The interval is where the reference is expected: value minus bias, and the half-width to
        either side. Volumes, masses and fractions do not fall below 0, nor fractions above 100 %;
        an interval that is all beyond such a bound is left out.

        Examples
        --------
        >>> error = MeasuredError("ejection fraction", "LV cavity", "", "%", 1.0, 2.0, 10)
        >>> errors = MeasuredErrors("ten patients", (error,))
        >>> value = Measurement("ejection fraction", "LV cavity", 60.0, "%")
        >>> errors.with_intervals([value])[0].told
        '60.0 % (54.3 to 63.7)'
        """
        known = {(e.quantity, e.structure, e.phase, e.unit): e for e in self.errors}
        return tuple(
            _with_interval(each, known.get((each.quantity, each.structure, each.phase, each.unit)))
            for each in measurements
        )

    def to_json(self) -> str:
        """As a document that `from_json` reads."""
        errors = [
            {**asdict(e), "bias": round(e.bias, _DECIMALS), "sd": round(e.sd, _DECIMALS)}
            for e in self.errors
        ]
        record = {"format_version": 1, "source": self.source, "errors": errors}
        return json.dumps(record, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> MeasuredErrors:
        """Undo `to_json`.

        Raises
        ------
        FormatError
            If the text is not such a document.
        """
        try:
            record = json.loads(text)
            if record["format_version"] != 1:
                raise FormatError(
                    f"measured errors of format {record['format_version']}; this program reads 1"
                )
            errors = tuple(MeasuredError(**each) for each in record["errors"])
            return cls(str(record["source"]), errors)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FormatError(
                f"not a document of measured errors ({error}); write one with "
                "cardioseg function PREDICTIONS --reference KIND:FOLDER --output FOLDER"
            ) from error


def _with_interval(measurement: Measurement, error: MeasuredError | None) -> Measurement:
    if error is None or measurement.value is None:
        return measurement
    middle = measurement.value - error.bias
    low, high = middle - error.half_width, middle + error.half_width
    lowest = min(0.0, measurement.value)
    highest = max(100.0, measurement.value) if measurement.unit == "%" else high
    if high < lowest or low > highest:
        return measurement
    return replace(measurement, low=max(lowest, low), high=min(highest, high))
