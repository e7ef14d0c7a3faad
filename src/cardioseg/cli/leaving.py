"""The end of the process, without taking apart what the system takes back anyway."""

from __future__ import annotations

import atexit
import os
import sys
import threading

__all__ = ["leave"]


def leave(code: str | int | None) -> None:
    """End the process with the code of a `SystemExit`, at once where nothing is left to be done.

    Python would first take its modules and the network apart, piece by piece, for memory that the
    system takes back anyway. What has to end in order still does: handlers of `atexit` run
    (temporary folders, other processes) and what was printed is written. A file that is still open
    is not: whoever writes one closes it. Where a thread still works, somebody watches (a profiler,
    a debugger), the output cannot be written or the code is words, this returns, and the
    interpreter ends as usual.

    Parameters
    ----------
    code
        As in `SystemExit.code`; None is 0.
    """
    working = [each for each in threading.enumerate() if not each.daemon]
    watched = sys.getprofile() or sys.gettrace()
    if working != [threading.main_thread()] or watched or isinstance(code, str):
        return
    # Private, but the one way to run them without the rest of the interpreter's end.
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # a parent may have closed it
                stream.flush()
    except (OSError, ValueError):
        return
    os._exit(code or 0)
