"""Whose turn it is to touch what a learner holds in host memory. Knows nothing of what that is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import jax

T = TypeVar("T")


class Turn:
    """One thread works, others read, never at once; the one that works lets them in while it waits for the device."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: int | None = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """The turn, to change things; given away within `wait_for`, so there they must be fit to be read."""
        with self._lock:
            self._worker = threading.get_ident()
            try:
                yield
            finally:
                self._worker = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """The turn, to read; kept until the end."""
        with self._lock:
            yield

    def wait_for(self, arrays: T) -> T:
        """Arrays of the device once they are computed; whoever reads has the turn until then."""
        if self._worker != threading.get_ident():
            return arrays  # nobody shares with this thread, or it reads
        self._worker = None
        self._lock.release()
        try:
            jax.block_until_ready(arrays)  # type: ignore[no-untyped-call]
        finally:
            self._lock.acquire()
            self._worker = threading.get_ident()
        return arrays
