"""From volumes at end diastole and end systole to the measurements that a clinic knows by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cardioseg.core.measurement import Measurement
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.cycle import FRAMES_FOR_RATES, Phases, Rates
from cardioseg.evaluation.function_timing import Beat
from cardioseg.evaluation.volumetry import (
    REGIONS,
    ejection_fraction_percent,
    myocardial_mass_g,
    slice_regions,
    volume_ml,
)

EDV, ESV = "end-diastolic volume", "end-systolic volume"
SV, EF = "stroke volume", "ejection fraction"
OUTPUT = "cardiac output"
MASS = "myocardial mass"
REGION_PREFIX = "volume, "
EJECTION_RATE, FILLING_RATE = "peak ejection rate", "peak filling rate"

INDEXED = (EDV, ESV, SV, OUTPUT, MASS)
"""Quantities that are divided by body surface."""

MASSES_AGREE = 0.3
"""A larger share between the phases is told. Muscle keeps its mass, but expert masks do not: those
of 80 ACDC patients hold 15 % more at end systole on average, 8 of them over 30 %."""

NO_EJECTION = "no smaller at end systole than at end diastole: look at the contours"
NO_RATES = f"rates need the times of {FRAMES_FOR_RATES} frames"

_ML_PER_L = 1000.0


@dataclass(frozen=True)
class _Maker:
    """Makes measurements of one structure, each with the note that all of them carry."""

    structure: str
    note: str

    def of(
        self, quantity: str, value: float | None, unit: str, phase: str = "", why: str = ""
    ) -> Measurement:
        told = "; ".join(part for part in (why, self.note) if part)
        return Measurement(quantity, self.structure, value, unit, phase=phase, note=told)

    def no_function(self, why: str) -> tuple[Measurement, ...]:
        return (
            self.of(SV, None, "ml", "", why),
            self.of(EF, None, "%", "", why),
            self.of(OUTPUT, None, "l/min", "", why),
            *self.no_rates(why),
        )

    def no_rates(self, why: str) -> tuple[Measurement, ...]:
        return tuple(self.of(rate, None, "ml/s", "", why) for rate in (EJECTION_RATE, FILLING_RATE))


def cavity_measurements(
    structure: str,
    curve_ml: Sequence[float],
    phases: Phases,
    timing: tuple[Beat | None, Rates | None],
    note: str = "",
) -> tuple[Measurement, ...]:
    """Volumes, stroke volume, ejection fraction, output and rates of one cavity.

    Parameters
    ----------
    structure
        Its name.
    curve_ml
        Its volume in each frame.
    phases
        End diastole and end systole of the heart: of the right ventricle too, whose own extremes
        may lie a frame beside.
    timing
        Heart rate and steepest slopes; None where unknown.
    note
        What to know about every value.
    """
    cavity = _Maker(structure, note)
    if not any(curve_ml):
        return undefined_cavity(structure, f"no {structure} in any frame", note)
    if phases.ed is None or phases.es is None:
        why = phases.notes[0] if phases.notes else "no end diastole and end systole"
        still = [cavity.of("volume", v, "ml", "", "of the one frame") for v in curve_ml]
        shown = still if len(curve_ml) == 1 else []
        return (*shown, *undefined_cavity(structure, why, note))
    large, small = curve_ml[phases.ed], curve_ml[phases.es]
    no_large = "" if large > 0 else f"no {structure} at end diastole"
    # A cavity that is gone at end systole is a failed segmentation, not a perfect ejection.
    no_small = "" if small > 0 else f"no {structure} at end systole: missed, or emptied"
    volumes = (
        cavity.of(EDV, large or None, "ml", "ED", no_large),
        cavity.of(ESV, small or None, "ml", "ES", no_small),
    )
    why = no_large or no_small or (NO_EJECTION if small >= large else "")
    if why:
        return (*volumes, *cavity.no_function(why))
    return (
        *volumes,
        cavity.of(SV, large - small, "ml"),
        cavity.of(EF, ejection_fraction_percent(large, small), "%"),
        *_timed(cavity, large - small, timing),
    )


def undefined_cavity(structure: str, why: str, note: str = "") -> tuple[Measurement, ...]:
    """Every measurement of a cavity without a value, with the reason and the note of all."""
    cavity = _Maker(structure, note)
    return (
        cavity.of(EDV, None, "ml", "ED", why),
        cavity.of(ESV, None, "ml", "ES", why),
        *cavity.no_function(why),
    )


def _timed(
    cavity: _Maker, stroke_ml: float, timing: tuple[Beat | None, Rates | None]
) -> tuple[Measurement, ...]:
    beat, rates = timing
    if beat is None:
        return (cavity.of(OUTPUT, None, "l/min", "", "no heart rate"), *cavity.no_rates(NO_RATES))
    output = cavity.of(OUTPUT, stroke_ml * beat.per_min / _ML_PER_L, "l/min", "", beat.note)
    if rates is None:
        return (output, *cavity.no_rates(NO_RATES))
    return (
        output,
        cavity.of(EJECTION_RATE, rates.ejection_ml_per_s, "ml/s"),
        cavity.of(FILLING_RATE, rates.filling_ml_per_s, "ml/s"),
    )


def mass_measurements(
    structure: str, curve_ml: Sequence[float], phases: Phases, note: str = ""
) -> tuple[Measurement, ...]:
    """Mass of the muscle at end diastole, and at end systole for comparison.

    Parameters
    ----------
    structure
        Its name.
    curve_ml
        Volume of the whole wall in each frame.
    phases
        End diastole and end systole.
    note
        What to know about every value.
    """
    muscle = _Maker(structure, note)
    masses = [myocardial_mass_g(volume) for volume in curve_ml]
    if phases.ed is None or phases.es is None:
        why = phases.notes[0] if phases.notes else "no end diastole and end systole"
        values = undefined_mass(structure, why, note)
        if len(masses) == 1 and masses[0] > 0:
            return (*values, muscle.of(MASS, masses[0], "g", "", "of the one frame"))
        return values
    large, small = masses[phases.ed], masses[phases.es]
    apart = abs(large - small) / max(large, small, 1e-9)
    told = f"ED and ES differ by {100 * apart:.0f} %: muscle keeps its mass, look at the contours"
    why = told if apart > MASSES_AGREE else ""
    return tuple(
        muscle.of(MASS, mass, "g", phase, why)
        if mass > 0
        else muscle.of(MASS, None, "g", phase, f"no {structure} at {phase}")
        for phase, mass in (("ED", large), ("ES", small))
    )


def undefined_mass(structure: str, why: str, note: str = "") -> tuple[Measurement, ...]:
    """The mass in both phases without a value, with the reason."""
    return tuple(_Maker(structure, note).of(MASS, None, "g", p, why) for p in ("ED", "ES"))


def region_volumes(
    labels: LabelMap, structures: Iterable[str], phase: str
) -> tuple[Measurement, ...]:
    """Volume of each structure in the basal, middle and apical third of the labelled slices.

    Each phase has its own thirds: the base moves down by a slice or two during systole.
    """
    axis = labels.geometry.native_axis
    regions = () if axis is None else slice_regions(labels, axis)
    values = []
    for structure in structures:
        mask = labels.mask(structure)
        is_there = bool(mask.any())
        for region in REGIONS:
            quantity = f"{REGION_PREFIX}{region}"
            value, why = None, ""
            if region not in regions or axis is None:
                why = "base and apex cannot be told: no stack of slices with a left ventricle"
            elif not is_there:
                why = f"no {structure} at {phase}"
            else:
                inside = [index for index, name in enumerate(regions) if name == region]
                value = volume_ml(mask.take(inside, axis=axis), labels.geometry)
            values.append(Measurement(quantity, structure, value, "ml", phase=phase, note=why))
    return tuple(values)


def indexed(measurements: Iterable[Measurement], surface_m2: float) -> tuple[Measurement, ...]:
    """Volumes, output and mass by body surface, with their intervals.

    Parameters
    ----------
    measurements
        Any; those that are not indexed are passed over.
    surface_m2
        Body surface area; taken as exact.
    """
    return tuple(
        replace(
            each,
            quantity=f"{each.quantity} index",
            unit="l/min/m2" if each.quantity == OUTPUT else f"{each.unit}/m2",
            value=_divided(each.value, surface_m2),
            low=_divided(each.low, surface_m2),
            high=_divided(each.high, surface_m2),
        )
        for each in measurements
        if each.quantity in INDEXED
    )


def _divided(value: float | None, by: float) -> float | None:
    return None if value is None else value / by
