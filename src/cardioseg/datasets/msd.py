"""Medical Segmentation Decathlon, task 2: the left atrium in whole-heart MR."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import LEFT_ATRIUM
from cardioseg.datasets.layout import images_by_stem, require_folder, wrong_layout
from cardioseg.datasets.nnunet import read_description
from cardioseg.errors import DatasetError
from cardioseg.io.images import read_labels, read_volume

CITATION = "Antonelli et al., Nature Communications 2022, doi:10.1038/s41467-022-30695-9"
LICENSE = "CC BY-SA 4.0"

_PARTS = (("imagesTr", "labelsTr"), ("imagesTs", "labelsTs"))


def read_msd(folder: str | Path) -> tuple[Case, ...]:
    """List the cases of Task02_Heart; no image is opened.

    Parameters
    ----------
    folder
        Holds `dataset.json`, `imagesTr/la_003.nii.gz`, `labelsTr/la_003.nii.gz` and `imagesTs`.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `la_003`, which is the subject too.

    Raises
    ------
    DatasetError
        If the folder has another layout, or its labels are another task's.

    References
    ----------
    Antonelli et al., Nature Communications 2022, doi:10.1038/s41467-022-30695-9
    """
    root = require_folder(folder, "MSD Task02_Heart")
    if not any((root / images).is_dir() for images, _ in _PARTS):
        raise wrong_layout(root, "imagesTr/la_003.nii.gz and dataset.json")
    labels = dict(read_description(root).labels)
    if labels != {"left atrium": 1}:
        raise DatasetError(
            f"{root}/dataset.json: labels {labels}, not those of Task02_Heart ('left atrium' 1); "
            "other tasks are no heart MR"
        )
    cases = [case for part in _PARTS for case in _cases(root, *part)]
    return tuple(sorted(cases, key=lambda case: case.id))


def _cases(root: Path, images: str, labels: str) -> Iterator[Case]:
    if not (root / images).is_dir():
        return
    references = images_by_stem(root / labels) if (root / labels).is_dir() else {}
    for name, path in images_by_stem(root / images).items():
        found = references.get(name)
        yield Case(
            id=name,
            subject=name,
            load_image=partial(read_volume, path),
            load_labels=partial(read_labels, found, LEFT_ATRIUM) if found else None,
        )
