"""What becomes of memory that is freed: by the C library, where it is glibc, and by Python's search for cycles."""

import ctypes
import gc

OPTIONS = {  # of malloc.h
    -8: 2,  # M_ARENA_MAX, of eight for each core: each keeps what its threads once needed
    -3: 32 * 2**20,  # M_MMAP_THRESHOLD: what is larger is mapped for itself, and zeroed each time
    -1: 128 * 2**20,  # M_TRIM_THRESHOLD: so much is kept; what is given back must be zeroed when it is needed next
    -2: 16 * 2**20,  # M_TOP_PAD: taken at a time
}

SEARCH_AFTER = 20_000, 20, 50  # new objects, and rounds of the younger generation

_libc = ctypes.CDLL(None)


def keep_what_is_free() -> None:
    """Let threads share heaps that are not trimmed after each micro-batch; call before threads start."""
    if hasattr(_libc, "mallopt"):
        for option, value in OPTIONS.items():
            _libc.mallopt(option, value)


def search_rarely() -> None:
    """Search for cycles among thousands of new objects at a time, and no more among those that are here now.

    By default all of jax is searched again and again, for a tenth of a second each time; a record makes no cycles.
    """
    gc.freeze()
    gc.set_threshold(*SEARCH_AFTER)


def give_back() -> None:
    """Return free pages to the system. Takes milliseconds, without the interpreter's lock."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
