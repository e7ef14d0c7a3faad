"""What is measured of each structure of a scheme: cavities, the muscle, thirds of the slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cardioseg.core.labels import LabelScheme
from cardioseg.core.measurement import Measurement
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.cycle import Phases
from cardioseg.evaluation.function_timing import Beat, rates_of
from cardioseg.evaluation.function_values import (
    cavity_measurements,
    mass_measurements,
    region_volumes,
    undefined_cavity,
    undefined_mass,
)
from cardioseg.evaluation.volumetry import (
    ONE_SLICE,
    blood_pool,
    for_volumes,
    is_one_slice,
    left_ventricle,
    myocardium,
    right_ventricle,
    wall_structures,
)

BLOOD_POOL_NOTE = (
    "of all blood that is labelled together, not of a ventricle: both ventricles, and whatever "
    "atria and vessels the label map holds"
)


def structure_measurements(
    labels: Sequence[LabelMap],
    curves: Mapping[str, tuple[float, ...]],
    phases: Phases,
    timing: tuple[Sequence[float], Beat | None],
) -> tuple[Measurement, ...]:
    """Volumes and function of each cavity, the mass, and the volumes by thirds of the slices.

    Parameters
    ----------
    labels
        One label map a frame; on a grid of one slice all is undefined.
    curves
        Volume curve of each structure, in ml.
    phases
        End diastole and end systole.
    timing
        Times of the frames, in ms, and the beat.
    """
    if is_one_slice(labels[0].geometry):
        values = _without_volumes(labels[0].scheme)
    else:
        values = _with_volumes(labels, curves, phases, timing)
    return (*values, *_regions(labels, phases))


def _with_volumes(
    labels: Sequence[LabelMap],
    curves: Mapping[str, tuple[float, ...]],
    phases: Phases,
    timing: tuple[Sequence[float], Beat | None],
) -> tuple[Measurement, ...]:
    scheme = labels[0].scheme
    times_ms, beat = timing
    values: tuple[Measurement, ...] = ()
    for name, note in _cavities(scheme):
        rates = rates_of(curves[name], times_ms, beat)
        values += cavity_measurements(name, curves[name], phases, (beat, rates), note)
    muscle, note = _muscle(scheme)
    if muscle is None:
        return values
    walls = [for_volumes(each).volume_ml(muscle) for each in labels]
    return (*values, *mass_measurements(muscle, walls, phases, note))


def _without_volumes(scheme: LabelScheme) -> tuple[Measurement, ...]:
    """The same measurements on a grid of one slice: all undefined."""
    values = [
        each for name, note in _cavities(scheme) for each in undefined_cavity(name, ONE_SLICE, note)
    ]
    muscle, _ = _muscle(scheme)
    return (*values, *(() if muscle is None else undefined_mass(muscle, ONE_SLICE)))


def _cavities(scheme: LabelScheme) -> list[tuple[str, str]]:
    """Names of what is measured as a cavity, each with the note of its values."""
    ventricles = (left_ventricle(scheme), right_ventricle(scheme))
    blood = blood_pool(scheme)
    named = [(name, "") for name in ventricles if name is not None]
    return named if blood is None else [*named, (blood, BLOOD_POOL_NOTE)]


def _muscle(scheme: LabelScheme) -> tuple[str | None, str]:
    """Name of the muscle, and what else counts as its wall."""
    muscle = myocardium(scheme)
    others = [name for name in wall_structures(scheme) if name != muscle]
    return muscle, f"of the whole wall, with {', '.join(others)}" if others else ""


def _regions(labels: Sequence[LabelMap], phases: Phases) -> tuple[Measurement, ...]:
    names = [s.name for s in labels[0].scheme.structures]
    named = (("ED", phases.ed), ("ES", phases.es))
    return tuple(
        each
        for phase, frame in named
        if frame is not None
        for each in region_volumes(labels[frame], names, phase)
    )
