"""Evaluate files: predictions and references matched by name, tables and figures out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import require_same_grid
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.errors import CardiosegError, DatasetError, LabelError, OutputExistsError
from cardioseg.evaluation import Report, box_plots, combine, png_bytes
from cardioseg.evaluation.measure import evaluate
from cardioseg.evaluation.volumetry import slice_regions
from cardioseg.io.atomic import make_folder, write_bytes, write_text
from cardioseg.io.header_scheme import told_scheme
from cardioseg.io.images import read_labels
from cardioseg.io.nifti import read_scores
from cardioseg.workflows.case_facts import CaseFacts, case_facts, read_subjects
from cardioseg.workflows.inputs import Input, gather_labels
from cardioseg.workflows.made import Maker, ids_of, makers_facts, makers_of, words_of_makers
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
        Folder of class probabilities, NAME.nii.gz, of the scheme that their headers tell, else that
        of the prediction, else `scheme`; None leaves the cross-entropy undefined.
    subjects
        CSV with the columns case and subject, perhaps also group and phase: what it leaves empty is
        taken from an Info.cfg and the name. None takes the subject from the name.
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
    known = read_subjects(options.subjects, measured) if options.subjects else {}
    reports, records = [], []
    for done, (prediction, reference) in enumerate(pairs):
        watch(done, len(pairs), prediction.name)
        facts = case_facts(reference, known.get(prediction.name))
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
            facts = case_facts(reference, known.get(reference.name))
            reports.append(_evaluate(None, reference, facts, options))
    report = combine(reports)
    absent = tuple(each.name for each in missing)
    makers = makers_of(prediction for prediction, _ in pairs)
    remarks = (
        words_of_makers(makers, len(pairs)),
        words_of_missing(absent, counted=options.count_missing),
    )
    write_report(report, output, remarks, makers)
    details: dict[str, Json] = {
        "scheme": options.scheme.name,
        "read_as": (options.read_as or options.scheme).name,
        "references_without_prediction": len(missing),
        "missing": list(absent),
        "missing_are_counted": options.count_missing,
        **makers_facts(makers),
        "files": list(records),
    }
    write_run(output, "evaluate", details, started)
    return Evaluation(report, absent)


def words_of_missing(names: Sequence[str], *, counted: bool, where: str = "") -> str:
    """What a document says of references without a prediction there; nothing if there are none.

    Examples
    --------
    >>> words_of_missing(["p1_frame01", "p2_frame01"], counted=False)
    'Without a prediction, and not in the figures: p1_frame01, p2_frame01.'
    """
    if not names:
        return ""
    treated = "counted as nothing found" if counted else "and not in the figures"
    return f"Without a prediction{where}, {treated}: {', '.join(names)}."


def _evaluate(
    prediction: Input | None, reference: Input, facts: CaseFacts, options: EvaluationOptions
) -> Report:
    target = options.read_as or options.scheme
    own = own_labels(reference.path, options.scheme)
    truth = read_as(own, target, reference.path)
    # Base and apex are told by the left ventricle, which the merged scheme may not know.
    axis = own.geometry.native_axis
    regions = () if axis is None else slice_regions(own, axis)
    if prediction is None:
        path, name = reference.path, reference.name
        answer = LabelMap(np.zeros_like(truth.array), truth.geometry, target)
        scores = _scores_of_nothing(truth) if options.scores else None
    else:
        path, name = prediction.path, prediction.name
        answer = read_as(own_labels(path, options.scheme), target, path)
        scores = _scores(prediction, truth, options)
    try:
        report = evaluate(answer, truth, case=name, subject=facts.subject, scores=scores)
    except CardiosegError as error:
        raise type(error)(f"{path} against {reference.path}: {error}") from error
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


def _scores_of_nothing(reference: LabelMap) -> NDArray[np.float32]:
    """Probabilities of a network that is sure of background everywhere."""
    scores = np.zeros((reference.scheme.class_count, *reference.array.shape), np.float32)
    scores[0] = 1
    return scores


def _scores(
    prediction: Input, reference: LabelMap, options: EvaluationOptions
) -> NDArray[np.float32] | None:
    """Probabilities of the reference's classes; those of merged classes are added up."""
    if options.scores is None:
        return None
    path = options.scores / f"{prediction.name}.nii.gz"
    scores, geometry = read_scores(path)
    require_same_grid(geometry, reference.geometry, f"{path} and its reference")
    scheme = _scheme_of_scores(path, len(scores), prediction, options.scheme)
    try:
        table = scheme.merge_table(reference.scheme)
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
    merged = np.zeros((reference.scheme.class_count, *reference.array.shape), np.float32)
    for own, target in enumerate(table):
        merged[target] += scores[own]
    return merged


def _scheme_of_scores(
    path: Path, classes: int, prediction: Input, given: LabelScheme
) -> LabelScheme:
    """The scheme of their header, else the prediction's if it has as many classes, else the given.

    Labels that `predict --scheme` merged seldom have as many as the scores of their model.
    """
    scheme = told_scheme(path)
    if scheme is None:
        own = told_scheme(prediction.path)
        scheme = own if own is not None and own.class_count == classes else given
    if scheme.class_count != classes:
        raise DatasetError(
            f"{path}: {classes} classes, scheme {scheme.name} has {scheme.class_count}"
        )
    return scheme


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


def write_report(
    report: Report, output: Path, remarks: Sequence[str] = (), makers: Sequence[Maker] = ()
) -> None:
    """Write report.json, report.csv, report.md, report_slices.csv and a figure into a folder.

    The remarks come first in report.md, under its heading; report.json and the figure name the
    models that made the predictions.
    """
    make_folder(output)
    heading, tables = report.to_markdown().split("\n\n", 1)
    document = "\n\n".join(part for part in (heading, *remarks, tables) if part)
    files: Sequence[tuple[str, str]] = (
        (REPORT_CSV, report.to_csv()),
        (SLICES_CSV, report.to_csv("slice")),
        (REPORT_MD, document),
        (REPORT_JSON, report.to_json(told=makers_facts(makers))),
    )
    for name, text in files:
        write_text(output / name, text)
    boxes = box_plots({output.name: report}, "dice")
    write_bytes(output / BOXES, png_bytes(boxes, model_id=ids_of(makers)))
