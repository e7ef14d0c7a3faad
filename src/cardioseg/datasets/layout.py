"""What the readers of folders share: look for what should be there, and say what was found."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from cardioseg.errors import DatasetError
from cardioseg.io.folders import files_below
from cardioseg.io.picture import PICTURE_SUFFIXES

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Ends of the names of volumes and their label maps; `NAME.seg.nrrd` has the stem `NAME.seg`."""

_NAMES_TOLD = 5


def require_folder(folder: str | Path, kind: str) -> Path:
    """The folder as a path.

    Raises
    ------
    DatasetError
        If it is missing or not a folder.
    """
    path = Path(folder)
    if not path.exists():
        raise DatasetError(f"{path}: no such folder; name the {kind} folder")
    if not path.is_dir():
        raise DatasetError(f"{path}: a file; name the {kind} folder that holds it")
    return path


def wrong_layout(folder: Path, expected: str) -> DatasetError:
    """The error for a folder without the expected layout: what was expected, what is there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     print(str(wrong_layout(Path(name), "patientNNN folders")).removeprefix(name))
    : expected patientNNN folders, found nothing (the folder is empty)
    """
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    if not names:
        found = "nothing (the folder is empty)"
    else:
        more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
        found = ", ".join(names[:_NAMES_TOLD]) + more
    return DatasetError(f"{folder}: expected {expected}, found {found}")


def stem(path: Path) -> str:
    """A file's name without the suffix of an image format; empty for another kind of file.

    Examples
    --------
    >>> stem(Path("case_01.nii.gz")), stem(Path("notes.txt"))
    ('case_01', '')
    """
    return _without(path, IMAGE_SUFFIXES)


def picture_stem(path: Path) -> str:
    """A picture's name without its suffix; empty for another kind of file.

    Apart from :func:`stem`, because folders of results hold pictures that are no input.

    Examples
    --------
    >>> picture_stem(Path("t000.png")), picture_stem(Path("case_01.nii.gz"))
    ('t000', '')
    """
    return _without(path, PICTURE_SUFFIXES)


def _without(path: Path, suffixes: tuple[str, ...]) -> str:
    # A leading dot is a file half written or one of the system's.
    if path.name.startswith("."):
        return ""
    for suffix in suffixes:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return ""


def images_by_stem(folder: Path, named: Callable[[Path], str] = stem) -> dict[str, Path]:
    """Images of one folder by name without suffix, sorted.

    Parameters
    ----------
    folder
        The folder.
    named
        :func:`stem`, or :func:`picture_stem` where pictures are meant.

    Raises
    ------
    DatasetError
        If one name is there in two formats.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        name = named(path)
        if not name or not path.is_file():
            continue
        if name in found:
            raise DatasetError(f"{folder}: {found[name].name} and {path.name}: remove one of them")
        found[name] = path
    return found


def images_matching(root: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    """Images at any depth whose name without suffix matches a pattern, by that name, sorted.

    Raises
    ------
    DatasetError
        If one name is there twice.
    """
    found: dict[str, Path] = {}
    # Files only: some sites pack each file into a folder of its name.
    for path in files_below(root):
        name = stem(path)
        if not pattern.fullmatch(name) or not path.is_file():
            continue
        if name in found:
            raise DatasetError(f"{found[name]} and {path} are the same file; remove one of them")
        found[name] = path
    return dict(sorted(found.items()))
