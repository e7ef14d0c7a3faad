"""Whose heart an evaluated case is, of which group and in which phase."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.case import phase_of
from cardioseg.datasets.acdc import phase_and_group
from cardioseg.errors import DatasetError
from cardioseg.workflows.inputs import Input


@dataclass(frozen=True)
class CaseFacts:
    """The subject of a case, its group and its phase; what is unknown is empty."""

    subject: str
    group: str
    phase: str


def case_facts(reference: Input, told: CaseFacts | None) -> CaseFacts:
    """What is told; else phase and group from ACDC's Info.cfg beside the file, or from the name."""
    known = told or CaseFacts(reference.subject, "", "")
    if known.group and known.phase:
        return known
    phase, group = phase_and_group(reference.path.parent, reference.name)
    return CaseFacts(
        known.subject,
        known.group or group,
        known.phase or phase or phase_of(reference.name),
    )


def read_subjects(path: Path, cases: Sequence[str]) -> dict[str, CaseFacts]:
    """What a CSV tells of each case; it must tell of all, or two rules would name subjects.

    Raises
    ------
    DatasetError
        If it cannot be read or lacks a case.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
        known = {
            row["case"]: CaseFacts(row["subject"], row.get("group") or "", row.get("phase") or "")
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
