"""What the C library does with memory that is freed: it goes back to the system. Without glibc nothing happens."""

import ctypes

ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
MOST_ARENAS = 2  # of eight for each core: each keeps what its threads once needed

_libc = ctypes.CDLL(None)


def keep_few_arenas() -> None:
    """Let threads share heaps; call before they start."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(ARENA_MAX, MOST_ARENAS)


def give_back() -> None:
    """Return free pages to the system. Takes milliseconds, without the interpreter's lock."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
