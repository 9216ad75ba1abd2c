"""The demo's moving parts: the shop sends, a worker learns, a subscriber watches; what they show together."""

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from stream.broker.bulk_producer import BulkProducer
from stream.broker.topics import TopicNames
from stream.client import InterestSubscriber, ItemVectors
from stream.demo.embedded_broker import MOCK_API_VERSION
from stream.demo.shopkeeper import Shopkeeper, ShopPlan
from stream.demo.worker_process import WorkerProcess, as_environment
from stream.errors import StateError
from stream.settings import Settings
from stream.status import WorkerStatus

STALL_TIMEOUT_S = 90.0  # nothing moves for so long: give up
COMPILED_WITHIN_S = 600.0  # 35 s on two free cores; on a machine that others keep busy, minutes
LAST_UPDATES_TIMEOUT_S = 5.0
RECENT_LATENCIES = 5_000
RATE_OVER_STATUSES = 4  # the worker speaks once a second


class LatencyMs(msgspec.Struct, frozen=True):
    """From an event's time to its update in the subscriber's hands, milliseconds; `None` before the first."""

    p50: float | None
    p99: float | None


class Summary(msgspec.Struct, frozen=True):
    """The last line of the demo; DESIGN.md, section Commands."""

    events: int
    updates: int
    events_per_s: float
    latency_ms: LatencyMs
    recall_at_20: float | None
    mrr_at_20: float | None
    counting_recall_at_20: float | None
    popularity_recall_at_20: float | None
    vector_recall_at_20: float | None
    recompiles: int
    dead_letters: int


class Showcase:
    """A context manager. Call `advance` again and again until `is_over`, then `finish`.

    Args:
        settings: the worker's; the broker in them must be an embedded one.
        plan: what the shop does.
        is_called_off: whether the show is to end early; asked in between.

    Attributes:
        subscriber: the updates so far.
        items: the item vectors so far.
    """

    def __init__(self, settings: Settings, plan: ShopPlan, is_called_off: Callable[[], bool] = lambda: False) -> None:
        self._is_called_off = is_called_off
        names = TopicNames.of(settings)
        self.plan = plan
        self.items = ItemVectors(settings.broker, topic=names.item_vectors, api_version=MOCK_API_VERSION)
        self.subscriber = InterestSubscriber(
            settings.broker, from_beginning=True, topic=names.updates, api_version=MOCK_API_VERSION
        )
        self._shop = Shopkeeper(BulkProducer(settings.broker, names), plan)
        self._worker = WorkerProcess(as_environment(settings))
        self._latencies_ms: list[np.ndarray] = []
        self._recent_ms: deque[float] = deque(maxlen=RECENT_LATENCIES)
        self._began_s = self._moved_s = time.monotonic()
        self._last_update_s = 0.0
        self._num_updates = 0
        self._progress: deque[tuple[float, int]] = deque([(self._began_s, 0)], maxlen=RATE_OVER_STATUSES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shop.close()
        self._worker.__exit__(kind, error, trace)
        self.subscriber.close()
        self.items.close()

    @property
    def status(self) -> WorkerStatus:
        """What the worker said last."""
        return self._worker.status

    @property
    def num_sent(self) -> int:
        """Events that the shop has sent."""
        return self._shop.num_sent

    @property
    def num_updates(self) -> int:
        """Updates in the subscriber's hands."""
        return self._num_updates

    @property
    def is_over(self) -> bool:
        """Whether every event is through, or the show is called off."""
        if self._is_called_off():
            return True
        status = self.status
        is_read = status.records >= self.plan.num_events and not status.queued
        is_quiet = time.monotonic() - self._last_update_s > LAST_UPDATES_TIMEOUT_S
        return is_read and (self._num_updates >= status.updates or is_quiet)

    @property
    def events_per_s(self) -> float:
        """Events admitted a second, over the last seconds."""
        (from_s, before), (to_s, after) = self._progress[0], self._progress[-1]
        return (after - before) / (to_s - from_s) if to_s > from_s else 0.0

    def latency_ms(self) -> LatencyMs:
        """Of the recent updates."""
        return _percentiles(np.array(self._recent_ms))

    def advance(self) -> None:
        """Take in what came; let the shop begin as soon as the worker is ready.

        Raises:
            StateError: the worker died, or nothing has moved for too long.
        """
        before = (self.status.state, self._num_updates, self.status.records)
        self._worker.check()
        if self._shop.failure is not None:
            raise self._shop.failure
        if self.status.state == "running" and not self._shop.is_alive() and not self._shop.num_sent:
            self._began_s = time.monotonic()
            self._shop.start()
        self._shop.num_read = self.status.records
        self._take_updates()
        self.items.poll()
        if self.status.events != self._progress[-1][1]:
            self._progress.append((time.monotonic(), self.status.events))
        self._watch_for_stall(before != (self.status.state, self._num_updates, self.status.records))

    def finish(self) -> Summary:
        """Stop the shop, then the worker; what came of it all.

        Raises:
            StateError: the worker did not end well.
        """
        self._shop.close()
        status = self._worker.finish()
        deadline = time.monotonic() + LAST_UPDATES_TIMEOUT_S
        while self._num_updates < status.updates and time.monotonic() < deadline:
            self._take_updates()
        latency = _percentiles(np.concatenate([np.zeros(0), *self._latencies_ms]))
        seconds = max(self._last_update_s - self._began_s, 1e-3)
        return Summary(
            events=status.events,
            updates=self._num_updates,
            events_per_s=round(status.events / seconds, 1),
            latency_ms=latency,
            recall_at_20=_rounded(status.recall_at_20),
            mrr_at_20=_rounded(status.mrr_at_20),
            counting_recall_at_20=_rounded(status.counting_recall_at_20),
            popularity_recall_at_20=_rounded(status.popularity_recall_at_20),
            vector_recall_at_20=_rounded(status.vector_recall_at_20),
            recompiles=status.recompiles,
            dead_letters=status.refused,
        )

    def _take_updates(self) -> None:
        updates = self.subscriber.poll(0.05)
        if not updates:
            return
        now_ms = time.time() * 1000
        latencies = np.array([now_ms - update.time_ms for update in updates])
        self._latencies_ms.append(latencies)
        self._recent_ms.extend(latencies.tolist())
        self._num_updates += len(updates)
        self._last_update_s = time.monotonic()

    def _watch_for_stall(self, has_moved: bool) -> None:
        if has_moved:
            self._moved_s = time.monotonic()
            return
        state = self.status.state
        patience_s = COMPILED_WITHIN_S if state == "compiling" else STALL_TIMEOUT_S
        if time.monotonic() - self._moved_s > patience_s:
            read, sent = self.status.records, self.num_sent
            raise StateError(
                f"nothing has moved for {patience_s:.0f} s; the worker is {state} and has read {read} of {sent} events"
            )


def _percentiles(latencies_ms: np.ndarray) -> LatencyMs:
    if not len(latencies_ms):
        return LatencyMs(None, None)
    p50, p99 = np.percentile(latencies_ms, [50, 99])
    return LatencyMs(round(float(p50), 1), round(float(p99), 1))


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 4)
