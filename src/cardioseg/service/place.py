"""The folder of a server: locked for as long as it runs, removed or kept at its end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cardioseg.errors import ConfigError
from cardioseg.io.atomic import make_folder
from cardioseg.io.lock import try_lock

LOCK = "lock"

_PREFIX = "cardioseg-serve-"


@contextmanager
def server_folder(kept: Path | None) -> Iterator[Path]:
    """The folder of one server.

    Parameters
    ----------
    kept
        The folder to use and to leave at the end; None makes a temporary one, and first removes
        those of servers that were killed: uploads must not outlive their server.

    Raises
    ------
    ConfigError
        If another server uses `kept`.
    FormatError
        If it cannot be made.
    """
    if kept is None:
        _remove_left(Path(tempfile.gettempdir()))
        root = Path(tempfile.mkdtemp(prefix=_PREFIX))
    else:
        is_new = not kept.exists()
        root = make_folder(kept)
        if is_new:  # a folder that was there keeps its permissions; those of jobs are private
            root.chmod(0o700)
    descriptor = os.open(root / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if not try_lock(descriptor):
            raise ConfigError(
                f"{root}: another server uses it, or its file system knows no locks; name another "
                "folder with --jobs"
            )
        yield root
    finally:
        os.close(descriptor)
        if kept is None:
            shutil.rmtree(root, ignore_errors=True)


def _remove_left(parent: Path) -> None:
    """Remove the temporary folders of this user's servers that were killed."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or not _is_ours(folder):
                continue
            # A server that has only just made its folder has no lock yet: it is left alone.
            descriptor = os.open(folder / LOCK, os.O_RDWR)
            try:
                gone = try_lock(descriptor)
            finally:
                os.close(descriptor)
            if gone:
                shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
