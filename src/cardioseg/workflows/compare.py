"""Two sets of predictions against one set of references, paired by patient, with pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from cardioseg.errors import DatasetError, OutputExistsError
from cardioseg.evaluation import Report, compare, comparison_figure, comparison_table, png_bytes
from cardioseg.evaluation.rows import BACKGROUND, Level
from cardioseg.io.atomic import write_bytes, write_text
from cardioseg.io.images import read_volume
from cardioseg.workflows.evaluate import (
    REPORT_JSON,
    EvaluationOptions,
    evaluate_files,
    own_labels,
    read_as,
    words_of_missing,
)
from cardioseg.workflows.inputs import gather_images, gather_labels
from cardioseg.workflows.provenance import Json, write_run

Watch = Callable[[int, int, str], None]

COMPARISON_MD = "comparison.md"
SHOWN = ("best", "median", "worst")

BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class Comparing:
    """What is compared, and where the images for the pictures are.

    Parameters
    ----------
    first, second
        Folders of predictions.
    references
        Folder of references.
    images
        Folder of images; None makes no pictures.
    """

    first: Path
    second: Path
    references: Path
    images: Path | None = None

    @property
    def folders(self) -> tuple[Path, Path]:
        """The two folders of predictions."""
        return self.first, self.second

    @property
    def names(self) -> tuple[str, str]:
        """The names of the two; of a folder given as `.` or `..` its own."""
        first, second = (
            (each if each.name not in ("", "..") else each.resolve()).name for each in self.folders
        )
        return first, second


@dataclass(frozen=True)
class Differences:
    """The table of comparison.md, and the references that one or both have no prediction of."""

    table: str
    unmatched: tuple[str, ...]


def compare_files(
    compared: Comparing,
    options: EvaluationOptions,
    output: Path,
    *,
    force: bool = False,
    watch: Watch = lambda done, total, name: None,
) -> Differences:
    """Evaluate both, test the differences, and write comparison.md and pictures.

    Pictures of a former comparison in the folder are removed where none are made.

    Raises
    ------
    DatasetError
        If the two have one name, their reports would lie among the predictions, they differ in
        their cases and missing ones do not count, or a case has no image: nothing is written then.
    OutputExistsError
        If there is a comparison and `force` is not set.
    CardiosegError
        As :func:`cardioseg.workflows.evaluate.evaluate_files`.
    """
    started = time.monotonic()
    names = compared.names
    _require_free(compared, output, force=force)
    images = _images(compared, _cases(compared, options))
    first, second = (
        evaluate_files(
            folder, compared.references, options, output / name, force=force, watch=watch
        )
        for name, folder in zip(names, compared.folders, strict=True)
    )
    compared_metrics = compare(first.report, second.report, np.random.default_rng(BOOTSTRAP_SEED))
    unmatched = tuple(sorted({*first.unmatched, *second.unmatched}))
    found = Differences(comparison_table(compared_metrics, *names), unmatched)
    if (output / COMPARISON_MD).exists():
        for kind in SHOWN:
            (output / f"{kind}.png").unlink(missing_ok=True)
    write_text(output / COMPARISON_MD, _document(names, found, options))
    if images:
        for kind, case in zip(SHOWN, shown_cases((first.report,)), strict=True):
            write_bytes(output / f"{kind}.png", _picture(compared, case, images[case], options))
    # What was compared is named, digest by digest, in the run.json of the two evaluations.
    facts: dict[str, Json] = {"compared": list(names), "bootstrap_seed": BOOTSTRAP_SEED}
    write_run(output, "compare", facts, started)
    return found


def _require_free(compared: Comparing, output: Path, *, force: bool) -> None:
    names = compared.names
    if names[0] == names[1]:
        raise DatasetError(f"{compared.first} and {compared.second} have one name; rename one")
    for name, folder in zip(names, compared.folders, strict=True):
        if (output / name).resolve() == folder.resolve():
            raise DatasetError(
                f"{folder}: its report would be written among the predictions; name another folder "
                "with --output"
            )
    written = (COMPARISON_MD, *(f"{name}/{REPORT_JSON}" for name in names))
    there = next((each for each in written if (output / each).exists()), None)
    if there and not force:
        raise OutputExistsError(f"{output}: holds a comparison ({there}); add --force to overwrite")


def _cases(compared: Comparing, options: EvaluationOptions) -> list[str]:
    """The cases that will be measured, the same of both."""
    references, first, second = (
        {each.name for each in gather_labels(path)}
        for path in (compared.references, *compared.folders)
    )
    strange = sorted((first | second) - references)
    # A file is measured against a file, whatever their names.
    if strange and compared.references.is_dir():
        raise DatasetError(
            f"{compared.references}: no reference named {strange[0]} ({len(strange)} predictions "
            "have none); name the folder that holds them all"
        )
    if options.count_missing:
        return sorted(references)
    alone = sorted(first ^ second)
    if alone:
        one, other = compared.folders if alone[0] in first else compared.folders[::-1]
        raise DatasetError(
            f"{other}: no prediction named {alone[0]}, which {one} has ({len(alone)} cases are in "
            "one of the two alone); predict them, or count what is missing as nothing found with "
            "--count-missing"
        )
    return sorted(first)


def _images(compared: Comparing, cases: Sequence[str]) -> dict[str, Path]:
    """The images of the cases by name; none where no pictures are asked for."""
    if compared.images is None:
        return {}
    images = {each.name: each.path for each in gather_images([compared.images])}
    missing = [case for case in cases if case not in images]
    if missing:
        raise DatasetError(
            f"{compared.images}: no image named {missing[0]} ({len(missing)} of {len(cases)} cases "
            "have none); name the folder that holds them all"
        )
    return images


def _document(names: tuple[str, str], found: Differences, options: EvaluationOptions) -> str:
    parts = [f"# {names[0]} against {names[1]}", "Per volume, paired by patient."]
    if found.unmatched:
        counted, where = options.count_missing, " in one or both folders"
        parts.append(words_of_missing(found.unmatched, counted=counted, where=where))
    return "\n\n".join([*parts, found.table]) + "\n"


def shown_cases(reports: Sequence[Report], level: Level = "volume") -> tuple[str, str, str]:
    """Cases with the best, the median and the worst mean Dice of structures in all reports."""
    found: dict[str, list[float]] = {}
    for report in reports:
        for row in report.select(metric="dice", level=level).rows:
            values = found.setdefault(row.case, [])
            if row.value is not None and row.structure != BACKGROUND:
                values.append(row.value)
    dice = {case: fmean(values or [0.0]) for case, values in found.items()}
    ordered = sorted(dice, key=lambda case: dice[case])
    return ordered[-1], ordered[len(ordered) // 2], ordered[0]


def _picture(compared: Comparing, case: str, image: Path, options: EvaluationOptions) -> bytes:
    target = options.read_as or options.scheme
    folders = (compared.references, *compared.folders)
    # Where missing predictions count, a case may have none: its column is left out.
    labels = {
        title: read_as(own_labels(path, options.scheme), target, path)
        for title, folder in zip(("reference", *compared.names), folders, strict=True)
        if (path := _file(folder, case)) is not None
    }
    return png_bytes(comparison_figure(read_volume(image), labels))


def _file(folder: Path, case: str) -> Path | None:
    return next((each.path for each in gather_labels(folder) if each.name == case), None)
