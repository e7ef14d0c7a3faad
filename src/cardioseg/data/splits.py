"""Parts of a data set: by subject, seeded, k-fold, or from a file; no subject is in two parts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.case import Case
from cardioseg.errors import DatasetError

VALIDATION_SHARE = 0.2

ALLOW_NEAR = "allow_near_duplicates"
"""Key of a split file whose owner has looked at near copies and says that they are no copies."""


@dataclass(frozen=True)
class Split:
    """Subjects of each part.

    Parameters
    ----------
    training, validation, test
        Subject ids; `test` may be empty.
    allow_near_duplicates
        Whether images in two parts that look nearly the same are different people's.

    Raises
    ------
    DatasetError
        If a subject is in two parts.
    """

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()
    allow_near_duplicates: bool = False

    def __post_init__(self) -> None:
        named = Counter((*self.training, *self.validation, *self.test))
        twice = sorted(subject for subject, times in named.items() if times > 1)
        if twice:
            raise DatasetError(f"split: subject {twice[0]} is in two parts or named twice")

    def to_json(self) -> str:
        """The split as :func:`read_split` reads it."""
        record = asdict(self)
        if not self.allow_near_duplicates:
            del record[ALLOW_NEAR]
        return json.dumps(record, indent=1) + "\n"

    def cases(self, cases: Sequence[Case], part: str) -> tuple[Case, ...]:
        """The cases of one part, in the order they came.

        Raises
        ------
        DatasetError
            If the part names a subject that no case has.
        """
        wanted = set(getattr(self, part))
        missing = sorted(wanted - {case.subject for case in cases})
        if missing:
            raise DatasetError(
                f"split: {part} names {len(missing)} subjects that the data set does not have, "
                f"{missing[0]} first"
            )
        return tuple(case for case in cases if case.subject in wanted)

    def tested(self, cases: Sequence[Case]) -> tuple[Case, ...]:
        """The cases of the part `test` that are there: it may name subjects kept elsewhere."""
        return tuple(case for case in cases if case.subject in set(self.test))


def subjects_of(cases: Sequence[Case]) -> tuple[str, ...]:
    """Subject ids, each once, sorted."""
    return tuple(sorted({case.subject for case in cases}))


def split_by_subject(
    subjects: Sequence[str], rng: np.random.Generator, validation_share: float = VALIDATION_SHARE
) -> Split:
    """Draw validation subjects at random; at least one for each part.

    Examples
    --------
    >>> split = split_by_subject(["a", "b", "c", "d", "e"], np.random.default_rng(0))
    >>> len(split.training), len(split.validation)
    (4, 1)
    """
    if len(subjects) < 2:
        raise DatasetError(f"a split needs at least two subjects, the data set has {len(subjects)}")
    shuffled = [str(subject) for subject in rng.permutation(sorted(subjects))]
    count = min(max(round(validation_share * len(shuffled)), 1), len(shuffled) - 1)
    return Split(tuple(sorted(shuffled[count:])), tuple(sorted(shuffled[:count])))


def written_out(split: Split, people: Sequence[tuple[str, ...]]) -> Split:
    """A split drawn over people, each by the first of their names, with all their names.

    Parameters
    ----------
    split
        Holds first names.
    people
        Names of each person, as :func:`cardioseg.data.leakage.same_people` gives them.

    Examples
    --------
    >>> written_out(Split(("a",), ("b",)), [("a", "c"), ("b",)]).training
    ('a', 'c')
    """
    names = {group[0]: group for group in people}

    def subjects(part: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(subject for name in part for subject in names[name]))

    training, validation, test = map(subjects, (split.training, split.validation, split.test))
    return Split(training, validation, test, split.allow_near_duplicates)


def share_counts(total: int, shares: Sequence[int]) -> tuple[int, ...]:
    """Parts of `total` in the proportion of `shares`, by largest remainder, none of them empty.

    Raises
    ------
    DatasetError
        If there are fewer than one for each part.

    Examples
    --------
    >>> share_counts(10, (7, 2, 1)), share_counts(2136, (1535, 389, 212))
    ((7, 2, 1), (1535, 389, 212))
    """
    if total < len(shares):
        raise DatasetError(f"{total} cannot be split into {len(shares)} parts: too few")
    exact = [total * share / sum(shares) for share in shares]
    counts = [max(int(part), 1) for part in exact]
    while sum(counts) != total:
        step = 1 if sum(counts) < total else -1
        gaps = [step * (part - count) for part, count in zip(exact, counts, strict=True)]
        allowed = [i for i, count in enumerate(counts) if count + step >= 1]
        counts[max(allowed, key=lambda i: gaps[i])] += step
    return tuple(counts)


def split_by_shares(
    subjects: Sequence[str], shares: tuple[int, int, int], rng: np.random.Generator
) -> Split:
    """Draw the subjects of training, validation and test at random, in the proportion of `shares`.

    Examples
    --------
    >>> split = split_by_shares([f"pat{n}" for n in range(10)], (7, 2, 1), np.random.default_rng(0))
    >>> len(split.training), len(split.validation), len(split.test)
    (7, 2, 1)
    """
    shuffled = [str(subject) for subject in rng.permutation(sorted(subjects))]
    first, second, _ = share_counts(len(shuffled), shares)
    parts = shuffled[:first], shuffled[first : first + second], shuffled[first + second :]
    training, validation, test = (tuple(sorted(part)) for part in parts)
    return Split(training, validation, test)


def folds(subjects: Sequence[str], count: int, rng: np.random.Generator) -> tuple[Split, ...]:
    """k-fold splits: each subject is validated exactly once.

    Examples
    --------
    >>> [len(s.validation) for s in folds(list("abcde"), 2, np.random.default_rng(0))]
    [3, 2]
    """
    if not 2 <= count <= len(subjects):
        raise DatasetError(f"{count} folds of {len(subjects)} subjects: choose 2 to that many")
    shuffled = [str(subject) for subject in rng.permutation(sorted(subjects))]
    parts = [sorted(shuffled[fold::count]) for fold in range(count)]
    return tuple(Split(tuple(sorted(set(subjects) - set(part))), tuple(part)) for part in parts)


def read_split(path: Path) -> Split:
    """Read `{"training": [...], "validation": [...], "test": [...]}`.

    `test` may be left out; `"allow_near_duplicates": true` may be added.

    Raises
    ------
    DatasetError
        If the file is unreadable or not of that form.
    """
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: cannot read a split: {error}") from error
    known = {"training", "validation", "test", ALLOW_NEAR}
    if not isinstance(parts, dict) or not {"training", "validation"} <= set(parts) <= known:
        raise DatasetError(f"{path}: a split has the keys training, validation and, if any, test")
    allow = parts.pop(ALLOW_NEAR, False)
    if not isinstance(allow, bool):
        raise DatasetError(f"{path}: {ALLOW_NEAR} must be true or false")
    for name, part in parts.items():
        if not isinstance(part, list) or not all(isinstance(subject, str) for subject in part):
            raise DatasetError(f"{path}: {name} must be a list of subject ids")
    named = {name: tuple(part) for name, part in parts.items()}
    return Split(**named, allow_near_duplicates=allow)
