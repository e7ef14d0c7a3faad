"""Every metric of one volume or one slice, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.overlap import BoolArray, cce_per_class, dice, jaccard
from cardioseg.evaluation.rows import ABSENT, BACKGROUND, MISSED, NO_SCORES, SPURIOUS, Row
from cardioseg.evaluation.surface import surface_distances
from cardioseg.evaluation.volumetry import slice_regions

Scores = NDArray[np.floating]

UNITS = {"cce": "nat", "hd95_mm": "mm", "assd_mm": "mm", "volume_ml": "ml", "volume_error_ml": "ml"}


@dataclass(frozen=True, eq=False)
class Section:
    """A volume or one slice of it: what is compared, how it is measured and how it is named.

    Parameters
    ----------
    prediction, reference
        Label values (I, J, K), or two axes of them for a slice.
    scores
        Probabilities (classes, ...), or None.
    spacing
        Of each axis, in mm.
    diagonal_mm
        The distance that stands for a missed or spurious structure.
    voxel_ml
        Volume of a voxel.
    tolerance_mm
        Of surface Dice.
    case, subject, slice_index, region
        As in `Row`.
    """

    prediction: NDArray[np.uint8]
    reference: NDArray[np.uint8]
    scores: Scores | None
    spacing: tuple[float, ...]
    diagonal_mm: float
    voxel_ml: float
    tolerance_mm: float
    case: str
    subject: str
    slice_index: int | None = None
    region: str = ""

    def row(self, structure: str, metric: str, value: float | None, note: str) -> Row:
        """A row of this section."""
        unit = UNITS.get(metric, "")
        return Row(
            case=self.case,
            subject=self.subject,
            structure=structure,
            metric=metric,
            value=value,
            unit=f"at {self.tolerance_mm:g} mm" if metric == "surface_dice" else unit,
            note=note,
            level="volume" if self.slice_index is None else "slice",
            slice_index=self.slice_index,
            region=self.region,
        )


def slices_of(whole: Section, reference: LabelMap, axis: int) -> Iterator[Section]:
    """The slices of a volume along one array axis; the diagonal becomes that of the slice."""
    grid = reference.geometry
    rows, columns, slices = (1 if a == axis else n for a, n in enumerate(grid.shape))
    plane = Geometry((rows, columns, slices), grid.affine)
    for index, region in enumerate(slice_regions(reference, axis)):
        yield replace(
            whole,
            prediction=np.moveaxis(whole.prediction, axis, 0)[index],
            reference=np.moveaxis(whole.reference, axis, 0)[index],
            scores=None if whole.scores is None else np.moveaxis(whole.scores, axis + 1, 0)[index],
            spacing=tuple(s for a, s in enumerate(grid.spacing) if a != axis),
            diagonal_mm=plane.diagonal_mm,
            slice_index=index,
            region=region,
        )


def section_rows(section: Section, scheme: LabelScheme) -> Iterator[Row]:
    """All rows of one section: background first, then the structures of the scheme."""
    classes = ((BACKGROUND, 0), *((s.name, s.value) for s in scheme.structures))
    entropies = _entropies(section, scheme.class_count)
    for name, value in classes:
        prediction, reference = section.prediction == value, section.reference == value
        note = _note(prediction, reference)
        yield section.row(name, "dice", dice(prediction, reference), note)
        yield section.row(name, "cce", *_entropy(entropies, value, note))
        if name == BACKGROUND:
            continue
        yield section.row(name, "jaccard", jaccard(prediction, reference), note)
        for metric, number in _surface_values(section, prediction, reference, note).items():
            yield section.row(name, metric, number, note)
        if section.slice_index is None:
            for metric, number in _volumes(section, prediction, reference, note).items():
                yield section.row(name, metric, number, note)


def _note(prediction: BoolArray, reference: BoolArray) -> str:
    there, wanted = bool(prediction.any()), bool(reference.any())
    return {(False, False): ABSENT, (False, True): MISSED, (True, False): SPURIOUS}.get(
        (there, wanted), ""
    )


def _entropies(section: Section, class_count: int) -> NDArray[np.float64] | None:
    if section.scores is None:
        return None
    classes = np.arange(class_count).reshape(-1, *(1 for _ in section.spacing))
    return cce_per_class(section.scores, section.reference[None] == classes)


def _entropy(
    entropies: NDArray[np.float64] | None, value: int, note: str
) -> tuple[float | None, str]:
    if entropies is None:
        return None, NO_SCORES
    return (None if note in {ABSENT, SPURIOUS} else float(entropies[value])), note


def _surface_values(
    section: Section, prediction: BoolArray, reference: BoolArray, note: str
) -> dict[str, float | None]:
    if note:
        worst, none = (None, None) if note == ABSENT else (section.diagonal_mm, 0.0)
        return {"hd95_mm": worst, "assd_mm": worst, "surface_dice": none}
    distances = surface_distances(prediction, reference, section.spacing)
    return {
        "hd95_mm": distances.hd95_mm,
        "assd_mm": distances.assd_mm,
        "surface_dice": distances.surface_dice(section.tolerance_mm),
    }


def _volumes(
    section: Section, prediction: BoolArray, reference: BoolArray, note: str
) -> dict[str, float | None]:
    if note == ABSENT:
        return {"volume_ml": None, "volume_error_ml": None}
    predicted = int(np.count_nonzero(prediction)) * section.voxel_ml
    expected = int(np.count_nonzero(reference)) * section.voxel_ml
    return {"volume_ml": predicted, "volume_error_ml": predicted - expected}
