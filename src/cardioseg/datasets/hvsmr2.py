"""HVSMR-2.0: whole hearts with congenital disease, four chambers and four great vessels."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from cardioseg.core.case import Case
from cardioseg.core.labels import HVSMR2
from cardioseg.datasets.layout import images_matching, require_folder, wrong_layout
from cardioseg.errors import DatasetError
from cardioseg.io.images import read_labels, read_volume

CITATION = "Pace et al., Scientific Data 2024, doi:10.1038/s41597-024-03469-9"
LICENSE = "CC BY 4.0"

Variant = Literal["cropped_norm", "cropped", "orig"]
"""`orig`: the whole scan; `cropped`: the box around the heart; `cropped_norm`: its intensities
normalised too. All three show one heart."""

_FILE = re.compile(r"(pat\d+)_(cropped_norm|cropped|orig)(_seg)?")


def read_hvsmr2(folder: str | Path, variant: Variant | None = None) -> tuple[Case, ...]:
    """List the cases of an HVSMR-2.0 folder; no image is opened.

    The myocardium is not labelled. A heart without a right ventricle or atrium lacks it by its
    anatomy: such a label is absent, not missed. End points (`_seg_endpoints`) are not read.

    Parameters
    ----------
    folder
        Holds, at any depth, `pat0_orig.nii.gz`, `pat0_orig_seg.nii.gz` and so on.
    variant
        Which images; None takes `cropped`, or `orig` where the folder has none. The labels of
        `cropped_norm` are those of `cropped`.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `pat0_cropped`; one case a patient.

    Raises
    ------
    DatasetError
        If the folder has another layout, or no image of the variant.

    References
    ----------
    Pace et al., Scientific Data 2024, doi:10.1038/s41597-024-03469-9

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for file in ("pat7_orig.nii.gz", "pat7_orig_seg.nii.gz"):
    ...         (Path(name) / file).touch()
    ...     [(case.id, case.subject) for case in read_hvsmr2(name)]
    [('pat7_orig', 'pat7')]
    """
    root = require_folder(folder, "HVSMR-2.0")
    files = images_matching(root, _FILE)
    images = [match for name in files if (match := _FILE.fullmatch(name)) and not match[3]]
    there = {match[2] for match in images}
    if not there:
        raise wrong_layout(root, "patN_cropped.nii.gz or patN_orig.nii.gz")
    chosen = variant or next(each for each in ("cropped", "orig", "cropped_norm") if each in there)
    if chosen not in there:
        choices = ", ".join(each for each in get_args(Variant) if each in there)
        raise DatasetError(f"{root}: no {chosen} images; there are: {choices}")
    box = "orig" if chosen == "orig" else "cropped"
    cases = [
        Case(
            id=match[0],
            subject=match[1],
            load_image=partial(read_volume, files[match[0]]),
            load_labels=partial(read_labels, labels, HVSMR2) if labels else None,
        )
        for match in images
        if match[2] == chosen
        for labels in [files.get(f"{match[1]}_{box}_seg")]
    ]
    return tuple(sorted(cases, key=lambda case: case.id))
