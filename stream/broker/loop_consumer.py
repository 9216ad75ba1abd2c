"""Faust's consumer thread without the thread: aiokafka's consumer runs on the app's own event loop.

Faust gives it a loop in a thread of its own, so that an app that blocks its loop stays in its group. This app never
blocks its loop, and each of the several hundred fetches a second costs four hand-overs between the two threads.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from faust.transport.drivers import aiokafka as driver
from mode.utils.futures import maybe_async


class LoopConsumer(driver.AIOKafkaConsumerThread):
    """To be started on the loop that it was made for; what Faust calls its thread is that loop."""

    def __init__(self, consumer: "driver.Consumer", *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(consumer, loop=loop, thread_loop=loop, **options)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when the consumer has started.

        Raises:
            Exception: what kept it from starting.
        """
        self._thread_started.set()
        self._thread_running = self.thread_loop.create_future()
        self._serving = asyncio.create_task(self._serve(), name="consumer")
        self._serving.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # `crash` has told it
        try:
            await self._thread_running
        finally:
            self._thread_running = None

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Call it here and now."""
        return await maybe_async(fun(*args, **kwargs))

    async def _gather_remaining_tasks(self) -> None:
        """Leave them alone: they are the app's."""
