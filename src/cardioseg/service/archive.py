"""A zip from a stranger: checked before anything is unpacked, unpacked under names of our own."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from cardioseg.io.dicom.files import DAMAGED_ZIP, require_names
from cardioseg.service.limits import Limits
from cardioseg.service.problems import ProblemError, storing

_CHUNK = 1 << 20
_SKIPPED = ("DICOMDIR",)
_COMPANIONS = (".txt", ".xml", ".htm", ".html", ".json", ".csv", ".md", ".log", ".ini", ".inf")


def unpack(path: Path, folder: Path, limits: Limits) -> int:
    """Unpack a zip into `folder` as 000001.dcm, 000002.dcm, ...; no name of the zip is used.

    What is no image by its name ends in `.other`: an empty one is not the rest of an image.

    Parameters
    ----------
    path
        The zip.
    folder
        Created; must not exist.
    limits
        Entries, unpacked bytes and ratio.

    Returns
    -------
    int
        Files written.

    Raises
    ------
    ProblemError
        413 above a limit; 400 where a name leads out of the folder; 422 where the zip is damaged,
        empty or has a password.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _checked(archive, path.stat().st_size, limits)
            with storing():
                folder.mkdir()
            for number, entry in enumerate(entries, start=1):
                _extract(archive, entry, folder / f"{number:06d}{_suffix(entry)}")
            return len(entries)
    except (OSError, *DAMAGED_ZIP) as error:
        raise ProblemError(
            422, "damaged", "the zip is damaged or truncated; pack and upload it again"
        ) from error


def _suffix(entry: zipfile.ZipInfo) -> str:
    name = PurePosixPath(entry.filename)
    is_bare = not name.suffix and not any(letter.isdigit() for letter in name.name)
    is_companion = is_bare or name.name.startswith(".") or name.suffix.lower() in _COMPANIONS
    return ".other" if is_companion else ".dcm"


def _checked(archive: zipfile.ZipFile, size: int, limits: Limits) -> Sequence[zipfile.ZipInfo]:
    require_names(archive)
    entries = archive.infolist()
    if len(entries) > limits.files:
        raise ProblemError(
            413, "too_many_files", f"{len(entries)} files in the zip; at most {limits.files}"
        )
    for entry in entries:
        _require_harmless(entry, limits)
    total = sum(entry.file_size for entry in entries)
    if total > limits.unpacked_bytes:
        raise ProblemError(
            413,
            "unpacks_too_large",
            f"the zip unpacks to {total} bytes; at most {limits.unpacked_bytes}",
        )
    if total > limits.ratio * max(size, 1):
        raise _bomb(limits)
    return list(_files(entries))


def _files(entries: Sequence[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    found = [
        each
        for each in entries
        if not each.is_dir() and PurePosixPath(each.filename).name not in _SKIPPED
    ]
    if not found:
        raise ProblemError(422, "empty", "no file in the zip; pack the DICOM files of one study")
    yield from found


def _require_harmless(entry: zipfile.ZipInfo, limits: Limits) -> None:
    name = entry.orig_filename
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise ProblemError(
            400,
            "path_traversal",
            "a name in the zip leads out of its folder ('..' or an absolute path); pack the files "
            "with plain relative names",
        )
    if entry.flag_bits & 1:
        raise ProblemError(422, "encrypted", "the zip has a password; pack it without one")
    if entry.file_size > limits.ratio * max(entry.compress_size, 1):
        raise _bomb(limits)


def _bomb(limits: Limits) -> ProblemError:
    return ProblemError(
        413,
        "ratio",
        f"the zip unpacks to more than {limits.ratio:g} times its size, as no scan does; "
        "pack the files without such entries",
    )


def _piece(source: IO[bytes]) -> bytes:
    try:
        return source.read(_CHUNK)
    except OSError as error:  # what the zip says, not what the disk says
        raise zipfile.BadZipFile(str(error)) from error


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Write one entry; zipfile stops at the size that the entry claims and compares its CRC."""
    try:
        with archive.open(entry) as source, storing(), target.open("xb") as sink:
            while chunk := _piece(source):
                sink.write(chunk)
    except RuntimeError as error:
        raise ProblemError(
            422, "encrypted", "the zip has a password; pack it without one"
        ) from error
