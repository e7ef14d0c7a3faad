"""Leak guard: no subject, scan, image or near copy of an image in two parts of a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

from cardioseg.core.case import Case, subject_of
from cardioseg.data.looks import Looks
from cardioseg.data.near import near_pairs
from cardioseg.data.splits import ALLOW_NEAR
from cardioseg.errors import LeakageError

_FRAME = re.compile(r"(.+?)[_-](?:ED|ES|(?:frame|phase|time|t)[_-]?\d+)", re.IGNORECASE)


def scan_of(name: str) -> str:
    """A case's name without what tells its frame, phase or view: frames of one scan share it.

    Examples
    --------
    >>> scan_of("patient001_ED"), scan_of("cell7_t012"), scan_of("pat4_cropped")
    ('patient001', 'cell7', 'pat4_cropped')
    """
    plain = subject_of(name)
    match = _FRAME.fullmatch(plain)
    return match[1] if match else plain


def require_no_leak(
    parts: Mapping[str, Sequence[Case]],
    looks: Looks | None = None,
    *,
    near_duplicates: bool = True,
) -> None:
    """Refuse parts that share a subject, a scan, an image, or a near copy of one.

    Frames of one scan leak under different subjects' names too: by their names
    (:func:`scan_of`), and as near copies, since they show one chest. Near copies are found by
    small pictures (:mod:`cardioseg.data.near`), which a copy of another field of view escapes.

    Parameters
    ----------
    parts
        Cases by name of the part.
    looks
        Where cases that were read already are kept; None reads them.
    near_duplicates
        Whether near copies are refused; where a split's owner has looked at them and says that
        they are different people, they are not.

    Raises
    ------
    LeakageError
        Naming the two cases and their parts.
    """
    seen = looks or Looks()
    for keys in _keys(seen):
        owners: dict[str, tuple[str, str]] = {}
        for part, cases in parts.items():
            for case in cases:
                key, what = keys(case)
                first = owners.setdefault(key, (part, case.id))
                if first[0] != part:
                    raise _leak(what, first, (part, case.id))
    if near_duplicates:
        _require_no_near_copy(parts, seen)


def same_people(cases: Sequence[Case], looks: Looks | None = None) -> tuple[tuple[str, ...], ...]:
    """Subjects in groups that share a scan, an image or a near copy: one person, several names.

    Returns
    -------
    tuple
        Sorted groups of sorted subject ids; most hold one.
    """
    seen = looks or Looks()
    group = {case.subject: {case.subject} for case in cases}

    def join(one: str, other: str) -> None:
        if group[one] is not group[other]:
            joined = group[one] | group[other]
            group.update(dict.fromkeys(joined, joined))

    for keys in _keys(seen):
        owners: dict[str, str] = {}
        for case in cases:
            join(owners.setdefault(keys(case)[0], case.subject), case.subject)
    pictures = [seen.of(case).thumbnail for case in cases]
    for i, j in near_pairs(pictures, pictures):
        join(cases[i].subject, cases[j].subject)
    return tuple(sorted({tuple(sorted(names)) for names in group.values()}))


def _keys(looks: Looks) -> Iterator[Callable[[Case], tuple[str, str]]]:
    """What cases of one person share, each with its words; the cheap ones come first."""
    yield lambda case: (case.subject, f"subject {case.subject}")
    yield lambda case: (scan_of(case.id), f"scan {scan_of(case.id)} (frames of it)")
    yield lambda case: (looks.of(case).content, "the same image")


def _require_no_near_copy(parts: Mapping[str, Sequence[Case]], looks: Looks) -> None:
    for (one, cases), (other, others) in combinations(parts.items(), 2):
        pictures = [[looks.of(case).thumbnail for case in each] for each in (cases, others)]
        pair = next(near_pairs(pictures[0], pictures[1]), None)
        if pair is not None:
            leak = _leak(
                "nearly the same image", (one, cases[pair[0]].id), (other, others[pair[1]].id)
            )
            raise LeakageError(
                f'{leak}. If they show different people, say "{ALLOW_NEAR}": true in the split file'
            )


def _leak(what: str, first: tuple[str, str], here: tuple[str, str]) -> LeakageError:
    return LeakageError(
        f"leak: {what} is in {first[0]} ({first[1]}) and in {here[0]} ({here[1]}); "
        "keep it in one part, or every figure of this split is too good"
    )
