"""What a clinic reads off: volumes, mass and ejection fraction against the reference's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from cardioseg.core.labels import SCHEMES
from cardioseg.evaluation.paired import BlandAltman, bland_altman
from cardioseg.evaluation.rows import VOLUME_METRICS, Row
from cardioseg.evaluation.statistics import subject_means
from cardioseg.evaluation.summary import structures_of
from cardioseg.evaluation.volumetry import (
    ONE_SLICE,
    ejection_fraction_percent,
    myocardial_mass_g,
    wall_structures,
)

VENTRICLES = ("LV cavity", "RV cavity", "LV", "RV")
"""Names that the label schemes give the cavities that eject."""

MYOCARDIUM = "myocardium"

WALL = frozenset(name for scheme in SCHEMES for name in wall_structures(scheme))
"""Names of what makes the wall: where a scheme has infarct apart, `myocardium` is the healthy."""

NO_CAVITY = "the prediction or the reference has no cavity in ED or ES"

Pairs = Mapping[tuple[str, str], tuple[float, float]]
"""Predicted and reference value by subject and case; one of a whole subject has an empty case."""


@dataclass(frozen=True)
class Agreement:
    """How well a clinical quantity agrees with the reference's.

    Parameters
    ----------
    quantity
        What it is, such as `LV cavity volume, ED`.
    unit
        `ml`, `g` or `%`.
    subjects
        Patients with a value.
    predicted, reference
        Means over patients, the cases of each averaged first.
    undefined
        Patients left out because the quantity cannot be computed, such as an ejection fraction
        of a ventricle that was missed.
    limits
        Bias and limits of agreement of one case: several frames of a patient are not averaged, or
        opposite errors would cancel. None with fewer than two patients.
    """

    quantity: str
    unit: str
    subjects: int
    predicted: float
    reference: float
    undefined: int
    limits: BlandAltman | None


@dataclass(frozen=True)
class Undefined:
    """A clinical quantity that some patients, or all, do not have, and why."""

    quantity: str
    subjects: int
    why: str


def agreements(rows: Sequence[Row]) -> tuple[Agreement, ...]:
    """Agreement of volumes by phase, of myocardial mass and of ejection fractions.

    What no patient has is not among them, see :func:`undefined_quantities`.

    Parameters
    ----------
    rows
        Rows of a report; `volume_ml` and `volume_error_ml` of whole volumes are used.
    """
    return tuple(agreement for agreement, _ in clinical_pairs(rows))


def clinical_pairs(
    rows: Sequence[Row],
) -> tuple[tuple[Agreement, tuple[tuple[float, float], ...]], ...]:
    """The agreements of :func:`agreements`, each with the pairs behind it, one pair a case."""
    found: list[tuple[str, str, Pairs, int]] = []
    for structure in structures_of(rows):
        for phase, pairs in _by_phase(rows, structure).items():
            ending = f", {phase}" if phase else ""
            found.append((f"{structure} volume{ending}", "ml", pairs, 0))
            if structure == MYOCARDIUM:
                mass = {
                    whose: (myocardial_mass_g(a), myocardial_mass_g(b))
                    for whose, (a, b) in volume_pairs(rows, WALL, phase).items()
                }
                found.append((f"{structure} mass{ending}", "g", mass, 0))
        if structure in VENTRICLES:
            fractions, undefined = _fractions(rows, structure)
            if fractions:
                found.append((f"{structure} ejection fraction", "%", fractions, undefined))
    return tuple(
        (_agreement(name, unit, pairs, undefined), tuple(pairs.values()))
        for name, unit, pairs, undefined in found
    )


def undefined_quantities(rows: Sequence[Row]) -> Iterator[Undefined]:
    """What cannot be computed of how many patients, and why: an agreement tells the others only."""
    flat = {r.subject for r in rows if r.level == "volume" and r.note == ONE_SLICE}
    if flat:
        yield Undefined("volumes, mass and ejection fraction", len(flat), ONE_SLICE)
    for structure in structures_of(rows):
        if structure in VENTRICLES and (undefined := _fractions(rows, structure)[1]):
            yield Undefined(f"{structure} ejection fraction", undefined, NO_CAVITY)


def volume_pairs(rows: Sequence[Row], structures: Collection[str], phase: str) -> Pairs:
    """Predicted and reference volume of each case in one phase, in ml, of some structures added."""
    found: dict[str, dict[tuple[str, str], float]] = {metric: {} for metric in VOLUME_METRICS}
    for r in rows:
        wanted = r.metric in found and r.structure in structures and r.phase == phase
        if wanted and r.level == "volume" and r.value is not None:
            sums, whose = found[r.metric], (r.subject, r.case)
            sums[whose] = sums.get(whose, 0.0) + r.value
    predicted, errors = (found[metric] for metric in VOLUME_METRICS)
    return {w: (value, value - errors[w]) for w, value in predicted.items() if w in errors}


def ejection_fractions(diastole: Pairs, systole: Pairs) -> tuple[Pairs, int]:
    """Ejection fractions in percent, and how many subjects with both phases have none."""
    fractions = {}
    large, small = _subject_pairs(diastole), _subject_pairs(systole)
    both = [subject for subject in large if subject in small]
    for subject in both:
        # Without a cavity at end systole too: what was missed there is no ejection of 100 %.
        if min(*large[subject], *small[subject]) > 0:
            predicted, reference = (
                ejection_fraction_percent(full, emptied)
                for full, emptied in zip(large[subject], small[subject], strict=True)
            )
            fractions[subject, ""] = (predicted, reference)
    return fractions, len(both) - len(fractions)


def _by_phase(rows: Sequence[Row], structure: str) -> dict[str, Pairs]:
    return {
        phase: pairs
        for phase in dict.fromkeys(r.phase for r in rows)
        if (pairs := volume_pairs(rows, (structure,), phase))
    }


def _fractions(rows: Sequence[Row], structure: str) -> tuple[Pairs, int]:
    phases = _by_phase(rows, structure)
    return ejection_fractions(phases.get("ED", {}), phases.get("ES", {}))


def _subject_pairs(pairs: Pairs) -> dict[str, tuple[float, float]]:
    """Means of each subject's cases."""
    predicted, reference = (
        subject_means((subject, case, pair[side]) for (subject, case), pair in pairs.items())
        for side in (0, 1)
    )
    return {subject: (value, reference[subject]) for subject, value in predicted.items()}


def _agreement(quantity: str, unit: str, pairs: Pairs, undefined: int) -> Agreement:
    means = _subject_pairs(pairs)
    predicted, reference = map(fmean, zip(*means.values(), strict=True))
    limits = None
    if len(means) > 1:
        first, second = zip(*pairs.values(), strict=True)
        limits = bland_altman(first, second, [subject for subject, _ in pairs])
    return Agreement(quantity, unit, len(means), predicted, reference, undefined, limits)
