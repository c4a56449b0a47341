"""What the C library keeps of the memory that was given back to it."""

from __future__ import annotations

import sys
from typing import Final

#: ``mallopt``'s numbers (``malloc.h`` of glibc).
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
KEPT: Final = 128 * 1024
"""Bytes: a piece as large as this goes back to the system at once, as does what is free at the end of the heap."""


def keep_little() -> bool:
    """Have glibc give back what is freed, and keep one heap for all threads; to be called before there are threads.

    Answers of vendors come and go by the megabyte.  Left to itself glibc learns from them to keep as much for later,
    in a heap of each thread: 3 to 8 MB of a board with a hundred sources.  Other libraries are left alone (False).
    """
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    options = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, KEPT), (_TRIM_THRESHOLD, KEPT))
    done = [mallopt(option, value) == 1 for option, value in options]
    return all(done)
