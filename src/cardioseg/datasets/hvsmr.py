"""HVSMR-2016: cardiovascular MR of children with congenital heart disease, whole volumes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from cardioseg.core.case import Case
from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap
from cardioseg.datasets.layout import images_matching, require_folder, wrong_layout
from cardioseg.errors import DatasetError
from cardioseg.io.images import read_labels, read_volume

CITATION = "Pace et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_10"
LICENSE = "challenge data, no redistribution licence known: for local experiments only"

Variant = Literal["crop", "full"]
"""`crop`: the box around heart and great vessels; `full`: the whole scan of the same patient."""

_FILE = re.compile(r"(?:training|testing)_axial_(crop|full)_(pat\d+)(-label)?")
_LABEL = "-label"


def read_hvsmr(folder: str | Path, variant: Variant | None = None) -> tuple[Case, ...]:
    """List the cases of an HVSMR-2016 folder; no image is opened.

    The headers carry the patient's orientation (P-I-R): slices are cut by it and never by the word
    'axial' in the file name. Both variants of a patient show one heart, so one is listed.

    Parameters
    ----------
    folder
        Holds `training_axial_{crop,full}_patN.nii.gz` and labels `...-label.nii.gz`, `testing_...`
        likewise; subfolders are searched too.
    variant
        Which of the two; None takes `crop`, or `full` where the folder has no `crop`.

    Returns
    -------
    tuple of Case
        Sorted by id, the file's name without suffix; images without labels have none, labels
        without an image are no case (see :func:`read_hvsmr_labels`).

    Raises
    ------
    DatasetError
        If the folder is missing or has another layout, or holds only the other variant.

    References
    ----------
    Pace et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_10

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "training_axial_crop_pat4.nii.gz").touch()
    ...     read_hvsmr(name)[0].subject
    'pat4'
    """
    root = require_folder(folder, "HVSMR-2016")
    files = images_matching(root, _FILE)
    images = {name: match for name, match in _matches(files) if not match[3]}
    there = sorted({match[1] for match in images.values()})
    if not there:
        raise wrong_layout(root, "{training,testing}_axial_{crop,full}_patN.nii.gz")
    chosen = variant or there[0]
    if chosen not in there:
        raise DatasetError(f"{root}: no {chosen} images, only {there[0]} ones; name that variant")
    wanted = {name: match for name, match in images.items() if match[1] == chosen}
    cases = [_case(name, match[2], files) for name, match in wanted.items()]
    return tuple(sorted(cases, key=lambda case: case.id))


def read_hvsmr_labels(
    folder: str | Path, variant: Variant = "full"
) -> Mapping[str, Callable[[], LabelMap]]:
    """All label maps of a folder by case id, with or without an image; each read when called.

    Raises
    ------
    DatasetError
        If there are none of that variant.
    """
    root = require_folder(folder, "HVSMR-2016")
    files = images_matching(root, _FILE)
    named = {name: match for name, match in _matches(files) if match[3] and match[1] == variant}
    if not named:
        raise wrong_layout(root, f"training_axial_{variant}_patN-label.nii.gz")
    return {
        name.removesuffix(_LABEL): partial(read_labels, files[name], MYOCARDIUM_BLOOD)
        for name in sorted(named)
    }


def _matches(files: Mapping[str, Path]) -> list[tuple[str, re.Match[str]]]:
    return [(name, match) for name in files if (match := _FILE.fullmatch(name))]


def _case(name: str, subject: str, files: Mapping[str, Path]) -> Case:
    labels = files.get(name + _LABEL)
    return Case(
        id=name,
        subject=subject,
        load_image=partial(read_volume, files[name]),
        load_labels=partial(read_labels, labels, MYOCARDIUM_BLOOD) if labels else None,
    )
