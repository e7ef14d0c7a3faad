"""Evaluate files: predictions and references matched by name, tables and figures out."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.case import phase_of
from cardioseg.core.geometry import require_same_grid
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.datasets.acdc import phase_and_group
from cardioseg.errors import CardiosegError, DatasetError, LabelError, OutputExistsError
from cardioseg.evaluation import Report, box_plots, combine, png_bytes
from cardioseg.evaluation.measure import evaluate
from cardioseg.evaluation.volumetry import slice_regions
from cardioseg.io.atomic import make_folder, write_bytes, write_text
from cardioseg.io.images import read_labels
from cardioseg.io.nifti import read_scores
from cardioseg.io.nifti_scheme import told_scheme
from cardioseg.workflows.inputs import Input, gather_labels
from cardioseg.workflows.provenance import Json, file_digest, write_run

REPORT_JSON, REPORT_CSV, SLICES_CSV, REPORT_MD, BOXES = (
    "report.json",
    "report.csv",
    "report_slices.csv",
    "report.md",
    "dice.png",
)

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True)
class EvaluationOptions:
    """How to read the files.

    Parameters
    ----------
    scheme
        Numbering of predictions and references whose headers tell none.
    read_as
        Merge both into this scheme first; None keeps `scheme`.
    scores
        Folder of class probabilities, NAME.nii.gz; None leaves the cross-entropy undefined.
    subjects
        CSV with the columns case and subject (and, if known, group and phase); None takes the
        subject from the name.
    count_missing
        Count a reference without a prediction as a prediction that found nothing, so that a case
        which failed doesn't improve the means; else it is left out and told.
    """

    scheme: LabelScheme
    read_as: LabelScheme | None = None
    scores: Path | None = None
    subjects: Path | None = None
    count_missing: bool = False


@dataclass(frozen=True)
class Evaluation:
    """The report, and the references that had no prediction."""

    report: Report
    unmatched: tuple[str, ...]


@dataclass(frozen=True)
class _Facts:
    subject: str
    group: str
    phase: str


def evaluate_files(
    predictions: Path,
    references: Path,
    options: EvaluationOptions,
    output: Path,
    *,
    force: bool = False,
    watch: Watch = lambda done, total, name: None,
) -> Evaluation:
    """Measure every prediction against the reference of its name, and write the report.

    Parameters
    ----------
    predictions, references
        Files or folders; `_gt`, `-label` and `_label` are not part of a name.
    options
        Schemes, scores, subjects.
    output
        Folder for report.json, report.csv, report.md, report_slices.csv, a figure and run.json.
    force
        Overwrite a report that is there.
    watch
        Called with cases done, cases in all, and the name of the next.

    Raises
    ------
    DatasetError
        If a prediction has no reference, or the file of subjects does not tell whose a case is.
    LabelError
        If labels cannot be read as those that are asked for.
    OutputExistsError
        If there is a report and `force` is not set.
    CardiosegError
        If a file cannot be read, or the two of a pair lie on different grids.
    """
    started = time.monotonic()
    if (output / REPORT_JSON).exists() and not force:
        raise OutputExistsError(f"{output}: holds a report; add --force to overwrite it")
    pairs, missing = _pairs(predictions, references)
    measured = [each.name for each, _ in pairs]
    measured += [each.name for each in missing] if options.count_missing else []
    known = _read_subjects(options.subjects, measured) if options.subjects else {}
    reports, records = [], []
    for done, (prediction, reference) in enumerate(pairs):
        watch(done, len(pairs), prediction.name)
        facts = known.get(prediction.name) or _facts(reference)
        reports.append(_evaluate(prediction, reference, facts, options))
        digests: dict[str, Json] = {
            "name": prediction.name,
            "prediction_sha256": file_digest(prediction.path),
            "reference_sha256": file_digest(reference.path),
        }
        records.append(digests)
    watch(len(pairs), len(pairs), "")
    if options.count_missing:
        for reference in missing:
            facts = known.get(reference.name) or _facts(reference)
            reports.append(_evaluate(None, reference, facts, options))
    report = combine(reports)
    write_report(report, output)
    details: dict[str, Json] = {
        "scheme": options.scheme.name,
        "read_as": (options.read_as or options.scheme).name,
        "references_without_prediction": len(missing),
        "missing_are_counted": options.count_missing,
        "files": list(records),
    }
    write_run(output, "evaluate", details, started)
    return Evaluation(report, tuple(each.name for each in missing))


def _evaluate(
    prediction: Input | None, reference: Input, facts: _Facts, options: EvaluationOptions
) -> Report:
    target = options.read_as or options.scheme
    own = own_labels(reference.path, options.scheme)
    truth = read_as(own, target, reference.path)
    # Base and apex are told by the left ventricle, which the merged scheme may not know.
    axis = own.geometry.native_axis
    regions = () if axis is None else slice_regions(own, axis)
    if prediction is None:
        answer = LabelMap(np.zeros_like(truth.array), truth.geometry, target)
        report = evaluate(answer, truth, case=reference.name, subject=facts.subject)
        return report.tagged(facts.group, facts.phase, regions)
    answer = read_as(own_labels(prediction.path, options.scheme), target, prediction.path)
    scores = _scores(prediction.name, truth, options)
    try:
        report = evaluate(answer, truth, case=prediction.name, subject=facts.subject, scores=scores)
    except CardiosegError as error:
        words = f"{prediction.path} against {reference.path}: {error}"
        raise type(error)(words) from error
    return report.tagged(facts.group, facts.phase, regions)


def own_labels(path: Path, scheme: LabelScheme) -> LabelMap:
    """A label map in the scheme that its header tells, else in the one given."""
    return read_labels(path, told_scheme(path) or scheme)


def read_as(labels: LabelMap, target: LabelScheme, path: Path) -> LabelMap:
    """The labels in a coarser scheme; a LabelError names the file."""
    try:
        return labels.read_as(target)
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error


def _scores(
    name: str, reference: LabelMap, options: EvaluationOptions
) -> NDArray[np.float32] | None:
    """Probabilities of the reference's classes; those of merged classes are added up."""
    if options.scores is None:
        return None
    path = options.scores / f"{name}.nii.gz"
    scores, geometry = read_scores(path)
    require_same_grid(geometry, reference.geometry, f"{path} and its reference")
    table = options.scheme.merge_table(reference.scheme)
    if len(scores) != len(table):
        raise DatasetError(
            f"{path}: {len(scores)} classes, scheme {options.scheme.name} has {len(table)}"
        )
    merged = np.zeros((reference.scheme.class_count, *reference.array.shape), np.float32)
    for own, target in enumerate(table):
        merged[target] += scores[own]
    return merged


def _pairs(
    predictions: Path, references: Path
) -> tuple[list[tuple[Input, Input]], tuple[Input, ...]]:
    found = {each.name: each for each in gather_labels(references)}
    answers = gather_labels(predictions)
    missing = [each for each in answers if each.name not in found]
    if predictions.is_file() and references.is_file():
        return [(answers[0], next(iter(found.values())))], ()
    if missing:
        raise DatasetError(
            f"{missing[0].path}: no reference named {missing[0].name} below {references} "
            f"({len(missing)} of {len(answers)} predictions have none)"
        )
    unmatched = sorted(set(found) - {each.name for each in answers})
    pairs = [(each, found[each.name]) for each in answers]
    return pairs, tuple(found[name] for name in unmatched)


def _facts(reference: Input) -> _Facts:
    """Subject and phase from the name; phase and group where ACDC's Info.cfg is beside the file."""
    phase, group = phase_and_group(reference.path.parent, reference.name)
    return _Facts(reference.subject, group, phase or phase_of(reference.name))


def _read_subjects(path: Path, cases: Sequence[str]) -> dict[str, _Facts]:
    """What the file tells of each case; it must tell of all, or two rules would name subjects."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
        known = {
            row["case"]: _Facts(row["subject"], row.get("group") or "", row.get("phase") or "")
            for row in rows
        }
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise DatasetError(
            f"{path}: not a CSV with the columns case and subject: {error}"
        ) from error
    missing = [case for case in cases if case not in known or not known[case].subject]
    if missing:
        raise DatasetError(
            f"{path}: tells no subject of {missing[0]} ({len(missing)} of {len(cases)} cases are "
            "not in its column case); add them"
        )
    return known


def write_report(report: Report, output: Path) -> None:
    """Write report.json, report.csv, report.md, report_slices.csv and a figure into a folder."""
    make_folder(output)
    files: Sequence[tuple[str, str]] = (
        (REPORT_CSV, report.to_csv()),
        (SLICES_CSV, report.to_csv("slice")),
        (REPORT_MD, report.to_markdown()),
        (REPORT_JSON, report.to_json()),
    )
    for name, text in files:
        write_text(output / name, text)
    write_bytes(output / BOXES, png_bytes(box_plots({output.name: report}, "dice")))
