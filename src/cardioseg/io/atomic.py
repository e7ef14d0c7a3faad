"""Atomic writing: a file is there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cardioseg.errors import FormatError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Write to a temporary file that becomes `path` when the block ends without an exception.

    The temporary file lies in the same folder and has the same suffixes, so that writers which
    choose a format by the name choose the right one. It is removed on any exception, Ctrl-C
    included, and `path` is then what it was before.

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
    FormatError
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
    # A short name of its own: the target's may already be as long as the file system allows.
    suffix = "".join(target.suffixes[-2:])
    temporary = target.with_name(f".{secrets.token_hex(8)}{suffix}")
    try:
        # Not tempfile: its files are private (mode 0600), and the result would stay so.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(target)
    except OSError as error:
        if error.filename not in (None, str(temporary)):
            raise
        raise FormatError(f"{target}: cannot be written: {_reason(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write bytes atomically; see :func:`atomic_path` for what is raised."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write text atomically, as UTF-8 with the line ends it has."""
    write_bytes(path, text.encode("utf-8"))


def _require_writable(target: Path) -> None:
    if target.is_dir():
        raise FormatError(f"{target}: cannot be written: it is a folder; name a file in it")
    if not target.parent.is_dir():
        raise FormatError(
            f"{target}: cannot be written: the folder {target.parent} does not exist; create it"
        )
    if target.exists() and not os.access(target, os.W_OK):
        raise FormatError(f"{target}: cannot be written: the file is read-only; name another")


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _reason(error: OSError) -> str:
    return f"{error.strerror or error}; free space, change permissions or name another folder"
