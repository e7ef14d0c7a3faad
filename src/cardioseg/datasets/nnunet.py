"""The raw folder of nnU-Net v2: imagesTr, labelsTr and a dataset.json that names the labels."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case, subject_of
from cardioseg.core.labels import SCHEMES, LabelScheme
from cardioseg.datasets.layout import images_by_stem, require_folder, wrong_layout
from cardioseg.errors import DatasetError
from cardioseg.io.nifti import read_labels, read_volume

_CHANNEL = "_0000"

_SYNONYMS = {
    "rv": "RV cavity",
    "rv cavity": "RV cavity",
    "right ventricle": "RV cavity",
    "myo": "myocardium",
    "myocardium": "myocardium",
    "lv myocardium": "myocardium",
    "lv": "LV cavity",
    "lv cavity": "LV cavity",
    "lvc": "LV cavity",
    "left ventricle": "LV cavity",
    "blood": "blood pool",
    "blood pool": "blood pool",
    "bloodpool": "blood pool",
}
"""Names that data sets use for a structure, lower case, to the schemes' names."""


def read_nnunet(folder: str | Path) -> tuple[tuple[Case, ...], LabelScheme, str]:
    """List the cases of an nnU-Net raw folder; no image is opened.

    Parameters
    ----------
    folder
        Holds dataset.json, imagesTr/CASE_0000.nii.gz and labelsTr/CASE.nii.gz; imagesTs, where it
        is there, adds cases without labels.

    Returns
    -------
    tuple
        Cases sorted by id, the scheme whose structures dataset.json names, and the licence that it
        states.

    Raises
    ------
    DatasetError
        If the layout is another, dataset.json is unreadable, its labels fit no scheme, or there
        is more than one channel.

    References
    ----------
    Isensee et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z
    """
    root = require_folder(folder, "nnU-Net raw")
    path = root / "dataset.json"
    if not path.is_file() or not (root / "imagesTr").is_dir():
        raise wrong_layout(root, "dataset.json, imagesTr/ and labelsTr/")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        labels = {str(name): _whole(value, path) for name, value in facts["labels"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path}: cannot read the labels: {error!r}; see nnU-Net v2") from error
    scheme, source_values = _scheme(labels, path)
    references = images_by_stem(root / "labelsTr") if (root / "labelsTr").is_dir() else {}
    cases = [
        _case(name, image, references.get(name), (scheme, source_values))
        for part in ("imagesTr", "imagesTs")
        for name, image in _images(root / part).items()
    ]
    if not cases:
        raise wrong_layout(root / "imagesTr", f"CASE{_CHANNEL}.nii.gz")
    return (
        tuple(sorted(cases, key=lambda case: case.id)),
        scheme,
        str(facts.get("licence", "unknown")),
    )


def _whole(value: object, path: Path) -> int:
    if not isinstance(value, int):
        raise DatasetError(f"{path}: label {value!r} is not a whole number; regions are not read")
    return value


def _scheme(labels: dict[str, int], path: Path) -> tuple[LabelScheme, dict[int, int]]:
    """The scheme with just these structures, and file value to scheme value."""
    named = {
        _SYNONYMS.get(name.lower(), name): value
        for name, value in labels.items()
        if name.lower() != "background"
    }
    for scheme in SCHEMES:
        if {structure.name for structure in scheme.structures} == set(named):
            return scheme, {named[s.name]: s.value for s in scheme.structures}
    known = "; ".join(f"{s.name}: {', '.join(x.name for x in s.structures)}" for s in SCHEMES)
    raise DatasetError(
        f"{path}: labels {', '.join(sorted(named))} fit no scheme; rename them to one of: {known}"
    )


def _images(folder: Path) -> dict[str, Path]:
    """Images by case; a second channel is refused."""
    if not folder.is_dir():
        return {}
    found = {}
    for name, path in images_by_stem(folder).items():
        if not name.endswith(_CHANNEL):
            raise DatasetError(f"{path}: expected CASE{_CHANNEL}; only one channel is read")
        found[name.removesuffix(_CHANNEL)] = path
    return found


def _case(
    name: str, image: Path, labels: Path | None, values: tuple[LabelScheme, dict[int, int]]
) -> Case:
    return Case(
        id=name,
        subject=subject_of(name),
        load_image=partial(read_volume, image),
        load_labels=partial(read_labels, labels, *values) if labels else None,
    )
