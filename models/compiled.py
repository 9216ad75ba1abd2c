"""Loops over arrays that numba compiles: they need neither the interpreter nor its lock."""

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

Number = TypeVar("Number", int, np.ndarray)  # in a loop an integer, outside an array of them

P = ParamSpec("P")
R = TypeVar("R")

_called_by_others: list[Callable[..., Any]] = []
_dispatchers: list[Any] = []


class Compiled(Generic[P, R]):
    """A function of arrays and numbers, compiled for each combination of types that it is called with.

    What was compiled is kept on disk, see `runtime.configure`. numba is imported at the first call: those who never
    call need not wait for it.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function
        self._dispatcher: Callable[P, R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it, compiled."""
        if self._dispatcher is None:
            self._dispatcher = self._compiled()
        return self._dispatcher(*args, **kwargs)

    def _compiled(self) -> Callable[P, R]:
        import numba.extending  # noqa: PLC0415 (half a second)

        while _called_by_others:
            numba.extending.register_jitable(_called_by_others.pop())
        dispatcher = numba.njit(cache=True, nogil=True)(self._function)
        _dispatchers.append(dispatcher)
        return cast(Callable[P, R], dispatcher)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A function that compiled ones may call; from anywhere else it is plain Python."""
    _called_by_others.append(function)
    return function


def num_compiled() -> int:
    """Functions compiled or read from the cache so far, each combination of types counted."""
    return sum(len(dispatcher.signatures) for dispatcher in _dispatchers)
