"""EMIDEC: the left ventricle in late-enhancement MR, with infarct and no-reflow."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import EMIDEC
from cardioseg.datasets.layout import images_by_stem, require_folder, wrong_layout
from cardioseg.errors import DatasetError
from cardioseg.io.images import read_labels, read_volume

CITATION = "Lalande et al., Data 2020, doi:10.3390/data5040089"
LICENSE = "CC BY-NC-SA 4.0"

_CASE = re.compile(r"Case_([NP]?)\d+")
_GROUPS = {"N": "normal", "P": "pathological", "": ""}
_IMAGES, _LABELS = "Images", "Contours"


def read_emidec(folder: str | Path) -> tuple[Case, ...]:
    """List the cases of an EMIDEC folder; no image is opened.

    An image and its labels have one name, in two folders. A normal case has neither infarct nor
    no-reflow: such a label is absent, not missed. The layout, numbers and licence are those of the
    challenge's page and of public programs that read the set; no file of it was at hand.

    Parameters
    ----------
    folder
        Holds, at any depth, `Case_N006/Images/Case_N006.nii.gz` and
        `Case_N006/Contours/Case_N006.nii.gz`; `P` is pathological, test cases have no letter.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `Case_N006`, which is the subject too: one exam a patient.

    Raises
    ------
    DatasetError
        If the folder has another layout, or a case is there twice or has no image.

    References
    ----------
    Lalande et al., Data 2020, doi:10.3390/data5040089

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     images = Path(name) / "Case_P042" / "Images"
    ...     images.mkdir(parents=True)
    ...     (images / "Case_P042.nii.gz").touch()
    ...     [(case.id, case.group) for case in read_emidec(name)]
    [('Case_P042', 'pathological')]
    """
    root = require_folder(folder, "EMIDEC")
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("Case_*")):
        if not (_CASE.fullmatch(path.name) and (path / _IMAGES).is_dir()):
            continue
        if path.name in found:
            raise DatasetError(f"{path.name} is there twice: {found[path.name]}, {path}")
        found[path.name] = path
    if not found:
        raise wrong_layout(root, "Case_N006/Images/Case_N006.nii.gz")
    return tuple(_case(name, found[name]) for name in sorted(found))


def _case(name: str, folder: Path) -> Case:
    image = images_by_stem(folder / _IMAGES).get(name)
    if image is None:
        raise wrong_layout(folder / _IMAGES, f"{name}.nii.gz")
    there = (folder / _LABELS).is_dir()
    labels = images_by_stem(folder / _LABELS).get(name) if there else None
    match = _CASE.fullmatch(name)
    return Case(
        id=name,
        subject=name,
        load_image=partial(read_volume, image),
        load_labels=partial(read_labels, labels, EMIDEC) if labels else None,
        group=_GROUPS[match[1]] if match else "",
    )
