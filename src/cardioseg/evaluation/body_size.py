"""Body surface area, and the published ranges of healthy adults that values are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cardioseg.core.measurement import Measurement
from cardioseg.core.scan import Body

Position = Literal["below", "within", "above"]

HEIGHT_M = (0.3, 2.6)
WEIGHT_KG = (1.0, 400.0)
"""Outside these a header's height or weight is taken for a mistake, such as centimetres."""

ADULT_YEARS = 18.0

_CM2_KG_PER_M4 = 3600.0
_SPREAD = 1.96
"""Standard deviations that hold 95 % of a normal distribution."""


def body_surface_m2(body: Body) -> tuple[float | None, str]:
    """Body surface area by Mosteller's formula, or None and why.

    Parameters
    ----------
    body
        Height in m and weight in kg.

    Returns
    -------
    float or None
        Square root of height (cm) times weight (kg) by 3600, in m^2.
    str
        Why there is none; empty if there is one.

    References
    ----------
    Mosteller, N Engl J Med 317 (1987) 1098, doi:10.1056/NEJM198710223171717.

    Examples
    --------
    >>> body_surface_m2(Body(height_m=1.8, weight_kg=80.0))
    (2.0, '')
    """
    if body.height_m is None or body.weight_kg is None:
        return None, "height and weight are not both known"
    if not HEIGHT_M[0] <= body.height_m <= HEIGHT_M[1]:
        return None, f"height {body.height_m:g} m is not a person's; give it in metres"
    if not WEIGHT_KG[0] <= body.weight_kg <= WEIGHT_KG[1]:
        return None, f"weight {body.weight_kg:g} kg is not a person's; give it in kilograms"
    return (100.0 * body.height_m * body.weight_kg / _CM2_KG_PER_M4) ** 0.5, ""


@dataclass(frozen=True)
class Range:
    """Where 95 % of healthy adults of one sex lie.

    Parameters
    ----------
    quantity, structure, phase, unit
        As in `Measurement`.
    sex
        `F` or `M`.
    mean, sd
        As published; the range is mean -+ 1.96 sd.
    source
        Where it was read.
    ages
        Years of the youngest and the oldest of them.
    """

    quantity: str
    structure: str
    phase: str
    unit: str
    sex: str
    mean: float
    sd: float
    source: str
    ages: tuple[int, int]

    @property
    def low(self) -> float:
        """Lower end."""
        return self.mean - _SPREAD * self.sd

    @property
    def high(self) -> float:
        """Upper end."""
        return self.mean + _SPREAD * self.sd


_PETERSEN = (
    "Petersen et al., J Cardiovasc Magn Reson 2017, doi:10.1186/s12968-017-0327-9: abstract; "
    "healthy Caucasians of 45 to 74 years, papillary muscles in the cavity"
)
_HUDSMITH = (
    "Hudsmith et al., J Cardiovasc Magn Reson 2005, doi:10.1080/10976640500295516: abstract; 63 "
    "men and 45 women of 21 to 68 years"
)
_PETERSEN_AGES, _HUDSMITH_AGES = (45, 74), (21, 68)
_LV_EF = ("ejection fraction", "LV cavity", "", "%")
_MASS = ("myocardial mass index", "myocardium", "ED", "g/m2")
_RV_EDV = ("end-diastolic volume", "RV cavity", "ED", "ml")
_RV_ESV = ("end-systolic volume", "RV cavity", "ES", "ml")

RANGES: tuple[Range, ...] = (
    Range(*_LV_EF, "F", 61.0, 5.0, _PETERSEN, _PETERSEN_AGES),
    Range(*_LV_EF, "M", 58.0, 5.0, _PETERSEN, _PETERSEN_AGES),
    Range(*_MASS, "F", 42.0, 7.0, _PETERSEN, _PETERSEN_AGES),
    Range(*_MASS, "M", 53.0, 9.0, _PETERSEN, _PETERSEN_AGES),
    Range(*_RV_EDV, "F", 148.0, 35.0, _HUDSMITH, _HUDSMITH_AGES),
    Range(*_RV_EDV, "M", 190.0, 33.0, _HUDSMITH, _HUDSMITH_AGES),
    Range(*_RV_ESV, "F", 56.0, 18.0, _HUDSMITH, _HUDSMITH_AGES),
    Range(*_RV_ESV, "M", 78.0, 20.0, _HUDSMITH, _HUDSMITH_AGES),
)
"""Ranges whose figures were read in the source itself. Others are left out rather than guessed."""


@dataclass(frozen=True)
class Comparison:
    """A measurement beside the range of healthy adults.

    Parameters
    ----------
    measurement
        The value.
    low, high
        Ends of the range, in the unit of the measurement.
    position
        Where the value lies.
    certain
        Whether the whole 95 % interval of the value lies on that side; False without an interval.
    source
        Of the range.
    """

    measurement: Measurement
    low: float
    high: float
    position: Position
    certain: bool
    source: str


def compare_with_healthy(
    measurements: Sequence[Measurement], body: Body
) -> tuple[tuple[Comparison, ...], str]:
    """Hold measurements against the ranges of healthy adults of the same sex.

    Returns
    -------
    tuple of Comparison
        Only of quantities that a range is known for.
    str
        Why nothing was compared, or that the ranges are of other ages; empty otherwise.

    Examples
    --------
    >>> value = Measurement("ejection fraction", "LV cavity", 35.0, "%", 30.0, 40.0)
    >>> (found,), _ = compare_with_healthy([value], Body(sex="M", age_years=50))
    >>> found.position, found.certain
    ('below', True)
    """
    if body.sex not in ("F", "M"):
        return (), "no comparison with healthy adults: the ranges are by sex, which is not known"
    if body.age_years is not None and body.age_years < ADULT_YEARS:
        return (), "no comparison with healthy adults: the ranges are not of children"
    ranges = {(r.quantity, r.structure, r.phase, r.unit): r for r in RANGES if r.sex == body.sex}
    found = []
    for each in measurements:
        known = ranges.get((each.quantity, each.structure, each.phase, each.unit))
        if known is not None and each.value is not None:
            found.append(_comparison(each, each.value, known))
    return tuple(found), _other_ages(body.age_years, list(ranges.values()))


def _other_ages(age_years: float | None, ranges: Sequence[Range]) -> str:
    """Whose ranges they are, where the patient is younger or older than all of some range's."""
    ages = dict.fromkeys(each.ages for each in ranges)
    others = [f"{low} to {high}" for low, high in ages if not low <= (age_years or low) <= high]
    if not others:
        return ""
    return f"the patient is {age_years:g} years old; some ranges are of {', '.join(others)} years"


def _comparison(measurement: Measurement, value: float, known: Range) -> Comparison:
    position = _position(value, known)
    ends = (measurement.low, measurement.high)
    certain = all(end is not None and _position(end, known) == position for end in ends)
    return Comparison(measurement, known.low, known.high, position, certain, known.source)


def _position(value: float, known: Range) -> Position:
    if value < known.low:
        return "below"
    return "above" if value > known.high else "within"
