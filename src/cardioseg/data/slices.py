"""Prepared slices of many cases in two memory-mapped arrays: read what a batch needs, no more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.case import Case
from cardioseg.data.looks import Looks
from cardioseg.errors import DatasetError
from cardioseg.io.atomic import growing_npy, make_folder, write_text
from cardioseg.prepare.plan import Plan, SinglePlane
from cardioseg.prepare.preparation import Preparation

IMAGES, LABELS, INDEX = "images.npy", "labels.npy", "index.json"

_PREPARING = ("plane", "spacing_mm", "size", "intensity", "scheme")
"""The plan's keys that prepared slices depend on."""


@dataclass(frozen=True)
class SliceEntry:
    """One prepared slice: whose it is, its number in its plane, the label's centre, the plane."""

    case: str
    subject: str
    index: int
    centre: tuple[float, float]
    plane: SinglePlane = "native"


@dataclass(frozen=True, eq=False)
class SliceStore:
    """Prepared slices and their labels.

    Parameters
    ----------
    images
        (slices, rows, columns) float16, normalised.
    labels
        (slices, rows, columns) uint8.
    entries
        One for each slice, in the order of the arrays.
    folder
        Where the arrays lie that these slices are taken from; None if they never were on disk.
    """

    images: NDArray[np.float16]
    labels: NDArray[np.uint8]
    entries: tuple[SliceEntry, ...]
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.entries)

    def take(self, positions: NDArray[np.integer]) -> SliceStore:
        """A store of some of the slices, in memory."""
        chosen = tuple(self.entries[int(i)] for i in positions)
        return SliceStore(self.images[positions], self.labels[positions], chosen, self.folder)

    def of_volumes(self) -> dict[tuple[str, SinglePlane], list[int]]:
        """Positions of the slices of each case and plane, in order."""
        found: dict[tuple[str, SinglePlane], list[int]] = {}
        for position, entry in enumerate(self.entries):
            found.setdefault((entry.case, entry.plane), []).append(position)
        return found


def store_slices(
    cases: Sequence[Case],
    plan: Plan,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    step: int = 1,
    looks: Looks | None = None,
) -> SliceStore:
    """Prepare the slices of every case, once; later calls with the same input open the result.

    Of an orthogonal plan the slices of all three planes are stored. Slices without any label stay:
    a network must learn them too.

    Parameters
    ----------
    cases
        Cases with labels; labels are read in the plan's scheme.
    plan
        How to prepare.
    folder
        Where the arrays are kept; it may be deleted at any time.
    progress
        Called with cases done and cases in all.
    step
        Store every `step`-th slice of each plane, from the first on; 1 stores all.
    looks
        Where cases that were read already are kept; None reads them.

    Raises
    ------
    DatasetError
        If there are no cases, or a case has no labels.
    """
    if not cases:
        raise DatasetError("no cases to prepare: the split leaves this part empty")
    key = _key(cases, plan, step, looks or Looks())
    target = folder / key
    # What a killed process left, or a copy that was cut off, is prepared again.
    with suppress(DatasetError):
        return open_slices(target)
    make_folder(target)
    _prepare(cases, plan, step, target, progress)
    return open_slices(target)


def open_slices(folder: Path) -> SliceStore:
    """Open a folder that :func:`store_slices` wrote; arrays are memory-mapped.

    Raises
    ------
    DatasetError
        If a file is missing, damaged or cut off.
    """
    try:
        index = json.loads((folder / INDEX).read_text())
        entries = tuple(SliceEntry(**{**e, "centre": tuple(e["centre"])}) for e in index["slices"])
        # A file shorter than its header promises cannot be mapped.
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / LABELS, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise DatasetError(f"{folder}: no whole prepared slices ({error}); remove it") from error
    if (images.dtype, labels.dtype) != (np.float16, np.uint8):
        raise DatasetError(f"{folder}: prepared slices of another type; remove it")
    if images.shape != labels.shape or len(images) != len(entries):
        raise DatasetError(f"{folder}: prepared slices do not match their index; remove it")
    return SliceStore(images, labels, entries, folder)


def _key(cases: Sequence[Case], plan: Plan, step: int, looks: Looks) -> str:
    """Name of the prepared arrays: a hash of what they depend on, voxels included."""
    digest = hashlib.sha256(plan.model_dump_json(include=set(_PREPARING)).encode())
    digest.update(f"every {step}\n".encode())
    for case in cases:
        if case.load_labels is None:
            raise DatasetError(f"case {case.id} has no reference labels")
        digest.update(f"{case.id}\0{case.subject}\0{looks.of(case).exact}\n".encode())
    return digest.hexdigest()[:16]


def _prepare(
    cases: Sequence[Case],
    plan: Plan,
    step: int,
    folder: Path,
    progress: Callable[[int, int], None],
) -> None:
    entries: list[SliceEntry] = []
    alike = plan.model_copy(update={"whole_slices": False})  # one size for all
    with (
        growing_npy(folder / IMAGES, np.float16, alike.size) as images,
        growing_npy(folder / LABELS, np.uint8, alike.size) as labels,
    ):
        for done, case in enumerate(cases):
            progress(done, len(cases))
            image, reference = case.pair()
            reference = reference.read_as(plan.label_scheme)
            for plane in plan.planes:
                preparation = Preparation(image.geometry, alike, plane)
                answers = preparation.label_slices(reference)
                images.write(preparation.slices(image)[::step].astype(np.float16).data)
                labels.write(np.ascontiguousarray(answers[::step]).data)
                centre = _centre(answers)
                entries += [
                    SliceEntry(case.id, case.subject, k, centre, plane)
                    for k in range(0, len(answers), step)
                ]
        progress(len(cases), len(cases))
    # Written last: a folder with an index is complete.
    write_text(folder / INDEX, json.dumps({"slices": [asdict(entry) for entry in entries]}))


def _centre(labels: NDArray[np.uint8]) -> tuple[float, float]:
    """Middle of a case's labels in prepared pixels; of the slice where nothing is labelled."""
    marked = np.nonzero(labels.any(axis=0))
    if not len(marked[0]):
        return (labels.shape[1] - 1) / 2, (labels.shape[2] - 1) / 2
    row, column = (float(axis.min() + axis.max()) / 2 for axis in marked)
    return row, column
