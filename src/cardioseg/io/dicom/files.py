"""Where DICOM objects lie: files of a folder, one file, or members of a zip that stays packed."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from cardioseg.errors import FormatError
from cardioseg.io.folders import files_below

PREAMBLE_BYTES = 132
"""128 free bytes and `DICM` open a DICOM file (PS3.10, 7.1)."""

MOST_MEMBERS = 100_000
"""A cardiac examination has a few thousand images."""

LARGEST_MEMBER_BYTES = 2**31
"""An enhanced cine is below 200 MB; a member that unpacks to more than 2 GiB is no image."""

_DIRECTORY_NAMES = ("DICOMDIR",)
_SUFFIX = ".dcm"
_ENCRYPTED = 0x1
_FIRST_ELEMENTS = tuple(bytes((n, 0)) for n in (0x00, 0x01, 0x05, 0x08, 0x12, 0x16, 0x18))
"""What can come first in group 0008: its length, the character set, the image type, dates, UIDs."""
_META_GROUP = b"\x02\x00"
_META_TYPES = (b"UL", b"OB", b"UI")
"""Value representations of what can come first in group 0002, which is always explicit."""

_APPLE_DOUBLE = b"\x00\x05\x16\x07"
"""What opens the files that macOS packs beside others into a zip; they may be this short."""

DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)
"""What zipfile raises on a zip that is damaged, besides the disk's own errors."""


@dataclass(frozen=True)
class DicomFile:
    """One DICOM object on disk or inside a zip.

    Parameters
    ----------
    path
        The file, or the zip.
    member
        Name inside the zip; None for a file of its own.
    archive
        The open zip, which the members share: its index is read once. It closes with the last.
    """

    path: Path
    member: str | None = None
    archive: zipfile.ZipFile | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The file's own name, for messages: no folder, which may be a patient's name."""
        return self.path.name if self.member is None else Path(self.member).name

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The object's bytes as a stream that can seek.

        Raises
        ------
        FormatError
            If it cannot be read, or unpacks to more than 2 GiB.
        """
        try:
            if self.archive is None or self.member is None:
                with self.path.open("rb") as stream:
                    yield stream
            else:
                yield io.BytesIO(_unpacked(self.archive, self.member))
        except OSError as error:
            raise FormatError(
                f"{self.name}: cannot be read: {error.strerror or error}; copy it again"
            ) from error
        except DAMAGED_ZIP as error:
            raise FormatError(f"{self.name}: damaged: cannot be unpacked; copy it again") from error


class FileKind(Enum):
    """What a file's first bytes say."""

    DICOM = "DICOM"
    OTHER = "another kind"
    UNTOLD = "cannot be told"


@dataclass(frozen=True)
class FoundFiles:
    """The DICOM objects of a place, files that may be what is left of one, and the count of others.

    Parameters
    ----------
    dicom
        Files that open as DICOM.
    untold
        Files that are empty, cut within their first bytes, or cannot be read.
    skipped
        How many files are not DICOM, untold ones among them.
    """

    dicom: tuple[DicomFile, ...]
    untold: tuple[DicomFile, ...] = ()
    skipped: int = 0


def find_files(path: Path) -> FoundFiles:
    """DICOM objects in a folder (recursively), in a zip, or one file.

    A DICOMDIR is an index, not an image: it is passed over. Members of a zip are read in memory; no
    name inside it becomes a path.

    Raises
    ------
    FormatError
        If the path does not exist, or is a zip that is damaged or encrypted.
    """
    if path.is_dir():
        candidates = [DicomFile(file) for file in files_below(path)]
    elif not path.is_file():
        raise FormatError(f"{path}: no such file or folder")
    elif is_zip(path):
        candidates = _members(path)
    else:
        candidates = [DicomFile(path)]
    kinds = [(each, kind_of(each)) for each in candidates]
    dicom, untold = (
        tuple(each for each, kind in kinds if kind is wanted)
        for wanted in (FileKind.DICOM, FileKind.UNTOLD)
    )
    return FoundFiles(dicom, untold, len(candidates) - len(dicom))


def holds_dicom(path: Path) -> bool:
    """Whether a path is a DICOM file or a zip, or a folder with a DICOM file in it.

    A zip counts as one without being opened: no other input is packed like that.
    """
    if path.is_dir():
        return any(is_dicom_file(DicomFile(file)) for file in files_below(path))
    return path.is_file() and (is_zip(path) or is_dicom_file(DicomFile(path)))


def require_names(packed: zipfile.ZipFile) -> None:
    """Refuse a zip with an entry without a name: zipfile cannot even say whether it is a folder.

    Raises
    ------
    zipfile.BadZipFile
        If there is one.
    """
    if not all(each.filename for each in packed.infolist()):
        raise zipfile.BadZipFile("an entry has no name")


def is_zip(path: Path) -> bool:
    """Whether a file is a zip, by its content."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def is_dicom_file(file: DicomFile) -> bool:
    """Whether a file opens as DICOM does."""
    return kind_of(file) is FileKind.DICOM


def kind_of(file: DicomFile) -> FileKind:
    """What a file is: DICOM opens with the preamble, or like old files with group 0002 or 0008."""
    # A leading dot is a file half written or one of the system's.
    if file.name.upper() in _DIRECTORY_NAMES or file.name.startswith("."):
        return FileKind.OTHER
    try:
        if _would_wait(file):
            return FileKind.OTHER
        head = _head(file)
    except (OSError, *DAMAGED_ZIP):
        return FileKind.UNTOLD
    if head[128:PREAMBLE_BYTES] == b"DICM" or _opens_without_preamble(head):
        return FileKind.DICOM
    return FileKind.UNTOLD if _is_rest(head) else FileKind.OTHER


def _is_rest(head: bytes) -> bool:
    """Whether first bytes may be what is left of an image; a text, however short, has no zeros."""
    if head.startswith(_APPLE_DOUBLE):
        return False
    is_cut = len(head) < PREAMBLE_BYTES and b"\0" in head
    return is_cut or not head.strip(b"\0") or head.startswith(_META_GROUP)


def named_like(file: DicomFile, images: Iterable[DicomFile]) -> bool:
    """Whether a file's name is one that an image beside these could have.

    It has `.dcm` or the suffix of one of them, or none and a number, as `IM0007` and UIDs have.
    """
    suffix = _suffix(file)
    if not suffix:
        return any(letter.isdigit() for letter in file.name)
    return suffix == _SUFFIX or any(suffix == _suffix(each) for each in images)


def _suffix(file: DicomFile) -> str:
    """A name's suffix in small letters; without a letter it is the end of a UID and none."""
    suffix = Path(file.name).suffix.lower()
    return suffix if any(letter.isalpha() for letter in suffix) else ""


def _opens_without_preamble(head: bytes) -> bool:
    if head.startswith(_META_GROUP):
        return head[4:6] in _META_TYPES
    return head[:2] == b"\x08\x00" and head[2:4] in _FIRST_ELEMENTS


def _would_wait(file: DicomFile) -> bool:
    """Whether a file is a socket or a pipe, which would keep a reader waiting for ever."""
    return file.member is None and file.path.exists() and not file.path.is_file()


def _head(file: DicomFile) -> bytes:
    """The first bytes; of a zip's member without unpacking the rest."""
    if file.archive is not None and file.member is not None:
        with file.archive.open(file.member) as member:
            return member.read(PREAMBLE_BYTES)
    with file.path.open("rb") as stream:
        return stream.read(PREAMBLE_BYTES)


def _members(path: Path) -> list[DicomFile]:
    """The files in a zip, by name.

    Raises
    ------
    FormatError
        If it cannot be listed, is encrypted, or holds too many files.
    """
    try:
        packed = zipfile.ZipFile(path)
        require_names(packed)
    except (OSError, *DAMAGED_ZIP) as error:
        raise FormatError(f"{path}: a damaged zip ({error}); pack or copy it again") from error
    inside = [each for each in packed.infolist() if not each.is_dir()]
    if len(inside) > MOST_MEMBERS:
        raise FormatError(
            f"{path}: {len(inside)} files in the zip, more than {MOST_MEMBERS}; "
            "pack one examination at a time"
        )
    if any(each.flag_bits & _ENCRYPTED for each in inside):
        raise FormatError(f"{path}: an encrypted zip; unpack it and name the folder")
    names = sorted(each.filename for each in inside)
    return [DicomFile(path, name, packed) for name in names]


def _unpacked(packed: zipfile.ZipFile, member: str) -> bytes:
    """A member's bytes, counted while unpacking: what a zip promises may be a lie."""
    with packed.open(member) as stream:
        data = stream.read(LARGEST_MEMBER_BYTES + 1)
    if len(data) > LARGEST_MEMBER_BYTES:
        raise FormatError(
            f"{Path(member).name}: unpacks to more than {LARGEST_MEMBER_BYTES // 2**30} GiB; "
            "no MR image does: the zip is damaged or hostile"
        )
    return data
