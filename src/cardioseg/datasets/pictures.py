"""A plain folder of PNG pictures and masks, as of cells under a microscope."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from cardioseg.core.case import Case, subject_of
from cardioseg.core.labels import FOREGROUND, LabelScheme
from cardioseg.datasets import nnunet
from cardioseg.datasets.layout import (
    images_by_stem,
    picture_stem,
    require_folder,
    wrong_layout,
)
from cardioseg.errors import DatasetError, ReadWarning
from cardioseg.io.picture import NO_PIXEL_SIZE, read_frames, read_label_frames

IMAGES, MASKS = "images", "masks"

_Read = TypeVar("_Read")


def read_pictures(
    folder: str | Path,
    scheme: LabelScheme = FOREGROUND,
    source_values: dict[int, int] | None = None,
) -> tuple[Case, ...]:
    """List the pictures of a folder; none is opened.

    Parameters
    ----------
    folder
        Holds `images/NAME.png` and `masks/NAME.png`. Pictures of one subject lie in one folder
        below `images`, as in `images/SUBJECT/NAME.png`, or are named `SUBJECT_frameN.png`; else
        each counts as a subject.
    scheme
        What the masks' numbers mean; in a scheme of one structure white (255) means it too.
    source_values
        File value to scheme value, where the masks have their own numbers.

    Returns
    -------
    tuple of Case
        Sorted by id: the name, or `SUBJECT_NAME` for a picture in a subject's folder.

    Raises
    ------
    DatasetError
        If the folder has another layout, or masks have no picture.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for part in ("images", "masks"):
    ...         (Path(name) / part / "dish1").mkdir(parents=True)
    ...         (Path(name) / part / "dish1" / "t000.png").touch()
    ...     [(case.id, case.subject) for case in read_pictures(name)]
    [('dish1_t000', 'dish1')]
    """
    root = require_folder(folder, "picture")
    if not (root / IMAGES).is_dir():
        raise wrong_layout(root, f"{IMAGES}/NAME.png and {MASKS}/NAME.png")
    images = _by_place(root / IMAGES)
    if not images:
        raise wrong_layout(root / IMAGES, "NAME.png")
    masks = _by_place(root / MASKS) if (root / MASKS).is_dir() else {}
    alone = sorted(set(masks) - set(images))
    if alone:
        raise DatasetError(
            f"{masks[alone[0]]}: a mask without a picture of its name in {root / IMAGES} "
            f"({len(alone)} such); rename or remove it"
        )
    cases = []
    for place, path in images.items():
        owner, name = place
        mask = masks.get(place)
        read_mask = partial(read_label_frames, scheme=scheme, source_values=source_values)
        cases.append(
            Case(
                id=f"{owner}_{name}" if owner else name,
                subject=owner or subject_of(name),
                load_image=partial(_told_once, root, partial(_first, read_frames, path)),
                load_labels=partial(_told_once, root, partial(_first, read_mask, mask))
                if mask
                else None,
                orientation_known=False,
            )
        )
    return tuple(sorted(cases, key=lambda case: case.id))


def own_scheme(
    folder: str | Path, wanted: LabelScheme | None
) -> tuple[LabelScheme, dict[int, int] | None, nnunet.Description | None]:
    """The scheme of the masks, their numbers in it, and what `dataset.json` says if it is there.

    Without the file the masks are black and white, unless `wanted` says what they hold.

    Raises
    ------
    DatasetError
        If the file's labels fit no scheme, or several.
    """
    root = require_folder(folder, "picture")
    if not (root / nnunet.DESCRIPTION).is_file():
        return wanted or FOREGROUND, None, None
    facts = nnunet.read_description(root)
    scheme = nnunet.own_scheme(facts, root, wanted)
    return scheme, nnunet.source_values(facts, scheme, root), facts


def _by_place(folder: Path) -> dict[tuple[str, str], Path]:
    """Pictures by subject's folder (empty where there is none) and name."""
    found = {("", name): path for name, path in images_by_stem(folder, picture_stem).items()}
    for below in sorted(folder.iterdir()):
        if below.is_dir() and not below.name.startswith("."):
            inside = images_by_stem(below, picture_stem)
            found |= {(below.name, name): path for name, path in inside.items()}
    return found


def _first(read: Callable[[Path], tuple[_Read]], path: Path) -> _Read:
    return read(path)[0]


def _told_once(root: Path, read: Callable[[], _Read]) -> _Read:
    """Read, and name the folder rather than each of its files: equal lines are told once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = read()
    if any(NO_PIXEL_SIZE in str(each.message) for each in caught):
        warnings.warn(f"{root}: {NO_PIXEL_SIZE}", ReadWarning, stacklevel=2)
    return found
