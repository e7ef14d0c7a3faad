"""M&Ms-2: short-axis MR with the focus on the right ventricle; two frames a patient."""

from __future__ import annotations

import csv
import re
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import ACDC
from cardioseg.datasets.layout import images_matching, require_folder, wrong_layout
from cardioseg.datasets.mnms import SOURCE_VALUES
from cardioseg.io.images import read_labels, read_volume

CITATION = "Martín-Isla et al., IEEE JBHI 27(7), 2023, doi:10.1109/JBHI.2023.3267857"
LICENSE = "challenge data, registration needed: see the M&Ms-2 site"

_IMAGE = re.compile(r"(\d{3})_SA_(ED|ES)")
_FILE = re.compile(r"\d{3}_SA_(ED|ES)(_gt)?")
_TABLE = "dataset_information.csv"


def read_mnms2(folder: str | Path) -> tuple[Case, ...]:
    """List the short-axis cases of an M&Ms-2 folder; no image is opened.

    The files number the LV 1 and the RV 3; they are translated to ACDC's numbers. Long-axis views
    (`_LA_`) and the cine are left out.

    Parameters
    ----------
    folder
        Holds, at any depth, `001/001_SA_ED.nii.gz`, `001_SA_ED_gt.nii.gz` and so on; the group
        of a patient comes from `dataset_information.csv` where it is there.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `001_SA_ED`; both frames of a patient share the subject.

    Raises
    ------
    DatasetError
        If the folder has another layout, or a file is there twice.

    References
    ----------
    Martín-Isla et al., IEEE Journal of Biomedical and Health Informatics 27(7), 2023,
    doi:10.1109/JBHI.2023.3267857

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "001_SA_ES.nii.gz").touch()
    ...     (Path(name) / "001_LA_ES.nii.gz").touch()
    ...     [(case.id, case.subject, case.phase) for case in read_mnms2(name)]
    [('001_SA_ES', '001', 'ES')]
    """
    root = require_folder(folder, "M&Ms-2")
    files = images_matching(root, _FILE)
    found = [match for name in files if (match := _IMAGE.fullmatch(name))]
    if not found:
        raise wrong_layout(root, "001/001_SA_ED.nii.gz")
    groups = _groups(root)
    return tuple(
        Case(
            id=match[0],
            subject=match[1],
            load_image=partial(read_volume, files[match[0]]),
            load_labels=partial(read_labels, labels, ACDC, SOURCE_VALUES) if labels else None,
            phase=match[2],
            group=groups.get(int(match[1]), ""),
        )
        for match in found
        for labels in [files.get(f"{match[0]}_gt")]
    )


def _groups(root: Path) -> dict[int, str]:
    """Disease by number of the patient: the table may drop leading zeros."""
    tables = sorted(root.rglob(_TABLE))
    if not tables:
        return {}
    with tables[0].open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        rows = list(csv.DictReader(stream))
    codes = ((row.get("SUBJECT_CODE") or "", row.get("DISEASE") or "") for row in rows)
    return {int(code): disease for code, disease in codes if code.strip().isdecimal()}
