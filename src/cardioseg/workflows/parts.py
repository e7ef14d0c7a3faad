"""From cases to the two parts of a training: split, leak check, prepared slices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.case import Case
from cardioseg.data.leakage import content_digest, require_no_leak
from cardioseg.data.slices import SliceStore, store_slices
from cardioseg.data.splits import Split, read_split, split_by_subject, subjects_of
from cardioseg.errors import DatasetError
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.provenance import combined_digest

SLICE_SHARE = 0.2

Told = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Parts:
    """The slices to train on, those to validate on (None: nobody validates), the split as JSON."""

    training: SliceStore
    validation: SliceStore | None
    record: str


def prepared_parts(
    config: TrainConfig, cases: Sequence[Case], split: str, cache: Path, tell: Told
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

    Raises
    ------
    LeakageError
        If a subject or an image is in two parts.
    ConfigError, DatasetError
        If data or split cannot be used.
    """
    if split == "slices":
        tell(
            "warning: --split slices puts slices of one patient into both parts; "
            "every figure of this run is too good"
        )
        store = store_slices(cases, config.plan, cache, _counting(tell), config.slice_step)
        order = np.random.default_rng(config.seed).permutation(len(store))
        count = max(round(SLICE_SHARE * len(store)), 1)
        record = f'{{"split": "slices", "seed": {config.seed}}}\n'
        return Parts(store.take(np.sort(order[count:])), store.take(np.sort(order[:count])), record)
    chosen = _subjects(config, cases, split)
    training, validation = chosen.cases(cases, "training"), chosen.cases(cases, "validation")
    tell(f"checking {len(training) + len(validation)} cases for leaks")
    test = tuple(case for case in cases if case.subject in set(chosen.test))
    require_no_leak({"training": training, "validation": validation, "test": test})
    first, second = (
        store_slices(part, config.plan, cache, _counting(tell), step) if part else None
        for part, step in ((training, config.slice_step), (validation, 1))
    )
    if first is None:
        raise DatasetError(f"{split}: no training subjects; name them in the split")
    return Parts(first, second, chosen.to_json())


def data_digest(cases: Sequence[Case]) -> str:
    """One digest of all images, whatever their order and names."""
    return combined_digest(content_digest(case) for case in cases)


def labels_digest(cases: Sequence[Case]) -> str:
    """One digest of all images and labels as they lie: values, order and grid; not of names."""
    return combined_digest(_exact_digest(case) for case in cases)


def _exact_digest(case: Case) -> str:
    digest = hashlib.sha256()
    for each in case.pair():
        grid = each.geometry
        digest.update(f"{grid.shape} {np.round(grid.affine, 4).tolist()}".encode())
        digest.update(np.ascontiguousarray(each.array).tobytes())
    return digest.hexdigest()


def _subjects(config: TrainConfig, cases: Sequence[Case], split: str) -> Split:
    if split == "subjects":
        return split_by_subject(subjects_of(cases), np.random.default_rng(config.seed))
    return read_split(Path(split))


def _counting(tell: Told) -> Callable[[int, int], None]:
    def told(done: int, total: int) -> None:
        if done in (0, total):
            tell(f"prepared {done} of {total} cases")

    return told
