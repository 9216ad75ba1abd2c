"""The one thread that calls the engine, so that the event loop never waits for jax."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class ModelThread:
    """Runs calls one after the other."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._busy_since_s: float | None = None

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `function` there and return what it returns."""
        return await self.submit(function, *args, **kwargs)

    def submit(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[R]":
        """Let it be called after all that were submitted before; to be awaited."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._executor, lambda: self._timed(lambda: function(*args, **kwargs)))

    def busy_s(self) -> float:
        """How long the call that it is in has taken; 0 while it waits. May be called from any thread."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def close(self) -> None:
        """End the thread after the call it is in."""
        self._executor.shutdown(wait=True)

    def _timed(self, function: Callable[[], R]) -> R:
        self._busy_since_s = time.monotonic()
        try:
            return function()
        finally:
            self._busy_since_s = None
