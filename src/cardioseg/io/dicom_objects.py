"""What SEG and SR share: who made them, new UIDs, and a source header that is complete."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import highdicom
from pydicom import Dataset
from pydicom.charset import python_encoding
from pydicom.uid import generate_uid
from pydicom.valuerep import DA, TM

from cardioseg.core.labels import Code
from cardioseg.errors import FormatError, ReadWarning
from cardioseg.io.atomic import atomic_path
from cardioseg.io.dicom.header import UNREADABLE, quiet
from cardioseg.io.dicom.source import DicomScan, SourceSlice

MANUFACTURER = "cardioseg (open source)"
MODEL_NAME = "cardioseg"
SERIAL_NUMBER = "none"
RESEARCH_ONLY = "research only"

ARTIFICIAL_INTELLIGENCE: Code = ("DCM", "123110", "Artificial Intelligence")
HISTOGRAM_ANALYSIS: Code = ("DCM", "123105", "Histogram Analysis")
DEFORMABLE_MODELS: Code = ("DCM", "123111", "Deformable Models")

_LONG_STRING = 64
_SEG_SERIES = 7000
"""Series numbers from here on are ours; an archive sorts them after the scanner's."""

_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_CHECKED: dict[str, Callable[[str], object]] = {
    "PatientSex": highdicom.PatientSexValues,
    "PatientBirthDate": DA,
    "StudyDate": DA,
    "StudyTime": TM,
}
"""What reads the values that an object copies and highdicom checks; all may be empty."""

_MUST_BE_THERE = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")

_UNICODE = "ISO_IR 192"

NewUid = Callable[[], str]


def random_uid() -> str:
    """A new UID from a random UUID (root 2.25): it tells nothing about patient or machine."""
    return str(generate_uid(prefix=None))


@dataclass(frozen=True)
class Algorithm:
    """What made a segmentation, as DICOM objects name it.

    Parameters
    ----------
    name
        The model's or the method's name.
    model_id
        Hash of what decides its answer.
    version
        Version of the program; None takes the installed one's.
    family
        Coded kind of algorithm, of CID 7162.
    by_person
        Whether a person corrected its answer: its segments are SEMIAUTOMATIC then.
    """

    name: str
    model_id: str
    version: str | None = None
    family: Code = ARTIFICIAL_INTELLIGENCE
    by_person: bool = False

    @property
    def kind(self) -> str:
        """How the segments were made, as DICOM calls it."""
        return "SEMIAUTOMATIC" if self.by_person else "AUTOMATIC"

    @property
    def full_name(self) -> str:
        """Program and model, as a viewer shows it."""
        return short(f"{MODEL_NAME} {self.name}")

    @property
    def used_version(self) -> str:
        """The program's version."""
        return self.version or version("cardioseg")


def short(words: str) -> str:
    """What fits into an LO element: 64 characters."""
    return words if len(words) <= _LONG_STRING else words[: _LONG_STRING - 1] + "…"


def concept(code: Code) -> highdicom.sr.CodedConcept:
    """A coded concept as highdicom takes it."""
    scheme, value, meaning = code
    return highdicom.sr.CodedConcept(value, scheme, short(meaning))


def series_number(source: SourceSlice) -> int:
    """Number of a new series, derived from the source's so that a list of series shows both."""
    number = source.dataset.get("SeriesNumber")
    return _SEG_SERIES + (int(number) % 1000 if number else 0)


def first_slice(source: DicomScan) -> SourceSlice:
    """The slice whose patient and study an object copies."""
    return source.sources[0][0]


def complete_header(source: SourceSlice) -> Dataset:
    """The slice's header with every element of type 2 that patient and study need.

    One that holds what DICOM does not allow is left empty. The header names no character set:
    highdicom knows too few. :func:`save` names the source's.

    Raises
    ------
    FormatError
        If a UID is missing that an object must refer to.
    """
    return _completed(source)[0]


def _completed(source: SourceSlice) -> tuple[Dataset, list[str]]:
    """The complete header, and keywords of what was emptied because DICOM does not allow it."""
    header = Dataset()
    header.update(source.dataset)
    # Elements that nobody has read yet are decoded when highdicom does.
    implicit, little = source.dataset.original_encoding
    header.set_original_encoding(implicit, little, source.dataset.original_character_set)
    missing = [name for name in _MUST_BE_THERE if not header.get(name)]
    if missing:
        raise FormatError(
            f"the source images lack {', '.join(missing)}: an object that refers to them cannot be "
            "written; take the images from the archive, or write NIfTI (--write nifti)"
        )
    wrong = _not_allowed(header)
    for name in wrong:
        del header[name]  # to set its value would change the source's element
    for name in _MAY_BE_EMPTY:
        if name not in header:
            setattr(header, name, "")
    header.pop("SpecificCharacterSet", None)
    return header, wrong


def _not_allowed(header: Dataset) -> list[str]:
    """Keywords of elements of patient and study whose values DICOM does not allow."""
    found: list[str] = []
    for name, read in _CHECKED.items():
        try:
            with quiet():
                value = header.get(name)
                if value:
                    read(value)
        except UNREADABLE:
            found.append(name)
    return found


def headers(slices: Sequence[SourceSlice]) -> list[Dataset]:
    """Complete headers, one an object: slices of a multi-frame object share theirs.

    Warns
    -----
    ReadWarning
        Of each element that is left empty because DICOM does not allow its value.
    """
    found: dict[str, Dataset] = {}
    wrong: set[str] = set()
    for each in slices:
        if each.sop_instance_uid not in found:
            found[each.sop_instance_uid], names = _completed(each)
            wrong.update(names)
    for name in sorted(wrong):
        words = f"{name} of the source images holds what DICOM does not allow: left empty in the "
        warnings.warn(f"{words}objects that are written", ReadWarning, stacklevel=2)
    return list(found.values())


@contextmanager
def made_of_headers(kind: str) -> Iterator[None]:
    """Make an object with highdicom; its errors are about what the source's headers say.

    Raises
    ------
    FormatError
        In place of a ValueError, whose words may hold what a header says and are not told.
    """
    try:
        yield
    except ValueError as error:
        raise FormatError(
            f"the source images' headers hold a value that DICOM does not allow, or do not fit "
            f"each other, so no {kind} can be written; take the images from the archive, or write "
            "NIfTI (--write nifti)"
        ) from error


def save(dataset: Dataset, path: Path, source: SourceSlice) -> None:
    """Write an object as a DICOM file, whole or not at all, in the character set of its source.

    Raises
    ------
    FormatError
        If the file cannot be written.
    """
    found = _character_set(source.dataset)
    if found:
        dataset.SpecificCharacterSet = found
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True, overwrite=True)


def _character_set(header: Dataset) -> str | list[str]:
    """The header's character set as the standard names it; empty for ASCII.

    Of several sets the first may be left empty for ASCII. Unicode takes the place of a set that
    nobody knows: the names are the same.
    """
    found = header.get("SpecificCharacterSet") or ""
    if isinstance(found, str) or len(found) == 1:
        name = found if isinstance(found, str) else str(found[0])
        if name in ("", "ISO_IR 6"):
            return ""
        return name if name in python_encoding and "2022" not in name else _UNICODE
    names = [(each or "ISO_IR 6").replace("ISO_IR", "ISO 2022 IR") for each in found]
    return names if all(each in python_encoding for each in names) else _UNICODE
