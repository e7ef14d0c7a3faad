"""Leak check: no subject and no image content in two parts of a split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from cardioseg.core.case import Case
from cardioseg.errors import LeakageError


def content_digest(case: Case) -> str:
    """SHA-256 of a case's voxel values, whatever its name, header or storage order along an axis.

    The values are sorted first, so that a mirrored or turned copy has the digest of its original.
    """
    values = np.sort(case.image().array, axis=None)
    return hashlib.sha256(values.tobytes()).hexdigest()


def require_no_leak(parts: Mapping[str, Sequence[Case]]) -> None:
    """Refuse parts that share a subject or an image.

    Parameters
    ----------
    parts
        Cases by name of the part.

    Raises
    ------
    LeakageError
        Naming the two cases and their parts.
    """
    subjects: dict[str, tuple[str, str]] = {}
    contents: dict[str, tuple[str, str]] = {}
    for part, cases in parts.items():
        for case in cases:
            here = (part, case.id)
            _require_one_part(subjects, case.subject, here, f"subject {case.subject}")
            _require_one_part(contents, content_digest(case), here, "the same image")


def same_people(cases: Sequence[Case]) -> tuple[tuple[str, ...], ...]:
    """Subjects in groups that share an image: one person under several names.

    Returns
    -------
    tuple
        Sorted groups of sorted subject ids; most hold one.
    """
    group = {case.subject: {case.subject} for case in cases}
    owners: dict[str, str] = {}
    for case in cases:
        other = owners.setdefault(content_digest(case), case.subject)
        if group[other] is not group[case.subject]:
            joined = group[other] | group[case.subject]
            group.update(dict.fromkeys(joined, joined))
    return tuple(sorted({tuple(sorted(names)) for names in group.values()}))


def _require_one_part(
    seen: dict[str, tuple[str, str]], key: str, here: tuple[str, str], what: str
) -> None:
    part, case = seen.setdefault(key, here)
    if part != here[0]:
        raise LeakageError(
            f"leak: {what} is in {part} ({case}) and in {here[0]} ({here[1]}); "
            "keep it in one part, or every figure of this split is too good"
        )
