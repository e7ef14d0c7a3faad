"""Which series a folder, a file or a zip holds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from cardioseg.errors import FormatError
from cardioseg.io.dicom.files import DicomFile, find_files, named_like
from cardioseg.io.dicom.header import read_dataset, text, whole

_TAGS = (
    "SOPClassUID",
    "Modality",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "StudyInstanceUID",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
)

_NOT_IMAGES = ("SEG", "SR", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "FID", "DOC", "M3D")
"""Modalities that lie beside images but are derived from them, or hold no pixels."""

_DIRECTORY = "1.2.840.10008.1.3.10"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True)
class Series:
    """One series of a folder or a zip.

    Parameters
    ----------
    number
        Series number; None where the files have none.
    description
        What the scanner's user called it.
    uid
        Series instance UID.
    modality
        `MR`, `CT`, ...; empty where the files have none.
    images
        Frames of all its files.
    columns, rows
        Pixels of its first image; 0 where it has none.
    unfit
        Why it cannot be a scan, in words; empty where it can.
    files
        Its files, by name.
    """

    number: int | None
    description: str
    uid: str
    modality: str
    images: int
    columns: int
    rows: int
    unfit: str
    files: tuple[DicomFile, ...]

    @property
    def size(self) -> str:
        """Columns and rows in words."""
        return f"{self.columns} x {self.rows}" if self.columns else "no pixels"

    @property
    def place(self) -> Path:
        """The zip, or the folder of its first file, for messages."""
        first = self.files[0]
        return first.path.parent if first.member is None else first.path

    @property
    def row(self) -> dict[str, str]:
        """Its line in a table."""
        return {
            "number": "none" if self.number is None else str(self.number),
            "description": self.description or "none",
            "images": str(self.images),
            "size": self.size,
            "modality": self.modality or "none",
        }

    def digest(self) -> str:
        """SHA-256 over the sorted SHA-256 sums of its files, the same packed or not."""
        sums = []
        for file in self.files:
            with file.opened() as stream:
                sums.append(hashlib.sha256(stream.read()).hexdigest())
        return hashlib.sha256("".join(sorted(sums)).encode()).hexdigest()


def find_series(path: str | Path) -> tuple[Series, ...]:
    """The series of a folder, a file or a zip, by number.

    Files that are not DICOM are passed over, and so is a DICOMDIR.

    Raises
    ------
    FormatError
        If the path does not exist, no DICOM object is there, or one is damaged: also a file that is
        named like the others and empty, cut within its first bytes, or cannot be read.
    """
    found = find_files(Path(path))
    if not found.dicom:
        others = f"; {found.skipped} other files are there" if found.skipped else ""
        raise FormatError(f"{path}: no DICOM file{others}; name the folder that holds the images")
    groups: dict[str, list[tuple[DicomFile, Dataset]]] = {}
    untold = list(found.untold)
    for file in found.dicom:
        header = read_dataset(file, tags=_TAGS)
        if not _is_whole(file, header):
            if not _is_index(header):
                untold.append(file)
            continue
        fallback = f"{text(header, 'StudyInstanceUID')} {text(header, 'SeriesNumber')}"
        key = text(header, "SeriesInstanceUID") or fallback
        groups.setdefault(key, []).append((file, header))
    if not groups:
        raise FormatError(f"{path}: its DICOM files are damaged: none says what kind it is")
    _require_no_rest(untold, [file for members in groups.values() for file, _ in members])
    series = [_series(key, members) for key, members in groups.items()]
    return tuple(sorted(series, key=lambda s: (s.number is None, s.number or 0, s.uid)))


def series_of(files: Sequence[DicomFile]) -> Series:
    """The one series that named files make.

    Raises
    ------
    FormatError
        If they belong to several, or one is damaged.
    """
    members = [(file, read_dataset(file, tags=_TAGS)) for file in files]
    uids = {text(header, "SeriesInstanceUID") for _, header in members}
    if len(uids) != 1:
        raise FormatError(f"{files[0].path.parent}: files of {len(uids)} series; name those of one")
    return _series(uids.pop(), members)


def _is_whole(file: DicomFile, header: Dataset) -> bool:
    """Whether a file is an object of a series; not if it is an index or no DICOM after all.

    Raises
    ------
    FormatError
        If it ends before it says what it is: passed over, its slice would be missing in silence.
    """
    if text(header, "SOPClassUID") and (text(header, "SeriesInstanceUID") or whole(header, "Rows")):
        return True
    if _is_index(header) or getattr(header, "preamble", None) is None:
        return False
    raise FormatError(
        f"{file.name}: damaged or truncated DICOM: it does not say which series it belongs to; "
        "copy it again, or take it out of the folder"
    )


def _is_index(header: Dataset) -> bool:
    return text(header.file_meta, "MediaStorageSOPClassUID") == _DIRECTORY


def _require_no_rest(untold: Sequence[DicomFile], images: Sequence[DicomFile]) -> None:
    """Refuse what may be left of an image: passed over, its slice would be missing in silence."""
    for file in untold:
        if named_like(file, images):
            raise FormatError(
                f"{file.name}: empty, truncated or unreadable, and named like an image; copy it "
                "again, or take it out of the folder"
            )


def _series(key: str, members: Sequence[tuple[DicomFile, Dataset]]) -> Series:
    first = members[0][1]
    columns, rows = whole(first, "Columns") or 0, whole(first, "Rows") or 0
    modality = text(first, "Modality")
    return Series(
        number=whole(first, "SeriesNumber"),
        description=text(first, "SeriesDescription"),
        uid=key,
        modality=modality,
        images=sum(whole(header, "NumberOfFrames") or 1 for _, header in members),
        columns=columns,
        rows=rows,
        unfit=_unfit(first),
        files=tuple(file for file, _ in members),
    )


def _unfit(header: Dataset) -> str:
    if text(header, "Modality") in _NOT_IMAGES:
        return "derived from images"
    if not whole(header, "Columns") or not whole(header, "Rows"):
        return "no pixels"
    if whole(header, "SamplesPerPixel") not in (None, 1):
        return "in colour"
    if text(header, "SOPClassUID").startswith(_SECONDARY_CAPTURE):
        return "pictures of a screen"
    return ""
