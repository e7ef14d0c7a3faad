"""MyoPS 2020: one heart in three sequences (cine, late enhancement, T2) with scar and oedema."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import MYOPS
from cardioseg.datasets.layout import images_matching, require_folder, wrong_layout
from cardioseg.io.images import read_labels, read_volume

CITATION = "Li et al., Medical Image Analysis 2023, doi:10.1016/j.media.2023.102808"
LICENSE = "challenge data, registration needed: see the MyoPS 2020 site"

SOURCE_VALUES = {500: 1, 600: 2, 200: 3, 1220: 4, 2221: 5}
"""LV cavity, RV cavity, healthy myocardium, oedema, scar."""

_IMAGE = re.compile(r"(myops_(?:training|test)_\d+)_(C0|DE|T2)")
_LABELS = re.compile(r"myops_(?:training|test)_\d+_gd")


def read_myops(folder: str | Path) -> tuple[Case, ...]:
    """List the cases of a MyoPS 2020 folder, three of each patient; no image is opened.

    The three sequences were registered to each other and share one label map. They show one heart,
    so they share the subject and never part. What a sequence cannot show is in its labels all the
    same: scar shows in DE, oedema in T2, neither in C0. The encrypted labels of the test part
    (`_gdencrypt`) are not read. The layout and the numbers are those of public programs that read
    the set; no file of it was at hand.

    Parameters
    ----------
    folder
        Holds, at any depth, `myops_training_101_C0.nii.gz`, `_DE`, `_T2` and
        `myops_training_101_gd.nii.gz`.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `myops_training_101_DE` of the subject `myops_training_101`.

    Raises
    ------
    DatasetError
        If the folder has another layout, or a file is there twice.

    References
    ----------
    Li et al., Medical Image Analysis 2023, doi:10.1016/j.media.2023.102808

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for sequence in ("C0", "DE", "T2"):
    ...         (Path(name) / f"myops_training_101_{sequence}.nii.gz").touch()
    ...     [(case.id, case.subject) for case in read_myops(name)][0]
    ('myops_training_101_C0', 'myops_training_101')
    """
    root = require_folder(folder, "MyoPS 2020")
    images, labels = images_matching(root, _IMAGE), images_matching(root, _LABELS)
    if not images:
        raise wrong_layout(root, "train25/myops_training_101_{C0,DE,T2}.nii.gz")
    cases = []
    for name, path in images.items():
        match = _IMAGE.fullmatch(name)
        subject = match[1] if match else name
        reference = labels.get(f"{subject}_gd")
        cases.append(
            Case(
                id=name,
                subject=subject,
                load_image=partial(read_volume, path),
                load_labels=partial(read_labels, reference, MYOPS, SOURCE_VALUES)
                if reference
                else None,
            )
        )
    return tuple(cases)
