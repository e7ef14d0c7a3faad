"""Two sets of predictions against one set of references, paired by patient, with pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from cardioseg.errors import DatasetError
from cardioseg.evaluation import Report, compare, comparison_figure, comparison_table, png_bytes
from cardioseg.evaluation.rows import BACKGROUND, Level
from cardioseg.io.atomic import write_bytes, write_text
from cardioseg.io.images import read_volume
from cardioseg.workflows.evaluate import (
    EvaluationOptions,
    evaluate_files,
    own_labels,
    read_as,
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


def compare_files(
    compared: Comparing,
    options: EvaluationOptions,
    output: Path,
    *,
    force: bool = False,
    watch: Watch = lambda done, total, name: None,
) -> str:
    """Evaluate both, test the differences, and write comparison.md and pictures.

    Returns
    -------
    str
        The table of comparison.md.

    Raises
    ------
    CardiosegError
        As :func:`cardioseg.workflows.evaluate.evaluate_files`; also if the two differ in their
        cases.
    """
    started = time.monotonic()
    names = _names(compared)
    folders = (compared.first, compared.second)
    first, second = (
        evaluate_files(
            folder, compared.references, options, output / name, force=force, watch=watch
        ).report
        for name, folder in zip(names, folders, strict=True)
    )
    compared_metrics = compare(first, second, np.random.default_rng(BOOTSTRAP_SEED))
    table = comparison_table(compared_metrics, *names)
    heading = f"# {names[0]} against {names[1]}\n\nPer volume, paired by patient.\n\n"
    write_text(output / COMPARISON_MD, heading + table + "\n")
    if compared.images:
        for kind, case in zip(SHOWN, shown_cases((first,)), strict=True):
            write_bytes(output / f"{kind}.png", _picture(compared, names, case, options))
    # What was compared is named, digest by digest, in the run.json of the two evaluations.
    facts: dict[str, Json] = {"compared": list(names), "bootstrap_seed": BOOTSTRAP_SEED}
    write_run(output, "compare", facts, started)
    return table


def _names(compared: Comparing) -> tuple[str, str]:
    first, second = compared.first.name, compared.second.name
    if first == second:
        raise DatasetError(f"{compared.first} and {compared.second} have one name; rename one")
    return first, second


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


def _picture(
    compared: Comparing, names: tuple[str, str], case: str, options: EvaluationOptions
) -> bytes:
    if compared.images is None:
        raise DatasetError("no folder of images")
    images = {each.name: each.path for each in gather_images([compared.images])}
    if case not in images:
        raise DatasetError(f"{compared.images}: no image named {case}")
    target = options.read_as or options.scheme
    folders = (compared.references, compared.first, compared.second)
    # Where missing predictions count, a case may have none: its column is left out.
    labels = {
        title: read_as(own_labels(path, options.scheme), target, path)
        for title, folder in zip(("reference", *names), folders, strict=True)
        if (path := _file(folder, case)) is not None
    }
    return png_bytes(comparison_figure(read_volume(images[case]), labels))


def _file(folder: Path, case: str) -> Path | None:
    return next((each.path for each in gather_labels(folder) if each.name == case), None)
