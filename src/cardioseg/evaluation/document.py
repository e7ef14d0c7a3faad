"""A report as one Markdown document."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cardioseg.evaluation.clinical import Undefined, agreements, undefined_quantities
from cardioseg.evaluation.rows import Row
from cardioseg.evaluation.summary import Summary, summarise
from cardioseg.evaluation.tables import (
    Tag,
    agreement_table,
    breakdown_table,
    class_table,
    summary_table,
    worst_cases_table,
)

_DEFINITIONS = """\
Means and medians are over patients: the cases of a patient are averaged first. The interval is a
percentile bootstrap of the mean over patients, too narrow with fewer than about ten. A structure
absent from prediction and reference is undefined and counted. A structure that only one of them has
(missed, spurious) counts with Dice 0 and with the diagonal of the grid as its distance. HD95 is the
larger of the two directed 95th percentiles over boundary voxels; volume error is prediction minus
reference."""

_CLINICAL = """\
Limits of agreement are of one case: where a patient has several, as frames without a known phase,
they hold the variance between patients and within them, so that opposite errors don't cancel.
Myocardial mass is that of the whole wall, infarct and oedema included."""

_PER_SLICE = """\
Each native slice by itself, uncropped (background Dice depends on the size of the slice).
**Never compare these with the figures per volume**: a small structure in one slice weighs as much
as a large one."""

_NO_SLICES = """\
None: no single axis has the largest spacing, so the volume has no native slices. Name the slice
axis to get them."""


def document(rows: Sequence[Row], rng: np.random.Generator) -> str:
    """Markdown of all tables.

    Parameters
    ----------
    rows
        Rows of a report.
    rng
        Source of randomness for the bootstrap.
    """
    cases, subjects = ({getattr(r, name) for r in rows} for name in ("case", "subject"))
    summaries = summarise(rows, rng)
    sections = [
        "# Evaluation",
        f"Cases: {len(cases)}. Patients: {len(subjects)}.",
        _DEFINITIONS,
        *_volume_sections(rows, summaries),
        *_slice_sections(rows, summaries),
    ]
    return "\n\n".join(sections) + "\n"


def _volume_sections(rows: Sequence[Row], summaries: Sequence[Summary]) -> list[str]:
    sections = [
        "## Per volume",
        "The mean includes background.",
        class_table(rows, "volume"),
        summary_table(summaries, "volume"),
    ]
    tags: tuple[Tag, ...] = ("group", "phase")
    for tag in tags:
        if any(getattr(r, tag) for r in rows):
            sections += [f"### By {tag}"]
            for metric in ("dice", "hd95_mm"):
                sections += [f"{metric}:", breakdown_table(rows, metric, tag, "volume")]
    found, undefined = agreements(rows), [_undefined(each) for each in undefined_quantities(rows)]
    if found or undefined:
        sections += ["### Agreement of clinical quantities", _CLINICAL]
        sections += [agreement_table(found)] if found else []
        sections += ["\n".join(undefined)] if undefined else []
    return [*sections, "### Worst cases", worst_cases_table(rows)]


def _undefined(each: Undefined) -> str:
    patients = f"{each.subjects} patient{'s' if each.subjects != 1 else ''}"
    return f"- {each.quantity}: undefined of {patients}: {each.why}."


def _slice_sections(rows: Sequence[Row], summaries: Sequence[Summary]) -> list[str]:
    if not any(r.level == "slice" for r in rows):
        return ["## Per slice", _NO_SLICES]
    sections = [
        "## Per slice",
        _PER_SLICE,
        class_table(rows, "slice"),
        summary_table(summaries, "slice"),
    ]
    if any(r.region for r in rows):
        sections += ["### By region", "dice:", breakdown_table(rows, "dice", "region", "slice")]
    return sections
