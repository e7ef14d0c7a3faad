"""Atomic writing: a file is there whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike

from cardioseg.errors import WriteError
from cardioseg.io.lock import try_lock

_LEFTOVER = re.compile(r"\.cardioseg-[0-9a-f]{16}(\..*)?")
_TRIES = 10


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Write to a temporary file that becomes `path` when the block ends without an exception.

    The temporary file lies in the same folder and has the same suffixes, so that writers which
    choose a format by the name choose the right one. It is removed on any exception, Ctrl-C
    included, and `path` is then what it was before. Where the process was killed, the next one that
    writes into the folder removes it.

    Parameters
    ----------
    path
        The file to write; an existing one is replaced.

    Yields
    ------
    Path
        The temporary file to write to.

    Raises
    ------
    WriteError
        If the folder is missing or read-only, `path` is a folder or a read-only file, or the disk
        is full.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "note.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     [each.name for each in Path(folder).iterdir()]
    ['note.txt']
    """
    target = Path(path)
    _require_writable(target)
    _sweep(target.parent)
    # A short name of its own: the target's may already be as long as the file system allows.
    suffix = "".join(target.suffixes[-2:])
    temporary, descriptor = target, -1
    try:
        temporary, descriptor = _new_file(target.parent, suffix)
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(target)
    except OSError as error:
        if error.filename not in (None, str(temporary)) and descriptor != -1:
            raise
        raise WriteError(f"{target}: cannot be written: {_reason(error)}") from error
    finally:
        if descriptor != -1:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            _close(descriptor)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write bytes atomically; see :func:`atomic_path` for what is raised."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write text atomically, as UTF-8 with the line ends it has."""
    write_bytes(path, text.encode("utf-8"))


@contextmanager
def growing_npy(path: str | Path, dtype: DTypeLike, size: tuple[int, ...]) -> Iterator[BinaryIO]:
    """A stream for the bytes of arrays of one size, however many, that become one .npy.

    None of them is kept, and it is atomic; see :func:`atomic_path` for what is raised.

    `numpy.save` leaves the last bytes to C's buffer, and does not notice a disk that is full then.
    """
    descr, array_bytes = np.lib.format.dtype_to_descr(np.dtype(dtype)), np.empty(size, dtype).nbytes
    with atomic_path(path) as temporary, temporary.open("wb") as stream:

        def head(count: int) -> int:
            """Write the header, which leaves room for any number of arrays; where it ends."""
            stream.seek(0)
            facts = {"descr": descr, "fortran_order": False, "shape": (count, *size)}
            np.lib.format.write_array_header_1_0(stream, facts)
            return stream.tell()

        start = head(0)
        yield stream
        head((stream.tell() - start) // array_bytes)


def make_folder(path: str | Path) -> Path:
    """Make a folder and those above it; one that is there is left as it is.

    Raises
    ------
    WriteError
        If it cannot be made: a file is in the way, or a folder above is read-only.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise WriteError(
            f"{folder}: cannot be made: a file is in the way; name another folder"
        ) from error
    except OSError as error:
        raise WriteError(f"{folder}: cannot be made: {_reason(error)}") from error
    return folder


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing but what killed processes left half-written, or can be made.

    A file is not empty, nor is a place below one.
    """
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if there != folder:
        return there.is_dir()
    return folder.is_dir() and all(is_leftover(each) for each in folder.iterdir())


def is_leftover(path: Path) -> bool:
    """Whether a name is that of a temporary file of :func:`atomic_path`."""
    return _LEFTOVER.fullmatch(path.name) is not None


def _new_file(folder: Path, suffix: str) -> tuple[Path, int]:
    """A new temporary file, locked: as long as its process lives, no other removes it."""
    for _ in range(_TRIES):
        path = folder / f".cardioseg-{secrets.token_hex(8)}{suffix}"
        # Not tempfile: its files are private (mode 0600), and the result would stay so.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        if sys.platform == "win32":  # an open file could not be replaced there
            os.close(descriptor)
            return path, _CLOSED
        try_lock(descriptor)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        # Another process took it for a leftover, between its making and its lock.
        os.close(descriptor)
    raise OSError(errno.EAGAIN, "other processes remove its temporary files")


_CLOSED = -2


def _close(descriptor: int) -> None:
    if descriptor != _CLOSED:
        os.close(descriptor)


# Once a folder and process: what is there when a process starts was left by one that was killed.
@lru_cache(maxsize=256)
def _sweep(folder: Path) -> None:
    """Remove temporary files whose process is gone."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        for path in [each for each in folder.iterdir() if is_leftover(each)]:
            _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            if try_lock(descriptor):
                path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _require_writable(target: Path) -> None:
    if target.is_dir():
        raise WriteError(f"{target}: cannot be written: it is a folder; name a file in it")
    if not target.parent.is_dir():
        raise WriteError(
            f"{target}: cannot be written: the folder {target.parent} does not exist; create it"
        )
    if target.exists() and not os.access(target, os.W_OK):
        raise WriteError(f"{target}: cannot be written: the file is read-only; name another")


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _reason(error: OSError) -> str:
    return f"{error.strerror or error}; free space, change permissions or name another folder"
