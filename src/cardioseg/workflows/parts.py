"""From cases to the two parts of a training: split, leak check, prepared slices."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.case import Case
from cardioseg.data.leakage import require_no_leak, same_people, scan_of
from cardioseg.data.looks import Looks
from cardioseg.data.slices import SliceStore, open_slices, store_slices
from cardioseg.data.splits import ALLOW_NEAR, Split, read_split, split_by_subject, written_out
from cardioseg.errors import DatasetError
from cardioseg.training.config import TrainConfig

SLICE_SHARE = 0.2
BY_SLICES = "slices"
"""The split that takes slices and not subjects."""

Told = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Parts:
    """The slices to train on, those to validate on (None: nobody validates), the split as JSON."""

    training: SliceStore
    validation: SliceStore | None
    record: str

    def to_json(self) -> str:
        """What :func:`opened_parts` needs to open them from the same cache."""
        names = [
            None if store is None or store.folder is None else store.folder.name
            for store in (self.training, self.validation)
        ]
        return json.dumps({"stores": names, "record": self.record})


def opened_parts(cache: Path, text: str) -> Parts:
    """The parts that another process prepared in `cache` and told with :meth:`Parts.to_json`.

    Raises
    ------
    DatasetError
        If the cache lacks them.
    """
    noted = json.loads(text)
    first, second = (open_slices(cache / name) if name else None for name in noted["stores"])
    if first is None:
        raise DatasetError(f"{cache}: no training slices were told")
    record = json.loads(noted["record"])
    if record.get("split") == BY_SLICES:
        return _by_slices(first, record["seed"], noted["record"])
    return Parts(first, second, noted["record"])


def prepared_parts(
    config: TrainConfig, cases: Sequence[Case], split: str, cache: Path, tell: Told, looks: Looks
) -> Parts:
    """Split the cases, refuse leaks, and prepare every slice once.

    Parameters
    ----------
    config
        Its plan prepares, its seed draws the split.
    cases
        Cases with labels.
    split
        `subjects`, `slices` or the path of a JSON file; see
        :func:`cardioseg.workflows.train.train`.
    cache
        Where prepared slices are kept; a later call with the same plan and cases opens them.
    tell
        Gets lines for a person.
    looks
        Where cases that were read are kept.

    Raises
    ------
    LeakageError
        If a subject, a scan, an image or a near copy of one is in two parts.
    ConfigError, DatasetError
        If data or split cannot be used.
    """
    if split == BY_SLICES:
        tell(
            "warning: --split slices puts slices of one patient into both parts; "
            "every figure of this run is too good"
        )
        store = store_slices(cases, config.plan, cache, _counting(tell), config.slice_step, looks)
        record = f'{{"split": "{BY_SLICES}", "seed": {config.seed}}}\n'
        return _by_slices(store, config.seed, record)
    drawn = split == "subjects"
    chosen = _drawn(config, cases, tell, looks) if drawn else read_split(Path(split))
    training, validation = chosen.cases(cases, "training"), chosen.cases(cases, "validation")
    tell(f"checking {len(training) + len(validation)} cases for leaks")
    require_no_leak(
        {"training": training, "validation": validation, "test": chosen.tested(cases)},
        looks,
        near_duplicates=not chosen.allow_near_duplicates,
    )
    first, second = (
        store_slices(part, config.plan, cache, _counting(tell), step, looks) if part else None
        for part, step in ((training, config.slice_step), (validation, 1))
    )
    if first is None:
        raise DatasetError(f"{split}: no training subjects; name them in the split")
    return Parts(first, second, chosen.to_json())


def _by_slices(store: SliceStore, seed: int, record: str) -> Parts:
    order = np.random.default_rng(seed).permutation(len(store))
    count = max(round(SLICE_SHARE * len(store)), 1)
    return Parts(store.take(np.sort(order[count:])), store.take(np.sort(order[:count])), record)


def people_of(cases: Sequence[Case], tell: Told, looks: Looks) -> tuple[tuple[str, ...], ...]:
    """Subjects in groups that are one person, to draw a split over; who is joined is told.

    Raises
    ------
    DatasetError
        If all of several subjects look like one, so that nothing can be split.
    """
    tell(f"reading {len(cases)} cases")
    people = same_people(cases, looks)
    for group in people:
        if len(group) > 1:
            tell(f"one person under several names, kept in one part: {', '.join(group)}")
    if len(people) == 1 and len(people[0]) > 1:
        raise DatasetError(f"all {len(people[0])} subjects {_why_one_person(cases, looks)}")
    return people


def _why_one_person(cases: Sequence[Case], looks: Looks) -> str:
    if len(scans := {scan_of(case.id) for case in cases}) == 1:
        return (
            f"are frames of one scan, {scans.pop()}, by their names ({cases[0].id}, "
            f"{cases[-1].id}); if they are different people, rename the files so that what tells "
            "them apart does not look like a frame's number"
        )
    if len({looks.of(case).content for case in cases}) == 1:
        return "hold the same image; nothing can be learnt from it alone"
    return (
        "show nearly the same image; if they are different people, name the parts in a split file "
        f'and say "{ALLOW_NEAR}": true there'
    )


def _drawn(config: TrainConfig, cases: Sequence[Case], tell: Told, looks: Looks) -> Split:
    people = people_of(cases, tell, looks)
    rng = np.random.default_rng(config.seed)
    return written_out(split_by_subject([group[0] for group in people], rng), people)


def _counting(tell: Told) -> Callable[[int, int], None]:
    def told(done: int, total: int) -> None:
        if done in (0, total):
            tell(f"prepared {done} of {total} cases")

    return told
