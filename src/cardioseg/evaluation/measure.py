"""Measure a prediction against its reference: every metric, per volume and per slice.

Where a structure is missing, the same rule holds for every metric, so that a failure never
improves a mean:

- absent from both: undefined, noted, counted; never 0 or 1;
- in the reference only (`missed`) or in the prediction only (`spurious`): overlap and surface
  Dice are 0 and surface distances are the grid's diagonal (of the slice, for a slice);
- the cross-entropy of a class that the reference lacks would be 0, the best value there is,
  whatever was predicted: it is undefined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardioseg.core.case import Case, subject_of
from cardioseg.core.geometry import Geometry, require_same_grid
from cardioseg.core.volume import MM3_PER_ML, LabelMap
from cardioseg.errors import GeometryError, LabelError
from cardioseg.evaluation.report import Report
from cardioseg.evaluation.rows import VOLUME_METRICS
from cardioseg.evaluation.section import Scores, Section, section_rows, slices_of
from cardioseg.evaluation.volumetry import ONE_SLICE, is_one_slice, slice_regions

SCORE_TOLERANCE = 1e-2
"""How far the scores of a voxel may be from adding up to 1 (they may be stored as float16)."""


@dataclass(frozen=True)
class Settings:
    """Choices of an evaluation.

    Parameters
    ----------
    tolerance_mm
        Distance within which surface Dice counts a boundary point as right, in mm.
    slice_axis
        Array axis along which slices are stacked, 0 to 2. None: the axis of the largest spacing;
        where two spacings tie for it there are no native slices and no slice rows.
    """

    tolerance_mm: float = 2.0
    slice_axis: int | None = None


def evaluate(
    prediction: LabelMap,
    reference: LabelMap,
    *,
    case: str = "case",
    subject: str | None = None,
    scores: Scores | None = None,
    settings: Settings | None = None,
) -> Report:
    """Measure one prediction.

    Parameters
    ----------
    prediction, reference
        Label maps on one grid, in one scheme.
    case
        Name of the case.
    subject
        Whose heart it is; without it, what stands before `_frame` in the case's name.
    scores
        Probabilities (classes, I, J, K) on the same grid, background first; only the
        cross-entropy needs them.
    settings
        Tolerance and slice axis.

    Returns
    -------
    Report
        Rows of the volume, then of each slice. Background has Dice and cross-entropy only. On a
        grid of one slice volumes are undefined.

    Raises
    ------
    GeometryError
        If the grids differ.
    LabelError
        If the schemes differ, or the scores are not probabilities of this scheme's classes.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> grid = Geometry((8, 8, 4), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> array = np.zeros(grid.shape, np.uint8); array[2:6, 2:6, 1:3] = 3
    >>> report = evaluate(LabelMap(array, grid, ACDC), LabelMap(array, grid, ACDC))
    >>> report.mean("dice", "LV cavity"), report.mean("dice", "myocardium")
    (1.0, None)
    """
    settings = settings or Settings()
    _require_comparable(prediction, reference, case)
    if scores is not None:
        _require_scores(scores, reference, case)
    grid = reference.geometry
    whole = Section(
        prediction=prediction.array,
        reference=reference.array,
        scores=scores,
        spacing=grid.spacing,
        diagonal_mm=grid.diagonal_mm,
        voxel_ml=grid.voxel_volume_mm3 / MM3_PER_ML,
        tolerance_mm=settings.tolerance_mm,
        case=case,
        subject=subject_of(case) if subject is None else subject,
    )
    axis = _axis(settings, grid)
    slices = () if axis is None else slices_of(whole, reference, axis)
    sections = (whole, *slices)
    report = Report(tuple(row for s in sections for row in section_rows(s, reference.scheme)))
    return report.without(VOLUME_METRICS, ONE_SLICE) if is_one_slice(grid) else report


def evaluate_case(
    prediction: LabelMap,
    case: Case,
    *,
    scores: Scores | None = None,
    settings: Settings | None = None,
) -> Report:
    """Measure one prediction against a case's own reference labels.

    The reference is read in the prediction's scheme; subject, group and phase are the case's. Base,
    mid and apex are told from the case's own labels: they may know a left ventricle that the
    prediction's scheme merges.

    Raises
    ------
    DatasetError
        If the case has no reference labels.
    GeometryError, LabelError
        As `evaluate` does.
    """
    labels = case.labels()
    report = evaluate(
        prediction,
        labels.read_as(prediction.scheme),
        case=case.id,
        subject=case.subject,
        scores=scores,
        settings=settings,
    )
    axis = _axis(settings or Settings(), labels.geometry)
    regions = () if axis is None else slice_regions(labels, axis)
    return report.tagged(group=case.group, phase=case.phase, regions=regions)


def _require_comparable(prediction: LabelMap, reference: LabelMap, case: str) -> None:
    if prediction.scheme != reference.scheme:
        raise LabelError(
            f"{case}: the prediction is in scheme {prediction.scheme.name}, the reference in "
            f"{reference.scheme.name}; read both in one scheme first (LabelMap.read_as)"
        )
    require_same_grid(prediction.geometry, reference.geometry, f"{case}: prediction and reference")


def _require_scores(scores: Scores, reference: LabelMap, case: str) -> None:
    expected = (reference.scheme.class_count, *reference.geometry.shape)
    if scores.shape != expected:
        raise GeometryError(
            f"{case}: scores of shape {scores.shape}; scheme {reference.scheme.name} on this grid "
            f"needs {expected}, background first"
        )
    # min and max are NaN if any score is, and then no comparison holds
    in_range = scores.min() >= -SCORE_TOLERANCE and scores.max() <= 1 + SCORE_TOLERANCE
    if not in_range or np.abs(scores.sum(axis=0) - 1).max() > SCORE_TOLERANCE:
        raise LabelError(
            f"{case}: the scores are not probabilities that add up to 1 at each voxel; "
            "apply the softmax before evaluating"
        )


def _axis(settings: Settings, geometry: Geometry) -> int | None:
    if settings.slice_axis is None:
        return geometry.native_axis
    if settings.slice_axis not in range(3):
        raise GeometryError(f"slice axis {settings.slice_axis}: a volume has axes 0, 1 and 2")
    return settings.slice_axis
