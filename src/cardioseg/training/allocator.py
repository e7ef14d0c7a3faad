"""Keep freed memory in the process: a training step asks for the same large buffers each time."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_NEVER_TRIM_BYTES = 2**31 - 1
_TOP_PAD_BYTES = 256 * 2**20


def keep_freed_memory() -> bool:
    """Tell glibc not to hand freed buffers back to the system; whether it could be told.

    By default glibc maps each large buffer anew, and every step pays for the page faults.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, such as musl
        return False
    settings = (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, _NEVER_TRIM_BYTES),
        (_M_TOP_PAD, _TOP_PAD_BYTES),
    )
    accepted = [mallopt(option, value) for option, value in settings]
    return all(accepted)
