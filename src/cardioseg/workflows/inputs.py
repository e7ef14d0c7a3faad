"""Which files a command means: files and folders in, named inputs out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.case import subject_of
from cardioseg.data.splits import read_split
from cardioseg.datasets.layout import stem
from cardioseg.errors import DatasetError

LABEL_ENDINGS = ("_gt", "-label", "_label", "_seg", ".seg")
SKIPPED_ENDINGS = (*LABEL_ENDINGS, "_4d")


@dataclass(frozen=True)
class Input:
    """A file and the name that its output gets."""

    name: str
    path: Path

    @property
    def subject(self) -> str:
        """Whose scan it is: the name before `_frame`."""
        return subject_of(self.name)


def label_name(name: str) -> str:
    """A label file's name without its ending: the name of its case.

    Examples
    --------
    >>> label_name("patient002_frame01_gt")
    'patient002_frame01'
    """
    for ending in LABEL_ENDINGS:
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def gather_images(paths: Iterable[Path]) -> tuple[Input, ...]:
    """Images among files and folders; folders are read recursively, label files in them skipped.

    Raises
    ------
    DatasetError
        If a path does not exist, nothing is found, or two inputs have one name.
    """
    found: list[Input] = []
    for path in paths:
        if not path.is_dir():
            found.append(_named_file(path))
            continue
        inside = [
            Input(name, file)
            for file in sorted(path.rglob("*"))
            if (name := stem(file)) and not name.endswith(SKIPPED_ENDINGS) and file.is_file()
        ]
        if not inside:
            raise DatasetError(
                f"{path}: no image in this folder (looked for .nii and .nii.gz, not ending in "
                f"{', '.join(SKIPPED_ENDINGS)})"
            )
        found += inside
    _require_distinct(found)
    return tuple(found)


def of_part(inputs: Sequence[Input], split: Path, part: str) -> tuple[Input, ...]:
    """The inputs whose subject is in one part of a split file.

    Raises
    ------
    DatasetError
        If the file is no split, has no such part, or no input belongs to it.
    """
    parts = read_split(split)
    if part not in ("training", "validation", "test"):
        raise DatasetError(f"unknown part {part!r}; choose training, validation or test")
    wanted = set(getattr(parts, part))
    chosen = tuple(each for each in inputs if each.subject in wanted)
    if not chosen:
        raise DatasetError(f"{split}: no input belongs to a subject of {part}")
    return chosen


def gather_labels(path: Path) -> tuple[Input, ...]:
    """Label maps: one file, or all .nii and .nii.gz files below a folder, named by case.

    In a folder that also holds the images (a data set as it comes), only files with a label ending
    count.
    """
    if not path.is_dir():
        file = _named_file(path)
        return (Input(label_name(file.name), file.path),)
    named = [(name, file) for file in sorted(path.rglob("*")) if (name := stem(file))]
    marked = [(name, file) for name, file in named if name.endswith(LABEL_ENDINGS)]
    found = [Input(label_name(name), file) for name, file in marked or named]
    if not found:
        raise DatasetError(f"{path}: no label map in this folder (looked for .nii and .nii.gz)")
    _require_distinct(found)
    return tuple(found)


def _named_file(path: Path) -> Input:
    if not path.is_file():
        raise DatasetError(f"{path}: no such file or folder")
    name = stem(path)
    if not name:
        raise DatasetError(f"{path}: not a NIfTI file (.nii or .nii.gz)")
    return Input(name, path)


def _require_distinct(inputs: Sequence[Input]) -> None:
    seen: dict[str, Path] = {}
    for each in inputs:
        first = seen.setdefault(each.name, each.path)
        if first is not each.path:
            raise DatasetError(
                f"{first} and {each.path} have one name, {each.name}: their outputs would "
                "overwrite each other; rename one or run them apart"
            )
