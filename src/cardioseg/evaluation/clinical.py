"""What a clinic reads off: volumes, mass and ejection fraction against the reference's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from cardioseg.evaluation.paired import BlandAltman, bland_altman
from cardioseg.evaluation.rows import Row
from cardioseg.evaluation.statistics import subject_means
from cardioseg.evaluation.summary import structures_of
from cardioseg.evaluation.volumetry import ejection_fraction_percent, myocardial_mass_g

VENTRICLES = ("LV cavity", "RV cavity", "LV", "RV")
"""Names that the label schemes give the cavities that eject."""

MYOCARDIUM = "myocardium"

Pairs = Mapping[str, tuple[float, float]]
"""Predicted and reference value of each subject."""


@dataclass(frozen=True)
class Agreement:
    """How well a clinical quantity agrees with the reference's, one pair a patient.

    Parameters
    ----------
    quantity
        What it is, such as `LV cavity volume, ED`.
    unit
        `ml`, `g` or `%`.
    predicted, reference
        Means over patients.
    undefined
        Patients left out because the quantity cannot be computed, such as an ejection fraction
        of a ventricle that was missed.
    limits
        Bias and limits of agreement; None with fewer than two patients.
    """

    quantity: str
    unit: str
    subjects: int
    predicted: float
    reference: float
    undefined: int
    limits: BlandAltman | None


def agreements(rows: Sequence[Row]) -> tuple[Agreement, ...]:
    """Agreement of volumes by phase, of myocardial mass and of ejection fractions.

    Parameters
    ----------
    rows
        Rows of a report; `volume_ml` and `volume_error_ml` of whole volumes are used.
    """
    return tuple(agreement for agreement, _ in clinical_pairs(rows))


def clinical_pairs(
    rows: Sequence[Row],
) -> tuple[tuple[Agreement, tuple[tuple[float, float], ...]], ...]:
    """The agreements of :func:`agreements`, each with the pairs behind it, one pair a patient."""
    found: list[tuple[str, str, Pairs, int]] = []
    for structure in structures_of(rows):
        phases = {
            phase: pairs
            for phase in dict.fromkeys(r.phase for r in rows)
            if (pairs := volume_pairs(rows, structure, phase))
        }
        for phase, pairs in phases.items():
            ending = f", {phase}" if phase else ""
            found.append((f"{structure} volume{ending}", "ml", pairs, 0))
            if structure == MYOCARDIUM:
                mass = _each(pairs, myocardial_mass_g)
                found.append((f"{structure} mass{ending}", "g", mass, 0))
        if structure in VENTRICLES and {"ED", "ES"} <= phases.keys():
            fractions, undefined = ejection_fractions(phases["ED"], phases["ES"])
            if fractions:
                found.append((f"{structure} ejection fraction", "%", fractions, undefined))
    return tuple(
        (_agreement(name, unit, pairs, undefined), tuple(pairs.values()))
        for name, unit, pairs, undefined in found
    )


def volume_pairs(rows: Sequence[Row], structure: str, phase: str) -> Pairs:
    """Predicted and reference volume of each subject in one phase, in ml."""
    chosen = [
        r
        for r in rows
        if r.structure == structure and r.phase == phase and r.level == "volume"
        if r.value is not None
    ]
    predicted, errors = (
        subject_means((r.subject, r.case, r.value or 0.0) for r in chosen if r.metric == metric)
        for metric in ("volume_ml", "volume_error_ml")
    )
    return {s: (predicted[s], predicted[s] - errors[s]) for s in predicted if s in errors}


def ejection_fractions(diastole: Pairs, systole: Pairs) -> tuple[Pairs, int]:
    """Ejection fractions in percent, and how many subjects with both phases have none."""
    fractions = {}
    both = [subject for subject in diastole if subject in systole]
    for subject in both:
        # Without a cavity at end systole too: what was missed there is no ejection of 100 %.
        if min(*diastole[subject], *systole[subject]) > 0:
            predicted, reference = (
                ejection_fraction_percent(large, small)
                for large, small in zip(diastole[subject], systole[subject], strict=True)
            )
            fractions[subject] = (predicted, reference)
    return fractions, len(both) - len(fractions)


def _each(pairs: Pairs, function: Callable[[float], float]) -> Pairs:
    return {subject: (function(a), function(b)) for subject, (a, b) in pairs.items()}


def _agreement(quantity: str, unit: str, pairs: Pairs, undefined: int) -> Agreement:
    predicted, reference = zip(*pairs.values(), strict=True)
    limits = bland_altman(predicted, reference) if len(pairs) > 1 else None
    return Agreement(
        quantity, unit, len(pairs), fmean(predicted), fmean(reference), undefined, limits
    )
