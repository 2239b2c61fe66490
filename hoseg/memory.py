"""Memory of worker processes that handle one film after another."""

from __future__ import annotations

import ctypes
import sys

KEPT_BYTES = 256 * 2**20
"""Freed memory a process keeps for its next film; a film of 3000 x 2500 takes about 60 MiB."""

_LARGEST_BLOCK = 32 * 2**20  # more is refused by older versions of glibc

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc


def keep_freed_memory() -> bool:
    """Let this process use the memory of one film again for the next.

    By itself glibc hands large blocks back to the system whenever they are freed, and the system
    has to clear every page of them anew: a fifth to a third of reading an uncompressed film. For
    processes that do nothing but films; False where the C library has no such setting.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, musl for example
        return False
    kept = mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK) and kept)
