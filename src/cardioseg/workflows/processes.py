"""Independent pieces of work in several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from cardioseg.errors import ProcessError

Piece = TypeVar("Piece")
Done = TypeVar("Done")


def in_processes(
    work: Callable[[Piece], Done], pieces: Sequence[Piece], processes: int
) -> Generator[Done]:
    """What `work` makes of each piece, in the order of the pieces.

    One process is this one. Several are started afresh: `work`, the pieces and what is made of
    them are pickled, and a script must start its own work under `if __name__ == "__main__"`.

    Parameters
    ----------
    work
        A function of a module; with errors of its own, the first ends all.
    pieces
        What to work on.
    processes
        So many at most, at least 1.

    Raises
    ------
    ProcessError
        If a process ends before its work is done.

    Examples
    --------
    >>> list(in_processes(abs, (-1, -2), processes=1))
    [1, 2]
    """
    processes = min(processes, len(pieces))
    if processes < 2:
        yield from map(work, pieces)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=serve_parent)
    try:
        yield from pool.map(work, pieces)
    except BrokenProcessPool as error:
        raise ProcessError(
            f"one of {processes} processes ended before its work was done, perhaps for want of "
            "memory; free memory and start again"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def serve_parent() -> None:
    """For a child process: leave Ctrl-C to the parent, and end when it ends."""
    # Ctrl-C goes to the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
