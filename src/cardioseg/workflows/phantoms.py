"""Synthetic hearts as files, in ACDC's layout."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.errors import OutputExistsError
from cardioseg.io.atomic import is_empty, make_folder, write_text
from cardioseg.io.nifti import write_labels, write_volume
from cardioseg.phantom import cohort
from cardioseg.workflows.provenance import write_run

Watch = Callable[[int, int, str], None]


def write_phantoms(
    output: Path, count: int, seed: int, watch: Watch = lambda done, total, name: None
) -> int:
    """Write `count` subjects, two frames each, as ACDC's patientNNN folders.

    Returns
    -------
    int
        Cases written.

    Raises
    ------
    OutputExistsError
        If `output` is not empty.
    """
    started = time.monotonic()
    if not is_empty(output):
        raise OutputExistsError(f"{output}: is not empty; name another folder")
    cases = cohort(count, seed)
    for done, case in enumerate(cases):
        watch(done, len(cases), case.id)
        number = int(case.subject.rpartition("_")[2])
        _write(case, output / "training" / f"patient{number + 1:03d}")
    watch(len(cases), len(cases), "")
    write_run(output, "phantom", {"seed": seed, "subjects": count}, started)
    return len(cases)


def _write(case: Case, folder: Path) -> None:
    make_folder(folder)
    stem = f"{folder.name}_frame{case.frame:02d}"
    image, labels = case.pair()
    write_volume(image, folder / f"{stem}.nii.gz")
    write_labels(labels, folder / f"{stem}_gt.nii.gz")
    info = folder / "Info.cfg"
    known = info.read_text(encoding="utf-8") if info.is_file() else f"Group: {case.group}\n"
    write_text(info, f"{case.phase}: {case.frame}\n{known}")
