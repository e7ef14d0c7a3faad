"""The raw folder of nnU-Net: imagesTr, labelsTr and a dataset.json that names the labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from cardioseg.core.case import Case, phase_of, subject_of
from cardioseg.core.labels import SCHEMES, LabelScheme, Structure
from cardioseg.core.volume import LabelMap
from cardioseg.datasets.layout import images_by_stem, require_folder, wrong_layout
from cardioseg.errors import DatasetError, first_problem
from cardioseg.io.images import read_labels, read_volume

DESCRIPTION = "dataset.json"
_CHANNEL = re.compile(r"(.+)_(\d{4})")
_PARTS = (("imagesTr", "labelsTr"), ("imagesTs", "labelsTs"))

_ALIASES: Mapping[str, frozenset[str]] = {
    "RV cavity": frozenset({"rv", "rvc", "right ventricle"}),
    "LV cavity": frozenset({"lv", "lvc", "lvbp", "left ventricle"}),
    "myocardium": frozenset({"myo", "mlv", "lvm", "lv myocardium"}),
    "blood pool": frozenset({"blood", "bp"}),
    "LV": frozenset({"left ventricle"}),
    "RV": frozenset({"right ventricle"}),
    "LA": frozenset({"left atrium"}),
    "RA": frozenset({"right atrium"}),
    "aorta": frozenset({"ao"}),
    "pulmonary artery": frozenset({"pa"}),
    "SVC": frozenset({"superior vena cava"}),
    "IVC": frozenset({"inferior vena cava"}),
}
"""Other names of a structure that data sets in this layout use."""


class _Json(BaseModel):
    """The keys of dataset.json that matter here; nnU-Net 1 and 2 write the labels both ways."""

    model_config = ConfigDict(extra="ignore")

    labels: dict[str, int | str | list[int]]
    name: str = ""
    licence: str = ""
    license: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Description:
    """What dataset.json says.

    Parameters
    ----------
    name, license, reference
        As the file has them; empty where it does not say.
    labels
        Label name to number in the files, background left out.
    """

    name: str
    license: str
    reference: str
    labels: Mapping[str, int]


def read_nnunet(folder: str | Path, scheme: LabelScheme) -> tuple[Case, ...]:
    """List the cases of an nnU-Net raw folder; no image is opened.

    Parameters
    ----------
    folder
        Holds `dataset.json`, `imagesTr/CASE_0000.nii.gz` and `labelsTr/CASE.nii.gz`; `imagesTs` and
        `labelsTs` where they exist.
    scheme
        The scheme of the answer; the file's numbers are translated by name.

    Returns
    -------
    tuple of Case
        Sorted by id. The subject is the name without its frame, view or sequence
        (:func:`cardioseg.core.case.subject_of`), as the layout has no other.

    Raises
    ------
    DatasetError
        If the folder has another layout or several channels, or a label's name is not in the
        scheme.
    """
    root = require_folder(folder, "nnU-Net raw")
    values = source_values(read_description(root), scheme, root)
    load_labels = partial(read_labels, scheme=scheme, source_values=values)
    cases = [case for part in _PARTS for case in _cases(root, part, load_labels)]
    if not cases:
        raise wrong_layout(root, "imagesTr/CASE_0000.nii.gz")
    return tuple(sorted(cases, key=lambda case: case.id))


def read_description(folder: str | Path) -> Description:
    """Read dataset.json.

    Raises
    ------
    DatasetError
        If it is missing, is not JSON, or its labels are not single numbers.
    """
    root = require_folder(folder, "nnU-Net raw")
    path = root / DESCRIPTION
    if not path.is_file():
        raise wrong_layout(root, "dataset.json, imagesTr/ and labelsTr/")
    try:
        found = _Json.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DatasetError(f"{path}: {first_problem(error)}") from error
    labels = dict(_number(key, value, path) for key, value in found.labels.items())
    foreground = {name: value for name, value in labels.items() if value != 0}
    return Description(found.name, found.licence or found.license, found.reference, foreground)


def own_scheme(
    description: Description, folder: str | Path, wanted: LabelScheme | None = None
) -> LabelScheme:
    """The scheme that the labels are in, told by their names.

    Parameters
    ----------
    description
        What dataset.json says.
    folder
        Where it lies, for the error message.
    wanted
        Preferred where it knows all names.

    Raises
    ------
    DatasetError
        If no scheme knows all names, or several do; the message lists names and schemes.
    """
    fits = [
        scheme
        for scheme in SCHEMES
        if all(_structure(name, scheme) is not None for name in description.labels)
    ]
    if wanted in fits:
        return wanted
    # A scheme that the labels fill is meant before one in which structures would stay empty.
    full = [scheme for scheme in fits if len(scheme.structures) == len(description.labels)]
    fits = full or fits
    if len(fits) == 1:
        return fits[0]
    which = "several schemes know" if fits else "no scheme knows all of"
    choices = ", ".join(scheme.name for scheme in fits or SCHEMES)
    raise DatasetError(
        f"{folder}: {which} the labels {', '.join(description.labels)}; name the scheme "
        f"({choices}), or rename the labels in dataset.json as it names its structures"
    )


def _number(key: str, value: int | str | list[int], path: Path) -> tuple[str, int]:
    """Name and number, whichever of the two is the key."""
    if isinstance(value, str) and key.isdigit():
        return value, int(key)
    if isinstance(value, int):
        return key, value
    raise DatasetError(
        f"{path}: label {key!r} is {value!r}; one number a label is read, no regions"
    )


def _structure(name: str, scheme: LabelScheme) -> Structure | None:
    plain = name.casefold().replace("_", " ").strip()
    for structure in scheme.structures:
        known = _ALIASES.get(structure.name, frozenset()) | {structure.name.casefold()}
        if plain in known:
            return structure
    return None


def source_values(description: Description, scheme: LabelScheme, root: Path) -> dict[int, int]:
    """File value to scheme value, by the labels' names.

    Raises
    ------
    DatasetError
        If a name is not in the scheme.
    """
    values = {}
    for name, value in description.labels.items():
        structure = _structure(name, scheme)
        if structure is None:
            names = ", ".join(each.name for each in scheme.structures)
            raise DatasetError(
                f"{root}/dataset.json: label {name!r} is not in scheme {scheme.name} ({names}); "
                "name another scheme or rename the label"
            )
        values[value] = structure.value
    return values


def _cases(
    root: Path, part: tuple[str, str], load_labels: Callable[[Path], LabelMap]
) -> Iterator[Case]:
    images, labels = (root / name for name in part)
    if not images.is_dir():
        return
    references = images_by_stem(labels) if labels.is_dir() else {}
    for name, path in images_by_stem(images).items():
        match = _CHANNEL.fullmatch(name)
        if match is None:
            raise DatasetError(f"{path}: expected a name such as CASE_0000, with the channel")
        if match[2] != "0000":
            raise DatasetError(f"{path}: a second channel; images of one channel are read")
        reference = references.get(match[1])
        yield Case(
            id=match[1],
            subject=subject_of(match[1]),
            load_image=partial(read_volume, path),
            load_labels=partial(load_labels, reference) if reference else None,
            phase=phase_of(match[1]),
        )
