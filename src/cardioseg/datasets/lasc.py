"""LASC 2018: the left atrium in late-enhancement MR, NRRD files in a folder a scan."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import LEFT_ATRIUM
from cardioseg.datasets.layout import require_folder, wrong_layout
from cardioseg.errors import DatasetError
from cardioseg.io.images import read_labels, read_volume

CITATION = "Xiong et al., Medical Image Analysis 2021, doi:10.1016/j.media.2020.101832"
LICENSE = "challenge data, registration needed: see the LASC 2018 site"

SOURCE_VALUES = {255: 1}
"""The cavity is 255, as in a picture."""

_IMAGE, _LABELS = "lgemri.nrrd", "laendo.nrrd"


def read_lasc(folder: str | Path) -> tuple[Case, ...]:
    """List the scans of a LASC 2018 folder; no image is opened.

    Parameters
    ----------
    folder
        Holds, at any depth, folders `ID/lgemri.nrrd` and `ID/laendo.nrrd`.

    Returns
    -------
    tuple of Case
        Sorted by id, the folder's name, which is the subject too: the files do not tell which
        scans show one patient.

    Raises
    ------
    DatasetError
        If the folder has another layout, or two folders have one name.

    References
    ----------
    Xiong et al., Medical Image Analysis 2021, doi:10.1016/j.media.2020.101832

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "0RZDK210BSMWAA6467LU").mkdir()
    ...     (Path(name) / "0RZDK210BSMWAA6467LU" / "lgemri.nrrd").touch()
    ...     read_lasc(name)[0].id
    '0RZDK210BSMWAA6467LU'
    """
    root = require_folder(folder, "LASC 2018")
    found: dict[str, Path] = {}
    for path in sorted(root.rglob(_IMAGE)):
        name = path.parent.name
        if name in found:
            raise DatasetError(f"{found[name]} and {path.parent} have one name; remove one of them")
        found[name] = path.parent
    if not found:
        raise wrong_layout(root, f"ID/{_IMAGE} and ID/{_LABELS}")
    return tuple(_case(name, found[name]) for name in sorted(found))


def _case(name: str, folder: Path) -> Case:
    labels = folder / _LABELS
    return Case(
        id=name,
        subject=name,
        load_image=partial(read_volume, folder / _IMAGE),
        load_labels=partial(read_labels, labels, LEFT_ATRIUM, SOURCE_VALUES)
        if labels.is_file()
        else None,
    )
