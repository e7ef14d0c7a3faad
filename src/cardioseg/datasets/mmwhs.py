"""MM-WHS: whole hearts, four chambers, myocardium and two great vessels; the MR part."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import MMWHS
from cardioseg.datasets.layout import images_matching, require_folder, wrong_layout
from cardioseg.io.images import read_labels, read_volume

CITATION = "Zhuang et al., Medical Image Analysis 2019, doi:10.1016/j.media.2019.101537"
LICENSE = "challenge data, registration needed: see the MM-WHS site"

SOURCE_VALUES = {500: 1, 600: 2, 420: 3, 421: 3, 550: 4, 205: 5, 820: 6, 850: 7}
"""File value to scheme value; a few voxels of one file are 421, beside the left atrium's 420."""

_IMAGE = re.compile(r"(mr_(?:train|test)_\d+)_image")
_FILE = re.compile(r"mr_(?:train|test)_\d+_(?:image|label)")


def read_mmwhs(folder: str | Path) -> tuple[Case, ...]:
    """List the MR cases of an MM-WHS folder; no image is opened. CT (`ct_...`) is left out.

    Parameters
    ----------
    folder
        Holds, at any depth, `mr_train_1001_image.nii.gz`, `mr_train_1001_label.nii.gz` and so on.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `mr_train_1001`, which is the subject too.

    Raises
    ------
    DatasetError
        If the folder has another layout, or a file is there twice.

    References
    ----------
    Zhuang et al., Medical Image Analysis 2019, doi:10.1016/j.media.2019.101537

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "mr_test_2001_image.nii.gz").touch()
    ...     read_mmwhs(name)[0].id
    'mr_test_2001'
    """
    root = require_folder(folder, "MM-WHS")
    files = images_matching(root, _FILE)
    found = [match for name in files if (match := _IMAGE.fullmatch(name))]
    if not found:
        raise wrong_layout(root, "mr_train_1001_image.nii.gz and mr_train_1001_label.nii.gz")
    return tuple(
        Case(
            id=match[1],
            subject=match[1],
            load_image=partial(read_volume, files[match[0]]),
            load_labels=partial(read_labels, labels, MMWHS, SOURCE_VALUES) if labels else None,
        )
        for match in found
        for labels in [files.get(f"{match[1]}_label")]
    )
