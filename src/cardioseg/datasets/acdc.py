"""ACDC: short-axis cine MR, two frames of each patient with expert labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import ACDC
from cardioseg.datasets.layout import images_by_stem, require_folder, wrong_layout
from cardioseg.errors import DatasetError
from cardioseg.io.images import read_labels, read_volume

CITATION = "Bernard et al., IEEE TMI 2018, doi:10.1109/TMI.2018.2837502"
LICENSE = "CC BY-NC-SA 4.0"

_PARTS = ("training", "testing")
_PATIENT = re.compile(r"patient\d+")
_FRAME = re.compile(r"(patient\d+)_frame(\d+)")
_LAYOUT = "training/ or testing/ with patientNNN folders, or patientNNN folders"


def read_acdc(folder: str | Path) -> tuple[Case, ...]:
    r"""List the cases of an ACDC folder; no image is opened.

    Both frames of a patient share the subject. Phase and group come from Info.cfg. The files'
    affines are diagonal whatever the patient's pose, so the orientation counts as unknown.

    Parameters
    ----------
    folder
        Holds `training/` or `testing/` or both, or patientNNN folders directly.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `patient002_frame01`; frames without `_gt` have no labels, the 4-D
        cine is left out.

    Raises
    ------
    DatasetError
        If the folder is missing or has another layout, a patient appears twice or has no frame,
        or an Info.cfg is incomplete.

    References
    ----------
    Bernard et al., IEEE TMI 2018, doi:10.1109/TMI.2018.2837502

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     patient = Path(name) / "training" / "patient001"
    ...     patient.mkdir(parents=True)
    ...     _ = (patient / "Info.cfg").write_text("ED: 1\nES: 12\nGroup: DCM\n")
    ...     (patient / "patient001_frame12.nii.gz").touch()
    ...     (case,) = read_acdc(name)
    >>> case.id, case.subject, case.phase, case.group
    ('patient001_frame12', 'patient001', 'ES', 'DCM')
    """
    root = require_folder(folder, "ACDC")
    patients = _patients(root)
    if not patients:
        raise wrong_layout(root, _LAYOUT)
    cases = (case for _, path in sorted(patients.items()) for case in _cases(path))
    return tuple(sorted(cases, key=lambda case: case.id))


def _patients(root: Path) -> dict[str, Path]:
    """Patient folders by name."""
    found: dict[str, Path] = {}
    for parent in (root, *(root / part for part in _PARTS)):
        if not parent.is_dir():
            continue
        for path in sorted(parent.iterdir()):
            if not (path.is_dir() and _PATIENT.fullmatch(path.name)):
                continue
            if path.name in found:
                raise DatasetError(
                    f"{root}: {path.name} is there twice: {found[path.name]}, {path}"
                )
            found[path.name] = path
    return found


def _cases(patient: Path) -> Iterator[Case]:
    files = images_by_stem(patient)
    frames = {name: match for name in files if (match := _FRAME.fullmatch(name))}
    if not frames:
        raise wrong_layout(patient, f"{patient.name}_frameNN.nii.gz")
    facts = _read_info(patient / "Info.cfg")
    for name, match in frames.items():
        if match[1] != patient.name:
            raise DatasetError(f"{files[name]}: a file of another patient; move it to its folder")
        labels = files.get(f"{name}_gt")
        yield Case(
            id=name,
            subject=patient.name,
            load_image=partial(read_volume, files[name]),
            load_labels=partial(read_labels, labels, ACDC) if labels else None,
            frame=int(match[2]),
            phase=_phase(facts, int(match[2])),
            group=facts["Group"],
            orientation_known=False,
        )


def _read_info(path: Path) -> dict[str, str]:
    """The lines `key: value` of an Info.cfg."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}; ACDC needs it") from error
    facts = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    for key in ("ED", "ES"):
        if not facts.get(key, "").isdigit():
            raise DatasetError(f"{path}: no frame number '{key}: N'; restore the line")
    # The challenge's testing part came without groups at first.
    return {"Group": "", **facts}


def _phase(facts: dict[str, str], frame: int) -> str:
    for phase in ("ED", "ES"):
        if int(facts[phase]) == frame:
            return phase
    return ""


def phase_and_group(patient: Path, case: str) -> tuple[str, str]:
    """Phase and pathology group of a case in a patient's folder; empty where Info.cfg is absent."""
    path, match = patient / "Info.cfg", _FRAME.fullmatch(case)
    if not (match and path.is_file()):
        return "", ""
    facts = _read_info(path)
    return _phase(facts, int(match[2])), facts["Group"]
