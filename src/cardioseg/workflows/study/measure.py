"""Measure one network on what was held out: one case at a time, scores never on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.errors import ConfigError
from cardioseg.evaluation import Report, Settings, combine, evaluate_case
from cardioseg.inference.predictor import Predictor
from cardioseg.io.atomic import make_folder, write_text
from cardioseg.io.nifti import write_labels
from cardioseg.prepare.plan import Plan, SinglePlane
from cardioseg.prepare.preparation import slice_orientation
from cardioseg.workflows.study.parts import HeldOut

LABELS, CASES = "labels", "cases"


def measure(
    predictor: Callable[[], Predictor],
    held_out: HeldOut,
    folder: Path,
    watch: Callable[[int, str], None] = lambda done, case: None,
) -> Report:
    """Predict and measure every case; those that an earlier call finished are only read.

    Parameters
    ----------
    predictor
        Opens the network; called when a case is left to measure.
    held_out
        What to measure.
    folder
        Gets labels/CASE.nii.gz and cases/CASE.json.
    watch
        Told how many are done and the case that was last.
    """
    for name in (LABELS, CASES):
        make_folder(folder / name)
    opened: Predictor | None = None
    reports = []
    for done, case in enumerate(held_out.cases, start=1):
        path = folder / CASES / f"{case.id}.json"
        if not path.is_file():
            opened = opened or predictor()
            report = _measure_case(opened, case, held_out, folder)
            write_text(path, report.to_json())
            watch(done, case.id)
        reports.append(Report.from_json(path.read_text(encoding="utf-8")))
    return combine(reports)


def _measure_case(predictor: Predictor, case: Case, held_out: HeldOut, folder: Path) -> Report:
    prediction, scores = predictor.predict_with_scores(case.image())
    labels = prediction.labels
    plan = predictor.model.plan
    settings = Settings(slice_axis=slice_axis(labels.geometry, plan))
    report = evaluate_case(labels, case, scores=scores, settings=settings)
    write_labels(labels, folder / LABELS / f"{case.id}.nii.gz")
    if held_out.slices is None:
        return report
    counted = native_slices(labels.geometry, plan, held_out.slices[case.id])
    return Report(tuple(row for row in report.rows if row.slice_index in counted))


def slice_axis(geometry: Geometry, plan: Plan) -> int | None:
    """The array axis along which a plan's slices are stacked, 0 to 2; None in several planes."""
    if len(plan.planes) > 1:
        return None
    return slice_orientation(geometry, plan.planes[0]).axes[0]


def native_slices(geometry: Geometry, plan: Plan, prepared: frozenset[int]) -> frozenset[int]:
    """Numbers along the array axis of slices that are numbered as prepared."""
    orientation = slice_orientation(geometry, _only_plane(plan))
    last = geometry.shape[orientation.axes[0]] - 1
    return frozenset(last - k for k in prepared) if orientation.flips[0] else prepared


def _only_plane(plan: Plan) -> SinglePlane:
    if len(plan.planes) > 1:
        raise ConfigError(
            f"plan.plane = {plan.plane!r}: a study measures the slices of one plane; name it"
        )
    return plan.planes[0]


def seeds_together(reports: dict[int, Report]) -> Report:
    """One report of all seeds: each seed's answer is a case of its own, of the same patient.

    Patients stay the unit: whatever is averaged takes the mean over a patient's cases first, and so
    over the seeds.
    """
    return combine(
        Report(tuple(replace(row, case=f"{row.case}, seed {seed}") for row in report.rows))
        for seed, report in reports.items()
    )


def slices_apart(report: Report) -> Report:
    """The slices of a report, each as if it were a patient's only one: their mean is pooled."""
    return Report(
        tuple(
            replace(row, subject=f"{row.case}, slice {row.slice_index}")
            for row in report.rows
            if row.level == "slice"
        )
    )
