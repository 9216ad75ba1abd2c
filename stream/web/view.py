"""What the pages may see of a worker: read-only, and never in the way of its events."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from faust.types import TP

from stream.flow.engine import Engine
from stream.metrics import Meters
from stream.settings import Settings
from stream.status import WorkerStatus

R = TypeVar("R")


MAX_WAITING = 64  # questions; each takes milliseconds


class NotReadyError(Exception):
    """No answer now: the worker compiles, restores or stands by, or is asked too much."""


@dataclass(frozen=True)
class Condition:
    """What health is judged by.

    Attributes:
        is_compiled: every shape is.
        is_restored: the state is loaded, this worker owns it.
        is_assigned: it has partitions.
        failed: why the flow ended; empty while it goes on.
        model_busy_s: how long the call that the model thread is in has taken.
        stalled_s: for how long nothing was applied though records wait.
        unsaved_s: for how long checkpoints have failed; 0 while they do not.
        checkpoint_age_s: since the last checkpoint, or since the start where there was none; None before.
    """

    is_compiled: bool = False
    is_restored: bool = False
    is_assigned: bool = False
    failed: str = ""
    model_busy_s: float = 0.0
    stalled_s: float = 0.0
    unsaved_s: float = 0.0
    checkpoint_age_s: float | None = None


class WorkerView:
    """A window into one worker. All calls come from the event loop.

    Args:
        settings: of the worker.
        status: where the worker stands now.
        condition: what health is judged by.
        lags: records that wait in Kafka, by partition; empty while the broker does not say.
        meters: the instruments.

    Attributes:
        engine: the state, None until it is complete. Plain counts may be read from any thread; for more, `ask`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        status: Callable[[], WorkerStatus],
        condition: Callable[[], Condition],
        lags: Callable[[], Mapping[TP, int]],
        meters: Meters,
    ) -> None:
        self.settings = settings
        self.status = status
        self.condition = condition
        self.lags = lags
        self.meters = meters
        self.engine: Engine | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="answers")
        self._num_waiting = 0

    def open(self, engine: Engine) -> None:
        """Answer from `engine` from now on: its state is complete."""
        self.engine = engine

    async def ask(self, question: Callable[[Engine], R]) -> R:
        """What `question` returns, called on a thread of its own, one question at a time.

        It reads the state of now, between two micro-batches or while the model thread waits for the device, by weights
        that are a second old at the most; events wait for one question at the most.

        Args:
            question: changes nothing and takes milliseconds.

        Raises:
            NotReadyError: there is no state yet, or too many questions wait.
        """
        if self.engine is None:
            raise NotReadyError(f"the worker is {self.status().state}; see /readyz")
        if self._num_waiting >= MAX_WAITING:
            raise NotReadyError(f"{self._num_waiting} questions wait for an answer; ask again later")
        self._num_waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self.engine.answer, question)
        finally:
            self._num_waiting -= 1

    def close(self) -> None:
        """Answer no more."""
        self._executor.shutdown(wait=True)
