"""Whose turn it is to touch what a learner holds in host memory. Knows nothing of what that is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import jax

T = TypeVar("T")


class Turn:
    """One thread works, others read, never at once; the one that works lets them in while it is at the device.

    Who waits comes next: the turn cannot be given away and taken back before somebody who waits has noticed.
    """

    def __init__(self) -> None:
        self._lock, self._next = threading.Lock(), threading.Lock()
        self._worker: int | None = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """The turn, to change things."""
        with self._taken():
            self._worker = threading.get_ident()
            try:
                yield
            finally:
                self._worker = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """The turn, to read; kept until the end."""
        with self._taken():
            yield

    @contextmanager
    def given(self) -> Iterator[None]:
        """Others may read meanwhile, where this thread works; all that they read must be fit for it."""
        if self._worker != threading.get_ident():
            yield  # nobody shares with this thread, or it reads
            return
        self._worker = None
        self._lock.release()
        try:
            yield
        finally:
            self._take()
            self._worker = threading.get_ident()

    def wait_for(self, arrays: T) -> T:
        """Arrays of the device once they are computed, the turn given meanwhile."""
        with self.given():
            jax.block_until_ready(arrays)  # type: ignore[no-untyped-call]
        return arrays

    @contextmanager
    def _taken(self) -> Iterator[None]:
        self._take()
        try:
            yield
        finally:
            self._lock.release()

    def _take(self) -> None:
        with self._next:
            self._lock.acquire()
