"""Sends a simulated shop's events at a steady rate. Knows nothing of who reads them."""

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from stream.demo.simulator import ShopConfig, SimulatedShop
from stream.errors import InterestStreamError
from stream.records.events import KIND_OF_EVENT_CLASS, encode_event

TICK_S = 0.01  # what is due is sent this often
MAX_AHEAD_EVENTS = 20_000  # the shop waits for a worker that is so far behind: the embedded broker forgets old records


@dataclass(frozen=True)
class ShopPlan:
    """How many events, how fast, from which seed.

    Attributes:
        num_events: `math.inf` for no end.
        events_per_s: the rate.
        seed: of the shop.
        max_ahead_events: events sent and not read yet, at the most.
        event_id_prefix: makes the ids of one run unlike those of another.
    """

    num_events: float
    events_per_s: float
    seed: int = 0
    max_ahead_events: float = MAX_AHEAD_EVENTS
    event_id_prefix: str = ""


class Producer(Protocol):
    """Where events go: `BulkProducer`."""

    def send(self, event_kind: int, key: bytes, value: bytes) -> None:
        """Send one."""

    def poll(self) -> None:
        """Look what was delivered."""

    def flush(self) -> None:
        """Wait until all is delivered."""


class Shopkeeper(threading.Thread):
    """Sends the simulated shop's events at a steady rate; event times are the clock's.

    Attributes:
        num_sent: events handed to the producer.
        num_read: of them what the worker has read, told by who knows it.
        failure: why it gave up, if it did.
    """

    def __init__(self, producer: Producer, plan: ShopPlan) -> None:
        super().__init__(name="shop", daemon=True)
        self.num_sent = 0
        self.num_read = 0
        self.failure: InterestStreamError | None = None
        self._producer = producer
        self._plan = plan
        self._shop = SimulatedShop(ShopConfig(seed=plan.seed, event_id_prefix=plan.event_id_prefix))
        self._is_closing = threading.Event()

    def run(self) -> None:
        """Send until all are sent or `close` is called."""
        try:
            credit = 0.0
            then = time.monotonic()
            while self.num_sent < self._plan.num_events and not self._is_closing.wait(TICK_S):
                now = time.monotonic()
                credit = min(credit + (now - then) * self._plan.events_per_s, self._plan.events_per_s)
                then = now
                due = int(min(credit, self._plan.num_events - self.num_sent, self._room()))
                self._send(due)
                credit -= due
            self._producer.flush()
        except InterestStreamError as error:
            self.failure = error

    def call_off(self) -> None:
        """Ask to stop sending; may be called from a signal handler."""
        self._is_closing.set()

    def close(self) -> None:
        """Stop sending."""
        self.call_off()
        if self.is_alive():
            self.join()

    def _room(self) -> float:
        return max(0, self._plan.max_ahead_events - (self.num_sent - self.num_read))

    def _send(self, count: int) -> None:
        for _ in range(count):
            event = self._shop.event_at(time.time_ns() // 1_000_000)
            self._producer.send(KIND_OF_EVENT_CLASS[type(event)], *encode_event(event))
        self.num_sent += count
        self._producer.poll()
