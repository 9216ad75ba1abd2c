"""Waiting for something to become true, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_EVERY_S = 0.02  # short against any broker's answer, long enough to cost under 1 % of a core


def wait_until(predicate: Callable[[], object], timeout_s: float, what: str = "") -> None:
    """Returns as soon as `predicate()` is true; looks at least once.

    Raises:
        TimeoutError: it was still false after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(_complaint(predicate, timeout_s, what))
        time.sleep(LOOK_EVERY_S)


async def wait_until_async(predicate: Callable[[], Awaitable[object]], timeout_s: float, what: str = "") -> None:
    """The twin for coroutines: the event loop runs on between looks."""
    deadline = time.monotonic() + timeout_s
    while not await predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(_complaint(predicate, timeout_s, what))
        await asyncio.sleep(LOOK_EVERY_S)


def _complaint(predicate: object, timeout_s: float, what: str) -> str:
    return f"waited {timeout_s:g} s for {what or getattr(predicate, '__qualname__', predicate)}"
