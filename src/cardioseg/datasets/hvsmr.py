"""HVSMR-2016: 3-D cardiac MR of congenital hearts, myocardium and blood pool."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.datasets.layout import images_by_stem, require_folder, wrong_layout
from cardioseg.errors import DatasetError
from cardioseg.io.nifti import read_labels, read_volume

CITATION = "Pace et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_10"
LICENSE = "challenge data: no redistribution"

_IMAGE = re.compile(r"(training|testing)_axial_(full|crop)_(pat\d+)")
_LAYOUT = "{training,testing}_axial_{full,crop}_patN.nii.gz"


def read_hvsmr(folder: str | Path) -> tuple[Case, ...]:
    """List the cases of an HVSMR-2016 folder; no image is opened.

    File names say 'axial', but the headers say P-I-R: planes are chosen by anatomy, from the
    affine, never by an array index.

    Parameters
    ----------
    folder
        Holds the images, and labels ending in `-label`, in one folder or below it.

    Returns
    -------
    tuple of Case
        Sorted by id; the subject is `patN`, whatever the part and the crop.

    Raises
    ------
    DatasetError
        If the folder is missing, has no such image, or holds a patient both full and cropped.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "training_axial_crop_pat4.nii.gz").touch()
    ...     (case,) = read_hvsmr(name)
    >>> case.id, case.subject
    ('training_axial_crop_pat4', 'pat4')
    """
    root = require_folder(folder, "HVSMR-2016")
    folders = [root, *sorted(path for path in root.rglob("*") if path.is_dir())]
    files = {name: path for each in folders for name, path in images_by_stem(each).items()}
    cases: dict[str, Case] = {}
    for name, path in sorted(files.items()):
        match = _IMAGE.fullmatch(name)
        if not match:
            continue
        subject = match[3]
        if subject in cases:
            raise DatasetError(
                f"{path}: {subject} is there twice, also as {cases[subject].id}; "
                "keep either the full or the cropped files in the folder"
            )
        cases[subject] = _case(name, subject, path, files.get(f"{name}-label"))
    if not cases:
        raise wrong_layout(root, _LAYOUT)
    return tuple(sorted(cases.values(), key=lambda case: case.id))


def _case(name: str, subject: str, image: Path, labels: Path | None) -> Case:
    return Case(
        id=name,
        subject=subject,
        load_image=partial(read_volume, image),
        load_labels=partial(read_labels, labels, MYOCARDIUM_BLOOD) if labels else None,
    )
