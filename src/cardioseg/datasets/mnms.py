"""M&Ms: short-axis cine MR of four scanner vendors; a 4-D file a patient, two frames labelled."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets.layout import images_by_stem, require_folder, wrong_layout
from cardioseg.errors import DatasetError
from cardioseg.io.images import read_frames, read_label_frames

CITATION = "Campello et al., IEEE TMI 2021, doi:10.1109/TMI.2021.3090082"
LICENSE = "challenge data, registration needed: see the M&Ms site"

SOURCE_VALUES = {1: 3, 2: 2, 3: 1}
"""1 is the LV here and 3 the RV: the reverse of ACDC."""

TABLE = "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv"
_UNLABELLED = "Training/Unlabeled"
_PARTS = ("Training/Labeled", _UNLABELLED, "Validation", "Testing")
_PHASES = ("ED", "ES")
_SUBJECT = "External code"
_FRAME = re.compile(r"(\d+)(?:\.0*)?")
"""A program that knows no empty whole number saves the table with 9.0 for 9."""


def read_mnms(folder: str | Path) -> tuple[Case, ...]:
    r"""List the cases of an M&Ms folder: ED and ES of each patient; no image is opened.

    The files number the LV 1 and the RV 3; they are translated to ACDC's numbers. Patients of
    `Training/Unlabeled` have no labels, though files of empty ones lie beside their images.

    Parameters
    ----------
    folder
        Holds the table of patients, and `Training/Labeled`, `Training/Unlabeled`, `Validation`,
        `Testing`, or some of them, with folders `ID/ID_sa.nii.gz` and `ID/ID_sa_gt.nii.gz`.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `A0S9V9_frame00`: the frame counts from 0, as the table does.

    Raises
    ------
    DatasetError
        If the folder has another layout, there is no table, or it lacks a patient's ED or ES.

    References
    ----------
    Campello et al., IEEE TMI 2021, doi:10.1109/TMI.2021.3090082

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     patient = Path(name) / "Testing" / "A1B2C3"
    ...     patient.mkdir(parents=True)
    ...     (patient / "A1B2C3_sa.nii.gz").touch()
    ...     _ = (Path(name) / "table.csv").write_text("External code,ED,ES\nA1B2C3,0,9\n")
    ...     [(case.id, case.subject, case.phase) for case in read_mnms(name)]
    [('A1B2C3_frame00', 'A1B2C3', 'ED'), ('A1B2C3_frame09', 'A1B2C3', 'ES')]
    """
    root = require_folder(folder, "M&Ms")
    patients = [
        path
        for part in _PARTS
        if (root / part).is_dir()
        for path in sorted((root / part).iterdir())
        if path.is_dir() and not path.name.startswith(".")
    ]
    if not patients:
        raise wrong_layout(root, "Training/Labeled, Validation or Testing with ID/ID_sa.nii.gz")
    facts = _facts(root)
    cases = [case for patient in patients for case in _cases(patient, facts, root)]
    return tuple(sorted(cases, key=lambda case: case.id))


def _facts(root: Path) -> dict[str, Mapping[str, str]]:
    """The rows of the table of patients, by patient."""
    for path in sorted(root.glob("*.csv")):
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            rows = list(csv.DictReader(stream))
        if rows and {_SUBJECT, *_PHASES} <= set(rows[0]):
            return {row[_SUBJECT]: row for row in rows}
    raise DatasetError(
        f"{root}: no table with the columns '{_SUBJECT}', 'ED' and 'ES', such as {TABLE}"
    )


def _cases(patient: Path, facts: Mapping[str, Mapping[str, str]], root: Path) -> Iterator[Case]:
    files = images_by_stem(patient)
    image, labels = files.get(f"{patient.name}_sa"), files.get(f"{patient.name}_sa_gt")
    if image is None:
        raise wrong_layout(patient, f"{patient.name}_sa.nii.gz")
    if patient.parent == root / _UNLABELLED:
        labels = None
    row = facts.get(patient.name)
    if row is None:
        raise DatasetError(f"{root}: the table has no row of {patient.name}; restore it")
    for phase in _PHASES:
        number = _FRAME.fullmatch((row[phase] or "").strip())
        if number is None:
            raise DatasetError(
                f"{root}: the table has no frame {phase} of {patient.name}; restore its row"
            )
        frame = int(number[1])
        yield Case(
            id=f"{patient.name}_frame{frame:02d}",
            subject=patient.name,
            load_image=partial(_image, image, frame),
            load_labels=partial(_labels, labels, frame) if labels else None,
            frame=frame,
            phase=phase,
            group=row.get("Pathology") or "",
        )


def _image(path: Path, frame: int) -> Volume:
    frames = read_frames(path)
    _require_frame(path, frame, len(frames))
    return frames[frame]


def _labels(path: Path, frame: int) -> LabelMap:
    frames = read_label_frames(path, ACDC, SOURCE_VALUES)
    _require_frame(path, frame, len(frames))
    return frames[frame]


def _require_frame(path: Path, frame: int, count: int) -> None:
    if frame >= count:
        raise DatasetError(f"{path}: {count} frames, and the table names frame {frame}, from 0")
