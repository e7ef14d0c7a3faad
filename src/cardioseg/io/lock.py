"""A lock on a file that the system frees when its process ends, however it ends."""

from __future__ import annotations

import sys
from contextlib import suppress


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process, or say at once that another one has it.

    Parameters
    ----------
    descriptor
        Of a file that is open for writing; the lock is held until it is closed.

    Returns
    -------
    bool
        False where another process holds the lock, or the file system knows none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryFile() as stream:
    ...     try_lock(stream.fileno())
    True
    """
    with suppress(OSError):
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
