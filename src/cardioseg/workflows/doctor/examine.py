"""Examine a data set: each case by itself, then against the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from cardioseg.datasets import Dataset
from cardioseg.workflows.doctor.cohort import FEWEST, compare_cases, posed_subjects
from cardioseg.workflows.doctor.finding import Finding
from cardioseg.workflows.doctor.labels import parts_of
from cardioseg.workflows.doctor.look import Seen, look_at

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Examination:
    """What was found in a data set.

    Parameters
    ----------
    dataset
        The set.
    seen
        Its readable cases, with what mends each.
    findings
        All that is wrong or looks so.
    unchecked
        Checks that this set does not allow, and why; one line each.
    """

    dataset: Dataset
    seen: tuple[Seen, ...]
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]

    @property
    def faults(self) -> int:
        """Number of findings that are faults."""
        return Counter(finding.severity for finding in self.findings)["fault"]


def examine(dataset: Dataset, watch: Watch = lambda done, total, name: None) -> Examination:
    """Read every case once, one at a time, and say what is wrong.

    Parameters
    ----------
    dataset
        Any data set; without labels only images are examined.
    watch
        Called with cases done, cases in all, and the id of the next.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> from cardioseg.phantom import cohort
    >>> heart = cohort(1, seed=0, variants=("normal",))[:1]
    >>> examine(Dataset("phantoms", heart, ACDC, "free")).findings
    ()
    """
    seen: list[Seen] = []
    told: list[Finding] = []
    for done, case in enumerate(dataset.cases):
        watch(done, len(dataset.cases), case.id)
        found = look_at(case)
        if isinstance(found, Finding):
            told.append(found)
        else:
            seen.append(found)
            told += found.findings
    watch(len(dataset.cases), len(dataset.cases), "")
    compared, mends = compare_cases(seen)
    mended = tuple(
        replace(each, repair=replace(each.repair, move_both=mends.get(each.case.id)))
        for each in seen
    )
    return Examination(dataset, mended, (*told, *compared), _unchecked(dataset, seen))


def _unchecked(dataset: Dataset, seen: list[Seen]) -> tuple[str, ...]:
    words = []
    parts = parts_of(dataset.scheme)
    if not dataset.labelled_cases:
        words.append("label checks: the set has no labels")
    elif parts.lv is None or parts.myocardium is None:
        words.append(
            "label convention, and labels against image: scheme "
            f"{dataset.scheme.name} does not tell the LV from the myocardium"
        )
    posed = posed_subjects(seen)
    if posed < FEWEST:
        words.append(
            f"mirrored and turned hearts: needs {FEWEST} subjects with LV and RV labels in stacks, "
            f"the set has {posed}"
        )
    if len(seen) < FEWEST:
        words.append(
            f"outlying spacings and intensities: needs {FEWEST} cases, {len(seen)} are there"
        )
    return tuple(words)
