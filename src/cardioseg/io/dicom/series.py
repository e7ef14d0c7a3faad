"""Which series there are, and the one that is meant: listed and chosen, never guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from cardioseg.errors import FormatError
from cardioseg.io.dicom.files import DicomFile, find_files
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
        If the path does not exist, no DICOM object is there, or one is damaged.
    """
    found = find_files(Path(path))
    if not found.dicom:
        others = f"; {found.skipped} other files are there" if found.skipped else ""
        raise FormatError(f"{path}: no DICOM file{others}; name the folder that holds the images")
    groups: dict[str, list[tuple[DicomFile, Dataset]]] = {}
    for file in found.dicom:
        header = read_dataset(file, tags=_TAGS)
        if "SOPClassUID" not in header:
            continue
        fallback = f"{text(header, 'StudyInstanceUID')} {text(header, 'SeriesNumber')}"
        key = text(header, "SeriesInstanceUID") or fallback
        groups.setdefault(key, []).append((file, header))
    if not groups:
        raise FormatError(f"{path}: its DICOM files are damaged: none says what kind it is")
    series = [_series(key, members) for key, members in groups.items()]
    return tuple(sorted(series, key=lambda s: (s.number is None, s.number or 0, s.uid)))


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


def choose_series(
    found: Sequence[Series], wanted: str | int | None = None, source: str | Path = "the input"
) -> Series:
    """The series that is meant.

    Parameters
    ----------
    found
        All series, as :func:`find_series` gives them.
    wanted
        A series number, a description or a part of one (upper and lower case alike), or a UID.
        None takes the only series of images.
    source
        Where they come from, for messages.

    Raises
    ------
    FormatError
        If none or several are meant; the message lists them.
    """
    if wanted is None or wanted == "":
        images = [series for series in found if not series.unfit]
        return _only(
            images, images or found, f"{source}: {_counted(images)}; choose one (--series)"
        )
    for candidates in _matches(found, str(wanted).strip()):
        if candidates:
            words = f"{source}: {len(candidates)} series fit {wanted!r}; name one more closely"
            return _only(candidates, candidates, words)
    raise FormatError(_listed(f"{source}: no series fits {wanted!r}; there are", found))


def _matches(found: Sequence[Series], wanted: str) -> tuple[list[Series], ...]:
    """Series that fit: by UID, number, whole description, part of it; the first that any does."""
    folded = wanted.casefold()
    return (
        [series for series in found if series.uid == wanted],
        [series for series in found if str(series.number) == wanted],
        [series for series in found if series.description.casefold() == folded],
        [series for series in found if folded in series.description.casefold()],
    )


def _only(candidates: Sequence[Series], listed: Sequence[Series], words: str) -> Series:
    if len(candidates) != 1:
        raise FormatError(_listed(words, listed))
    return candidates[0]


def _counted(images: Sequence[Series]) -> str:
    return f"{len(images)} series of images" if images else "no series of images"


def _listed(words: str, series: Sequence[Series]) -> str:
    """A message and the series, one a line; twins with their UID, which alone tells them apart."""
    shown = [(each.number, each.description) for each in series]
    lines = [words + ":"]
    for each, key in zip(series, shown, strict=True):
        row = each.row
        unfit = f" ({each.unfit})" if each.unfit else ""
        twin = f", UID {each.uid}" if shown.count(key) > 1 else ""
        lines.append(
            f"  {row['number']}: {row['description']}, {row['images']} images of {row['size']}, "
            f"{row['modality']}{unfit}{twin}"
        )
    return "\n".join(lines)
