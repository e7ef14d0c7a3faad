"""Which files a command means: files, folders and DICOM series in, named inputs out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cardioseg.core.case import subject_of
from cardioseg.core.scan import Scan
from cardioseg.data.splits import read_split
from cardioseg.datasets.layout import picture_stem, stem
from cardioseg.errors import DatasetError
from cardioseg.io.dicom import holds_dicom
from cardioseg.io.folders import files_below
from cardioseg.io.scans import read_scan
from cardioseg.workflows.provenance import file_digest

if TYPE_CHECKING:
    from cardioseg.io.dicom import DicomScan

SEGMENTATION_ENDING = ".seg"
"""Of 3D Slicer's segmentations, which `predict` writes beside its label maps."""

FRAME_ENDING = re.compile(r"-phase(\d+)$")
"""Of the segmentation of one frame of a cine, counted from 1, as `predict` names it."""

LABEL_ENDINGS = ("_gt", "-label", "_label", "_seg", SEGMENTATION_ENDING, "_gd")
SKIPPED_ENDINGS = (*LABEL_ENDINGS, "_4d", "CH_sequence", "CH_half_sequence")


@dataclass(frozen=True)
class Input:
    """A scan and the name that its output gets.

    Parameters
    ----------
    name
        Name of its outputs.
    path
        A file of an image format; or a folder, a file or a zip of DICOM.
    is_dicom
        Whether it is DICOM.
    series
        Which series of it: number, description or UID; empty takes the only one.
    url
        Where it is fetched from just before it is read, `path` being no more than its name until
        then; empty for a local one.

    Examples
    --------
    >>> url = "https://anna:secret@example.org/a.nii.gz?token=secret"
    >>> Input("a", Path("a.nii.gz"), url=url).where
    'https://***@example.org/a.nii.gz?***'
    >>> Input("a", Path("a.nii.gz"), url=f"zip://a.nii.gz::{url}").where
    'zip://a.nii.gz::https://***@example.org/a.nii.gz?***'
    """

    name: str
    path: Path
    is_dicom: bool = False
    series: str = ""
    url: str = ""

    @property
    def where(self) -> str:
        """Its path or URL as messages name it: without what opens the URL."""
        if not self.url:
            return str(self.path)
        told = re.sub(r"://[^/]*@", "://***@", self.url)
        address, asks, _ = told.partition("?")
        return f"{address}?***" if asks and "http" in address else told

    @property
    def subject(self) -> str:
        """Whose scan it is: the name before `_frame`."""
        return subject_of(self.name)


@dataclass(frozen=True, eq=False)
class Opened:
    """An input that was read: its scan, the DICOM objects that it came from, its digest."""

    scan: Scan
    source: DicomScan | None
    sha256: str


def open_input(each: Input) -> Opened:
    """Read an input.

    The digest is the SHA-256 of a file; of a DICOM series, over its files' sorted digests, so that
    it is the same in a zip.

    Raises
    ------
    FormatError, GeometryError
        If it cannot be read, or holds several series and none is chosen.
    """
    if not each.is_dicom:
        return Opened(read_scan(each.path), None, file_digest(each.path))
    from cardioseg.io.dicom import choose_series, find_series, read_series

    series = choose_series(find_series(each.path), each.series, each.path)
    source = read_series(series)
    return Opened(source.scan, source, series.digest())


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

    PNG pictures count where they are named, and in a folder that holds no other image: beside
    volumes they are results. A folder or a zip that holds DICOM is one input, and its name is the
    input's.

    Raises
    ------
    DatasetError
        If a path does not exist, nothing is found, a folder holds NIfTI and DICOM, or two inputs
        have one name.
    """
    found: list[Input] = []
    for path in paths:
        found += _in_folder(path) if path.is_dir() else [_image_file(path)]
    require_distinct(found)
    return tuple(found)


def _in_folder(path: Path) -> list[Input]:
    files = files_below(path)
    volumes, pictures = (
        [each for each in _named(files, of) if not each.name.endswith(SKIPPED_ENDINGS)]
        for of in (stem, picture_stem)
    )
    dicom = holds_dicom(path)
    inside = volumes if volumes or dicom else pictures
    if inside and dicom:
        raise DatasetError(
            f"{path}: holds NIfTI and DICOM files (such as {inside[0].path.name}); name the files, "
            "or a folder that holds one of the two"
        )
    if not inside and not dicom:
        raise DatasetError(
            f"{path}: no image in this folder (looked for DICOM, .nii, .nii.gz, .nrrd, .mha and, "
            "where there is no other, .png, not ending in "
            f"{', '.join(SKIPPED_ENDINGS)})"
        )
    return [Input(_dicom_name(path), path, is_dicom=True)] if dicom else inside


def _image_file(path: Path) -> Input:
    if not stem(path) and holds_dicom(path):
        return Input(_dicom_name(path), path, is_dicom=True)
    return _named_file(path)


def _dicom_name(path: Path) -> str:
    """A folder's name, or a file's without its suffix."""
    place = path.resolve()
    return (place.name if path.is_dir() else place.stem) or "scan"


def specified(inputs: Sequence[Input], name: str = "", series: str = "") -> tuple[Input, ...]:
    """The inputs with a name of the user's choice, and with the series to read.

    Raises
    ------
    DatasetError
        If one name is given to several inputs or cannot be a file's, or a series is chosen where
        no input is DICOM.
    """
    if name and len(inputs) != 1:
        raise DatasetError(f"--name {name}: there are {len(inputs)} inputs; name one at a time")
    if name and not is_plain_name(name):
        raise DatasetError(f"--name {name}: not a file's name; leave out folders and leading dots")
    if series and not any(each.is_dicom for each in inputs):
        raise DatasetError(f"--series {series}: no input is DICOM; leave it out")
    return tuple(
        replace(each, name=name or each.name, series=series if each.is_dicom else "")
        for each in inputs
    )


def is_plain_name(name: str) -> bool:
    r"""Whether a name from outside can be a file's in a folder, and leads nowhere else.

    Examples
    --------
    >>> [is_plain_name(each) for each in ("case_01", "../case", "..", "a\\b", "")]
    [True, False, False, False, False]
    """
    return (
        Path(name).name == name != ""
        and "\\" not in name
        and not name.startswith(".")
        and name.isprintable()
    )


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
    """Label maps: one file, or all below a folder, named by case.

    In a folder that also holds the images (a data set as it comes), only files with a label ending
    count; `NAME.seg` beside others stands for NAME alone. PNG masks count where a folder holds no
    other image.
    """
    if not path.is_dir():
        file = _named_file(path)
        return (Input(label_name(file.name), file.path),)
    files = files_below(path)
    named = _named(files, stem) or _named(files, picture_stem)
    counted = [each for each in named if each.name.endswith(LABEL_ENDINGS)]
    if all(each.name.endswith(SEGMENTATION_ENDING) for each in counted):
        cases = {label_name(each.name) for each in counted}
        counted = [each for each in named if each in counted or each.name not in cases]
    found = [replace(each, name=label_name(each.name)) for each in counted]
    if not found:
        raise DatasetError(
            f"{path}: no label map in this folder (looked for .nii, .nii.gz, .nrrd, .mha and, "
            "where there is no other, .png)"
        )
    require_distinct(found)
    return tuple(found)


def _named(files: Iterable[Path], of: Callable[[Path], str]) -> list[Input]:
    """Files of one kind by their names without suffix."""
    return [Input(name, file) for file in files if (name := of(file))]


def _named_file(path: Path) -> Input:
    if not path.is_file():
        raise DatasetError(f"{path}: no such file or folder")
    name = stem(path) or picture_stem(path)
    if not name:
        raise DatasetError(
            f"{path}: not a NIfTI file (.nii or .nii.gz), a DICOM file or a zip of them, nor "
            "NRRD, MetaImage or PNG"
        )
    return Input(name, path)


def require_distinct(inputs: Sequence[Input]) -> None:
    """Refuse inputs of one name.

    Raises
    ------
    DatasetError
        If two inputs have one name.
    """
    seen: dict[str, Input] = {}
    for each in inputs:
        first = seen.setdefault(each.name, each)
        if first is not each:
            raise DatasetError(
                f"{first.where} and {each.where} have one name, {each.name}: their outputs would "
                "overwrite each other; rename one or run them apart"
            )
