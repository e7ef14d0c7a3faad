"""What several observers' label maps of one case say of each other, as tidy rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.volume import MM3_PER_ML, LabelMap
from cardioseg.evaluation.overlap import dice
from cardioseg.evaluation.rows import ABSENT, MISSED, SPURIOUS
from cardioseg.evaluation.section import Section, section_rows
from cardioseg.evaluation.staple import Staple
from cardioseg.evaluation.statistics import subject_means
from cardioseg.evaluation.volumetry import ONE_SLICE, is_one_slice

Float64Array = NDArray[np.float64]

DICE, HD95, ASSD = "dice", "hd95_mm", "assd_mm"
DIFFERENCE, VOLUME = "volume_difference_ml", "volume_ml"
SENSITIVITY, SPECIFICITY = "staple_sensitivity", "staple_specificity"

PAIR_METRICS = (DICE, HD95, ASSD, DIFFERENCE)

STAPLE_CONSENSUS = "STAPLE"
"""The second name of a reading that compares a rater with the consensus."""

ABSENT_FROM_ALL = "absent from all"

_SURFACE_TOLERANCE_MM = 2.0
_FROM_SECTION = {DICE: DICE, HD95: HD95, ASSD: ASSD, "volume_error_ml": DIFFERENCE}
_NOTES = {MISSED: "in the second only", SPURIOUS: "in the first only", ABSENT: ABSENT}


@dataclass(frozen=True)
class Reading:
    """One value of one rater, or of one pair of raters, for one structure of one case.

    Parameters
    ----------
    case, subject
        Name of the case, and whose heart it is.
    structure
        Name of the structure.
    metric
        `volume_ml`, `staple_sensitivity`, `staple_specificity` of one rater; `dice`, `hd95_mm`,
        `assd_mm`, `volume_difference_ml` (first minus second) of a pair.
    first, second
        The raters; `second` is empty where the value is of one alone.
    value
        The value in `unit`; None where it is undefined, and `note` says why.
    unit, note
        As in :class:`cardioseg.evaluation.rows.Row`.
    """

    case: str
    subject: str
    structure: str
    metric: str
    first: str
    second: str
    value: float | None
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class VolumeTable:
    """Volumes of one structure as some raters measured them.

    Parameters
    ----------
    subjects
        Whose each case is.
    volumes
        (cases, raters), in ml. Frames of a patient stay apart: where one observer draws more at end
        diastole and less at end systole, their mean would hide it.
    """

    subjects: tuple[str, ...]
    volumes: Float64Array

    @property
    def patients(self) -> int:
        """How many patients there are."""
        return len(set(self.subjects))

    def by_patient(self) -> Float64Array:
        """The mean of each patient's cases (patients, raters)."""
        whose = np.array(self.subjects)
        means = [self.volumes[whose == each].mean(axis=0) for each in dict.fromkeys(self.subjects)]
        return np.array(means, dtype=np.float64).reshape(self.patients, self.volumes.shape[1])


def read_case(labels: Mapping[str, LabelMap], case: str, subject: str) -> tuple[Reading, ...]:
    """Volumes of every rater and all metrics of every pair, on one case.

    Parameters
    ----------
    labels
        Each rater's label map by the rater's name, on one grid and in one scheme.
    case, subject
        Name of the case, and whose heart it is.

    Returns
    -------
    tuple of Reading
        A structure that both of a pair lack is undefined; one that a single rater drew counts with
        Dice 0 and with the diagonal of the grid as its distance, as in an evaluation.

    Examples
    --------
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.labels import MYOCARDIUM_BLOOD
    >>> grid = Geometry((4, 4, 4), np.eye(4))
    >>> one, two = np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)
    >>> one[:2], two[:3] = 2, 2
    >>> maps = {"A": LabelMap(one, grid, MYOCARDIUM_BLOOD),
    ...         "B": LabelMap(two, grid, MYOCARDIUM_BLOOD)}
    >>> [r.value for r in read_case(maps, "c", "s") if r.metric == "dice"]
    [None, 0.8]
    """
    found = list(_volumes(labels, case, subject))
    for first, second in combinations(labels, 2):
        found += _pair(labels, (first, second), case, subject)
    return tuple(found)


def staple_readings(
    found: Staple, observers: Sequence[str], labels: LabelMap, case: str, subject: str
) -> Iterator[Reading]:
    """How STAPLE rates each observer: sensitivity and specificity by structure.

    Parameters
    ----------
    found
        STAPLE's answer for this case.
    observers
        Their names, in STAPLE's order.
    labels
        Any label map of the case, for the structures' names.
    case, subject
        As in :func:`read_case`.
    """
    for structure in labels.scheme.structures:
        rates = {
            SENSITIVITY: found.sensitivity(structure.value),
            SPECIFICITY: found.specificity(structure.value),
        }
        for metric, values in rates.items():
            for name, value in zip(observers, values.tolist(), strict=True):
                defined = bool(np.isfinite(value))
                number, note = (value, "") if defined else (None, ABSENT_FROM_ALL)
                yield Reading(case, subject, structure.name, metric, name, "", number, "", note)


def against_consensus(
    labels: Mapping[str, LabelMap], consensus: LabelMap, case: str, subject: str
) -> Iterator[Reading]:
    """Dice of every rater with the consensus; the observers have helped to make it."""
    for name, label_map in labels.items():
        for structure in label_map.scheme.structures:
            value = dice(label_map.mask(structure.name), consensus.mask(structure.name))
            note = ABSENT if value is None else ""
            yield Reading(
                case, subject, structure.name, DICE, name, STAPLE_CONSENSUS, value, "", note
            )


def heart_box(label_maps: Sequence[LabelMap], margin: int = 0) -> tuple[slice, slice, slice]:
    """The smallest box that holds every labelled voxel of all maps; the whole grid without one.

    It is `margin` voxels wider on every side where the grid goes on.
    """
    union = np.any([label_map.array > 0 for label_map in label_maps], axis=0)
    if not union.any():
        i, j, k = (slice(0, n) for n in union.shape)
        return i, j, k
    i, j, k = (
        slice(max(int(places.min()) - margin, 0), int(places.max()) + 1 + margin)
        for places in np.nonzero(union)
    )
    return i, j, k


def patient_means(readings: Sequence[Reading]) -> dict[str, float]:
    """The mean of each patient's cases, by patient; what is undefined doesn't count."""
    return subject_means((r.subject, r.case, r.value) for r in readings if r.value is not None)


def drawn_structures(readings: Sequence[Reading]) -> tuple[str, ...]:
    """Structures that anybody drew in any case, in order: those with a Dice."""
    drawn = (r for r in readings if r.metric == DICE and r.value is not None)
    return tuple(dict.fromkeys(r.structure for r in drawn))


def volume_table(readings: Sequence[Reading], raters: Sequence[str]) -> VolumeTable:
    """Volumes of one structure as these raters compare.

    The cases count that all of them measured and one of them drew in: what somebody else drew is
    nothing to them.
    """
    found: dict[tuple[str, str], dict[str, float]] = {}
    for r in readings:
        if r.metric == VOLUME and r.first in raters and r.value is not None:
            found.setdefault((r.subject, r.case), {})[r.first] = r.value
    kept = {
        key: [volumes[name] for name in raters]
        for key, volumes in found.items()
        if len(volumes) == len(set(raters)) and any(volumes.values())
    }
    volumes = np.array(list(kept.values()), dtype=np.float64).reshape(len(kept), len(raters))
    return VolumeTable(tuple(subject for subject, _ in kept), volumes)


def readings_csv(readings: Sequence[Reading]) -> str:
    """The rows as CSV with a header; an undefined value is an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(field.name for field in fields(Reading))
    writer.writerows(astuple(reading) for reading in readings)
    return buffer.getvalue()


def _volumes(labels: Mapping[str, LabelMap], case: str, subject: str) -> Iterator[Reading]:
    one = next(iter(labels.values()))
    for structure in one.scheme.structures:
        volumes = {name: each.volume_ml(structure.name) for name, each in labels.items()}
        why = ONE_SLICE if is_one_slice(one.geometry) else ""
        why = why if any(volumes.values()) else ABSENT_FROM_ALL
        for name, volume in volumes.items():
            value, note = (None, why) if why else (volume, "")
            yield Reading(case, subject, structure.name, VOLUME, name, "", value, "ml", note)


def _pair(
    labels: Mapping[str, LabelMap], names: tuple[str, str], case: str, subject: str
) -> Iterator[Reading]:
    first, second = (labels[name] for name in names)
    # Distances don't change where both maps are empty, and a small box is much faster. Beyond the
    # heart one voxel stays: an axis of one voxel has no surface across it.
    box = heart_box((first, second), margin=1)
    grid = first.geometry
    section = Section(
        prediction=_cut(first, box),
        reference=_cut(second, box),
        scores=None,
        spacing=grid.spacing,
        diagonal_mm=grid.diagonal_mm,
        voxel_ml=grid.voxel_volume_mm3 / MM3_PER_ML,
        tolerance_mm=_SURFACE_TOLERANCE_MM,
        case=case,
        subject=subject,
    )
    structures = {structure.name for structure in first.scheme.structures}
    for row in section_rows(section, first.scheme):
        if row.structure in structures and row.metric in _FROM_SECTION:
            metric, note = _FROM_SECTION[row.metric], _NOTES.get(row.note, row.note)
            value = row.value
            if metric == DIFFERENCE and value is not None and is_one_slice(grid):
                value, note = None, ONE_SLICE
            yield Reading(case, subject, row.structure, metric, *names, value, row.unit, note)


def _cut(labels: LabelMap, box: tuple[slice, slice, slice]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(labels.array[box])
