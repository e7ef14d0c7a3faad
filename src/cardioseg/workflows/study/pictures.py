"""Pictures of a study: reference and both networks on the best, median and worst patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from cardioseg.core.case import Case
from cardioseg.evaluation import Report, comparison_figure, png_bytes
from cardioseg.evaluation.rows import LEVELS, Level
from cardioseg.evaluation.summary import subject_table
from cardioseg.io.atomic import write_bytes
from cardioseg.io.nifti import read_labels
from cardioseg.prepare.plan import Plan
from cardioseg.workflows.compare import SHOWN
from cardioseg.workflows.study.analysis import Contrast, Findings, Key
from cardioseg.workflows.study.config import Study
from cardioseg.workflows.study.measure import LABELS, slice_axis
from cardioseg.workflows.study.runs import run_folder, state_folder

MAX_SLICES = 3


def write_pictures(
    study: Study,
    contrast: Contrast,
    findings: Findings,
    cases: Mapping[str, tuple[Case, Plan]],
    output: Path,
) -> tuple[str, ...]:
    """Draw the three pictures of one contrast: a case of the best, median and worst patient.

    Parameters
    ----------
    study
        Titles.
    contrast
        Ranks the patients, by :func:`shown_patients`; its first seed is shown.
    findings
        Reports of that seed: the first case that they name of a patient is shown.
    cases
        Case and the plan that its slices are cut by, by case id.
    output
        The study's folder; label maps are read from it.

    Returns
    -------
    tuple of str
        File names, best first.
    """
    first = contrast.seeds[0]
    keys = [
        Key(arm, first.seed, where.epoch, findings.contrasted[arm])
        for arm, where in (
            (contrast.baseline, first.baseline),
            (contrast.candidate, first.candidate),
        )
    ]
    reports = [findings.reports[key] for key in keys]
    folders = {
        study.title_of(key.arm): state_folder(run_folder(output, key.arm, key.seed), key.epoch)
        for key in keys
    }
    level = next(each for each in LEVELS if any(r.level == each for r in reports[0].rows))
    written = []
    for kind, patient in zip(SHOWN, shown_patients(contrast.reports, level), strict=True):
        case = next(row.case for row in reports[0].rows if row.subject == patient)
        name = f"{contrast.candidate}-against-{contrast.baseline}-{kind}.png"
        shown = _measured_slices(reports[0], case) if level == "slice" else None
        write_bytes(output / name, _picture(study, cases[case], folders, shown))
        written.append(name)
    return tuple(written)


def shown_patients(reports: Sequence[Report], level: Level) -> tuple[str, str, str]:
    """The patients with the best, the median and the worst mean Dice of both networks.

    A patient's Dice is the mean over structures; cases and seeds are averaged first. Of an even
    number the better one of the middle is the median.
    """
    found: dict[str, list[float]] = {}
    for report in reports:
        rows = report.select(metric="dice", level=level).rows
        table = subject_table(rows, report.structures)
        subjects = dict.fromkeys(row.subject for row in rows)
        for subject, values in zip(subjects, table, strict=True):
            found.setdefault(subject, []).extend(values[~np.isnan(values)].tolist())
    dice = {subject: fmean(values or [0.0]) for subject, values in found.items()}
    ordered = sorted(dice, key=lambda subject: dice[subject])
    return ordered[-1], ordered[len(ordered) // 2], ordered[0]


def _measured_slices(report: Report, case: str) -> list[int]:
    """Up to three of the slices of a case that were measured, evenly spaced."""
    measured = {row.slice_index for row in report.select(case=case).rows}
    found = sorted(index for index in measured if index is not None)
    count = min(MAX_SLICES, len(found))
    return [found[(2 * place + 1) * len(found) // (2 * count)] for place in range(count)]


def _picture(
    study: Study, shown: tuple[Case, Plan], folders: Mapping[str, Path], slices: list[int] | None
) -> bytes:
    case, plan = shown
    image, reference = case.pair()
    scheme = plan.label_scheme
    labels = {"reference": reference.read_as(scheme)}
    for title, folder in folders.items():
        labels[title] = read_labels(folder / LABELS / f"{case.id}.nii.gz", scheme)
    figure = comparison_figure(
        image,
        labels,
        slice_axis=slice_axis(image.geometry, plan),
        slices=slices,
        orientation_known=case.orientation_known,
    )
    figure.suptitle(f"{study.name}: {case.id}", fontsize="small")
    return png_bytes(figure)
