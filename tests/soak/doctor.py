"""How often `inspect` finds damage: each subject of a data set is damaged in turn.

python -m tests.soak.doctor acdc:FOLDER --every 4 --output docs/results/trust/doctor.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets import read_dataset
from cardioseg.workflows.doctor.cohort import compare_cases
from cardioseg.workflows.doctor.finding import Finding
from cardioseg.workflows.doctor.look import Seen, look_at

Arrays = tuple[np.ndarray, np.ndarray]

DAMAGE: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], Arrays]]] = {
    "axis 1 mirrored": ("mirrored", lambda i, v: (np.flip(i, 0), np.flip(v, 0))),
    "axis 2 mirrored": ("mirrored", lambda i, v: (np.flip(i, 1), np.flip(v, 1))),
    "axis 3 mirrored": ("mirrored", lambda i, v: (np.flip(i, 2), np.flip(v, 2))),
    "axes 1 and 2 swapped": ("mirrored", lambda i, v: (i.swapaxes(0, 1), v.swapaxes(0, 1))),
    "labels mirrored along axis 1": ("labels-mirrored", lambda i, v: (i, np.flip(v, 0))),
    "labels mirrored along axis 2": ("labels-mirrored", lambda i, v: (i, np.flip(v, 1))),
    "labels mirrored along axis 3": ("labels-mirrored", lambda i, v: (i, np.flip(v, 2))),
    "LV and RV exchanged": ("label-convention", lambda i, v: (i, _renumbered(v, (0, 3, 2, 1)))),
    "LV and myocardium exchanged": (
        "label-convention",
        lambda i, v: (i, _renumbered(v, (0, 1, 3, 2))),
    ),
}


def _renumbered(values: np.ndarray, table: tuple[int, ...]) -> np.ndarray:
    return np.array(table, np.uint8)[values]


def damaged(case: Case, change: Callable[[np.ndarray, np.ndarray], Arrays]) -> Case:
    """The case with changed arrays; the affine stays."""
    image, labels = case.pair()
    pixels, values = change(image.array, labels.array)
    grid = Geometry(values.shape, image.geometry.affine)
    volume, marked = Volume(pixels, grid), LabelMap(values, grid, labels.scheme)
    return replace(case, load_image=lambda: volume, load_labels=lambda: marked)


def kinds_of(clean: list[Seen], subject: str, seen: list[Seen | Finding]) -> set[str]:
    """Kinds of the faults that the damaged subject gets among the clean rest."""
    found = [each for each in seen if isinstance(each, Seen)]
    rest = [each for each in clean if each.case.subject != subject]
    told, _ = compare_cases([*rest, *found])
    told += [finding for each in found for finding in each.findings]
    return {f.kind for f in told if f.subject == subject and f.severity == "fault"}


def main() -> int:
    """Damage, examine, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--every", type=int, default=1, help="Damage every n-th subject.")
    parser.add_argument("--output", type=Path, required=True)
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    started = time.monotonic()
    dataset = read_dataset(wanted.data)
    clean = [each for case in dataset.cases if isinstance(each := look_at(case), Seen)]
    told, _ = compare_cases(clean)
    told += [finding for each in clean for finding in each.findings]
    subjects = dataset.subjects[:: wanted.every]
    rows = []
    for name, (kind, change) in DAMAGE.items():
        found = 0
        for subject in subjects:
            cases = [case for case in dataset.labelled_cases if case.subject == subject]
            seen = [look_at(damaged(case, change)) for case in cases]
            found += kind in kinds_of(clean, subject, seen)
        rows.append({"damage": name, "kind": kind, "subjects": len(subjects), "found": found})
        sys.stdout.write(f"{name}: {found} of {len(subjects)}\n")
    record = {
        "format_version": 1,
        "data": dataset.name,
        "cases": len(clean),
        "clean_findings": [f"{f.severity} {f.kind}: {f.case or f.subject}" for f in told],
        "damaged": rows,
        "seconds": round(time.monotonic() - started, 1),
    }
    wanted.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
