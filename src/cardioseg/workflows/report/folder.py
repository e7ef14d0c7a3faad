"""`cardioseg report FOLDER`: a page for each predicted case, or one for a whole evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.labels import LabelScheme, scheme_named
from cardioseg.errors import DatasetError, OutputExistsError
from cardioseg.evaluation import Report, comparison_figure, png_bytes
from cardioseg.io.atomic import make_folder, write_text
from cardioseg.io.images import read_volume
from cardioseg.workflows.compare import shown_cases
from cardioseg.workflows.evaluate import own_labels, read_as
from cardioseg.workflows.inputs import Input, gather_images, gather_labels
from cardioseg.workflows.made import makers_facts, makers_of
from cardioseg.workflows.provenance import (
    RUN,
    Json,
    file_digest,
    read_run,
    write_run,
    write_run_beside,
)
from cardioseg.workflows.report.case import case_report
from cardioseg.workflows.report.cohort import CohortContent, claim_facts, cohort_report
from cardioseg.workflows.report.messages import Language, Message, Words
from cardioseg.workflows.report.pdf import write_pdf
from cardioseg.workflows.report.prediction_files import (
    is_evaluation,
    read_case_content,
    read_predictions,
)

COHORT_HTML = "report.html"

Watch = Callable[[int, int, str], None]
Facts = Mapping[str, Json]


@dataclass(frozen=True)
class ReportOptions:
    """How to make the reports.

    Parameters
    ----------
    language
        English or Spanish.
    pdf
        Also print each page to a PDF.
    images
        Folder of images, matched by name; None draws label maps without them.
    references, predictions
        Of an evaluation: folders of label maps, for the pictures of best, median and worst.
    scheme
        Numbering of the label maps; None takes what the folder's files say. For the pictures of an
        evaluation a label map's header comes first, as in `evaluate`.
    force
        Overwrite pages that are there.
    """

    language: Language = Language.ENGLISH
    pdf: bool = False
    images: Path | None = None
    references: Path | None = None
    predictions: Path | None = None
    scheme: LabelScheme | None = None
    force: bool = False


def report_folder(
    folder: Path,
    options: ReportOptions,
    output: Path | None = None,
    watch: Watch = lambda done, total, name: None,
) -> tuple[Path, ...]:
    """Write the report of a folder of predictions or of an evaluation.

    Parameters
    ----------
    folder
        What `cardioseg predict` or `cardioseg evaluate` wrote.
    options
        Language, images and the rest.
    output
        A file that ends in `.html`, where there is one page to write, or a folder; None writes into
        `folder`: NAME.html of each case, or report.html of an evaluation.
    watch
        Called with pages done, pages in all, and the name of the next.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    DatasetError
        If the folder holds neither, `output` is one file for several pages, `references` or
        `predictions` are given for what is no evaluation, or of an evaluation only some of what its
        pictures are made of.
    OutputExistsError
        If a page is there and `force` is not set; nothing has been written then.
    CardiosegError
        If a file cannot be read, or a PDF not be printed.
    """
    started, language = time.monotonic(), options.language.value
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; give one that predict or evaluate wrote")
    if is_evaluation(folder):
        _refuse_some_of_a_picture(options)
        path = _targets(output or folder, [COHORT_HTML.removesuffix(".html")], options)[0]
        watch(0, 1, folder.name)
        page = _write(cohort_report(_cohort(folder, options), options.language), path, options)
        place = path if output == path else path.parent
        told = {key: value for key, value in _record_of(folder).items() if key == "models"}
        _record([folder / "report.json"], {"language": language, **told}, place, started)
        return page
    if options.references or options.predictions:
        raise DatasetError(
            f"{folder}: holds no evaluation; --references and --predictions go with one: leave "
            "them out"
        )
    found = gather_labels(folder)
    images = {i.name: i.path for i in gather_images([options.images])} if options.images else {}
    missing = [each.name for each in found if options.images and each.name not in images]
    if missing:
        raise DatasetError(
            f"{options.images}: no image named {missing[0]} ({len(missing)} of {len(found)} cases "
            "have none)"
        )
    paths = _targets(output or folder, [each.name for each in found], options)
    predictions = read_predictions(folder, found)
    written: list[Path] = []
    for done, (each, path) in enumerate(zip(found, paths, strict=True)):
        watch(done, len(found), each.name)
        content = read_case_content(each, predictions, images.get(each.name), options.scheme)
        written += _write(case_report(content, options.language), path, options)
    watch(len(found), len(found), "")
    place = output if output in paths else paths[0].parent
    models = makers_facts(makers_of(found))
    _record([each.path for each in found], {"language": language, **models}, place, started)
    return tuple(written)


def _record(sources: list[Path], told: Facts, place: Path, started: float) -> None:
    """Write run.json into a folder, or beside the one page that was asked for."""
    files: list[Json] = [{"name": each.name, "sha256": file_digest(each)} for each in sources]
    facts: Facts = {**told, "files": files}
    if place.suffix == ".html":
        write_run_beside(place, "report", facts, started)
    else:
        write_run(place, "report", facts, started)


def _targets(output: Path, names: list[str], options: ReportOptions) -> list[Path]:
    if output.suffix == ".html":
        if len(names) > 1:
            raise DatasetError(f"{output}: one file for {len(names)} cases; name a folder")
        paths = [output]
    else:
        paths = [output / f"{name}.html" for name in names]
    for path in paths:
        for each in (path, path.with_suffix(".pdf")) if options.pdf else (path,):
            if each.exists() and not options.force:
                raise OutputExistsError(f"{each}: is already there; add --force to overwrite it")
    make_folder(paths[0].parent)
    return paths


def _write(html: str, path: Path, options: ReportOptions) -> tuple[Path, ...]:
    write_text(path, html)
    if not options.pdf:
        return (path,)
    printed = path.with_suffix(".pdf")
    write_pdf(html, printed)
    return path, printed


def _cohort(folder: Path, options: ReportOptions) -> CohortContent:
    report = Report.from_json((folder / "report.json").read_text(encoding="utf-8"))
    record = _record_of(folder)
    told = record.get("versions")
    libraries = {n: str(v) for n, v in told.items()} if isinstance(told, dict) else {}
    versions = ", ".join(f"{n} {v}" for n, v in libraries.items())
    stated = claim_facts(report)
    if versions:
        stated[23] = versions
    without = record.get("references_without_prediction", 0)
    if record:
        counted = bool(record.get("missing_are_counted"))
        treated = "count as nothing found" if counted else "are not in the figures"
        stated[33] += f"; {without} references had no prediction and {treated}"
    words = Words(options.language)
    unknown = words.say(Message.NOT_STATED)
    origin = (
        (words.say(Message.VERSION), libraries.get("cardioseg", unknown)),
        (words.say(Message.SCHEME), str(record.get("read_as") or record.get("scheme") or unknown)),
        *_models(record, words),
    )
    examples = tuple((case, _example(case, record, options)) for case in shown_cases((report,)))
    return CohortContent(folder.resolve().name, report, examples, stated, origin)


def _models(record: Mapping[str, Json], words: Words) -> Iterator[tuple[str, str]]:
    """Lines of provenance that name the models which made the predictions."""
    told = record.get("models")
    models = [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    for each in models or [{}]:
        for message, key in ((Message.MODEL, "model"), (Message.MODEL_ID, "model_id")):
            yield words.say(message), str(each.get(key) or words.say(Message.NOT_STATED))


def _record_of(folder: Path) -> dict[str, Json]:
    """What made the evaluation, also where run.json is that of `predict`."""
    run, beside = folder / RUN, folder / "run-evaluate.json"
    record = read_run(run) if run.is_file() else {}
    return read_run(beside) if record.get("command") != "evaluate" and beside.is_file() else record


def _refuse_some_of_a_picture(options: ReportOptions) -> None:
    parts = {
        "--images": options.images,
        "--references": options.references,
        "--predictions": options.predictions,
    }
    missing = [name for name, folder in parts.items() if folder is None]
    if 0 < len(missing) < len(parts):
        raise DatasetError(
            "pictures of an evaluation are made of --images, --references and --predictions: "
            f"add {' and '.join(missing)}, or leave out the others"
        )


def _example(case: str, record: Mapping[str, object], options: ReportOptions) -> bytes | None:
    """Image, reference and prediction of one case; None where one of them is not there."""
    if options.images is None or options.references is None or options.predictions is None:
        return None
    own, merged = record.get("scheme"), record.get("read_as")
    if options.scheme is None and not isinstance(own, str):
        raise DatasetError("run.json does not name the scheme of the label maps; add --scheme")
    scheme = options.scheme or scheme_named(str(own))
    target = scheme_named(merged) if isinstance(merged, str) else scheme
    # A case may have no prediction: `evaluate --count-missing` took it as nothing found.
    if not any(each.name == case for each in gather_labels(options.predictions)):
        return None
    files = {
        Words(options.language).say(title): _named(folder, case)
        for title, folder in (
            (Message.REFERENCE, options.references),
            (Message.PREDICTION, options.predictions),
        )
    }
    labels = {
        title: read_as(own_labels(path, scheme), target, path) for title, path in files.items()
    }
    image = read_volume(_image(options.images, case).path)
    return png_bytes(comparison_figure(image, labels), dpi=90)


def _named(folder: Path, case: str) -> Path:
    for each in gather_labels(folder):
        if each.name == case:
            return each.path
    raise DatasetError(f"{folder}: no label map named {case}")


def _image(folder: Path, case: str) -> Input:
    for each in gather_images([folder]):
        if each.name == case:
            return each
    raise DatasetError(f"{folder}: no image named {case}")
