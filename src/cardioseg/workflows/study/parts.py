"""Who trains, who chooses the epoch, and what is measured: a study's data, resolved and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.case import Case
from cardioseg.data.leakage import require_no_leak
from cardioseg.data.looks import Looks
from cardioseg.data.slices import SliceStore, store_slices
from cardioseg.data.splits import (
    Split,
    read_split,
    share_counts,
    split_by_shares,
    subjects_of,
    written_out,
)
from cardioseg.errors import ConfigError, DatasetError
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.parts import Told, people_of
from cardioseg.workflows.provenance import Json
from cardioseg.workflows.study.config import Data

TEST, UNSEEN = "test", "unseen"


@dataclass(frozen=True, eq=False)
class Division:
    """Who is in which part, before a slice is prepared.

    Parameters
    ----------
    data
        What was asked for.
    pool
        The cases that are divided.
    unseen
        Cases in no part that are measured besides.
    split
        The subjects of each part; None where single slices are drawn.
    """

    data: Data
    pool: tuple[Case, ...]
    unseen: tuple[Case, ...]
    split: Split | None

    @property
    def record(self) -> dict[str, Json]:
        """The subjects of each part, or those whose slices are divided, sorted."""
        if self.split is None:
            return {"divided": list[Json](subjects_of(self.pool))}
        named = {
            "training": self.split.training,
            "validation": self.split.validation,
            TEST: self.split.test,
        }
        return {part: list[Json](sorted(subjects)) for part, subjects in named.items()}


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Cases that are measured.

    Parameters
    ----------
    name
        `test` or `unseen`.
    cases
        In the order of the data set.
    slices
        Numbers of the prepared slices that count, by case id; None counts whole volumes and every
        slice.
    """

    name: str
    cases: tuple[Case, ...]
    slices: Mapping[str, frozenset[int]] | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """The data of one arm.

    Parameters
    ----------
    training, validation
        Prepared slices.
    held_out
        What is measured: the test, and unseen subjects if there are any.
    record
        The split as JSON, as a model card reads it.
    """

    training: SliceStore
    validation: SliceStore
    held_out: tuple[HeldOut, ...]
    record: str

    @property
    def contrasted(self) -> HeldOut:
        """What contrasts between arms are drawn on: the unseen subjects, else the test."""
        return self.held_out[-1]


def divide(data: Data, cases: Sequence[Case], tell: Told, looks: Looks | None = None) -> Division:
    """Say who is in which part, and read every case once: nobody may be in two.

    No subject, scan or image, nor a near copy, may be in two parts. Where subjects are drawn, those
    that are one person under several names stay together, and it is told.

    Raises
    ------
    LeakageError
        Naming the two cases.
    DatasetError
        If subjects are named that are not there, are too few, or all look like one.
    """
    seen = looks or Looks()
    pool = _pool(data, cases)
    unseen = _named(cases, data.unseen, UNSEEN)
    split = None if data.by_slices else _split(data, pool, tell, seen)
    if split is None:
        tell(
            f"warning: split {data.split} puts slices of one patient into training and test; "
            "every figure on its test is too good"
        )
        parts: dict[str, Sequence[Case]] = {"split": pool}
        near = True
    else:
        parts = {name: split.cases(pool, name) for name in ("training", "validation", TEST)}
        near = not split.allow_near_duplicates
    require_no_leak({**parts, UNSEEN: unseen}, seen, near_duplicates=near)
    return Division(data, pool, unseen, split)


def resolve(
    division: Division, config: TrainConfig, cache: Path, tell: Told, looks: Looks | None = None
) -> Parts:
    """Prepare the slices of training and validation, and list what is measured.

    Parameters
    ----------
    division
        Who is in which part, in any scheme that can be read as the plan's.
    config
        Its plan prepares; its `slice_step` thins what is trained on, and of single slices all.
    cache
        Where prepared slices are kept; arms with one preparation share them.
    tell
        Told how an uneven split came out.
    looks
        Where cases that were read already are kept; None reads them.

    Raises
    ------
    DatasetError
        If there are too few slices.
    """
    seen = looks or Looks()
    pool, split, plan = division.pool, division.split, config.plan
    others = (HeldOut(UNSEEN, division.unseen),) if division.unseen else ()
    if split is None:
        store = store_slices(pool, plan, cache, step=config.slice_step, looks=seen)
        return _by_slices(division.data, store, pool, others, tell)
    training, validation = (
        store_slices(split.cases(pool, part), plan, cache, step=step, looks=seen)
        for part, step in (("training", config.slice_step), ("validation", 1))
    )
    held_out = (HeldOut(TEST, split.cases(pool, TEST)), *others)
    return Parts(training, validation, held_out, split.to_json())


def require_same_images(pairs: Sequence[tuple[str, str]], parts: Mapping[str, Parts]) -> None:
    """Refuse contrasts whose arms are measured on different images, before anything is trained.

    Raises
    ------
    ConfigError
        Naming the two arms.
    """
    for pair in pairs:
        first, second = (parts[arm].contrasted for arm in pair)
        ids = [tuple(case.id for case in each.cases) for each in (first, second)]
        if ids[0] != ids[1] or first.slices != second.slices:
            raise ConfigError(
                f"contrast of {pair[0]} and {pair[1]}: they are measured on different images; name "
                "'unseen' subjects for both, or leave the contrast out"
            )


def used_cases(data: Sequence[Data], cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases that a study with these data looks at, in the order they came."""
    wanted: set[str] = set()
    for each in data:
        wanted |= {case.subject for case in _pool(each, cases)} | set(each.unseen)
    return tuple(case for case in cases if case.subject in wanted)


def _pool(data: Data, cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases that are divided into training, validation and test."""
    if data.shares:
        left = tuple(case for case in cases if case.subject not in data.unseen)
        return _named(cases, data.among, "among") if data.among else left
    split = read_split(Path(data.split)) if data.split else _named_split(data)
    return _named(cases, (*split.training, *split.validation, *split.test), "the split")


def _named_split(data: Data) -> Split:
    return Split(data.training, data.validation, data.test)


def _named(cases: Sequence[Case], subjects: Sequence[str], part: str) -> tuple[Case, ...]:
    missing = sorted(set(subjects) - {case.subject for case in cases})
    if missing:
        raise DatasetError(
            f"the study's data: {part} names {len(missing)} subjects that the data set does not "
            f"have with labels, {missing[0]} first; point --data at the whole data set"
        )
    return tuple(case for case in cases if case.subject in subjects)


def _split(data: Data, pool: Sequence[Case], tell: Told, looks: Looks) -> Split:
    if data.shares:
        rng = np.random.default_rng(data.seed)
        people = people_of(pool, tell, looks)
        drawn = split_by_shares([group[0] for group in people], data.shares[1], rng)
        return written_out(drawn, people)
    split = read_split(Path(data.split)) if data.split else _named_split(data)
    if not split.test:
        raise DatasetError(f"{data.split}: a study needs subjects in its part 'test'")
    return split


def _by_slices(
    data: Data, store: SliceStore, pool: tuple[Case, ...], others: tuple[HeldOut, ...], tell: Told
) -> Parts:
    """Single slices drawn into the three parts, whoever they are of."""
    shares = data.shares[1] if data.shares else (1, 1, 1)
    first, second, third = share_counts(len(store), shares)
    if (first, second, third) != shares and sum(shares) > 100:
        tell(f"split {data.split}: {len(store)} slices are there: {first}/{second}/{third}")
    order = np.random.default_rng(data.seed).permutation(len(store))
    parts = (order[:first], order[first : first + second], order[first + second :])
    training, validation = (store.take(np.sort(part)) for part in parts[:2])
    chosen: dict[str, set[int]] = {}
    for position in parts[2]:
        entry = store.entries[int(position)]
        chosen.setdefault(entry.case, set()).add(entry.index)
    tested = tuple(case for case in pool if case.id in chosen)
    test = HeldOut(TEST, tested, {case: frozenset(numbers) for case, numbers in chosen.items()})
    counts = {"training_slices": first, "validation_slices": second, "test_slices": third}
    record = json.dumps({"split": "slices", "seed": data.seed, **counts}) + "\n"
    return Parts(training, validation, (test, *others), record)
