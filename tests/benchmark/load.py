"""A steady rate of records, whoever reads them."""

import threading
import time
from collections.abc import Iterator
from typing import Protocol

from tests.benchmark.shop import Record

TICK_S = 0.01


class Sender(Protocol):
    """What takes records, as `BulkProducer` does."""

    def send(self, event_kind: int, key: bytes, value: bytes) -> None: ...
    def poll(self) -> None: ...


class Load(threading.Thread):
    """Sends records at `rate` a second until there are no more, or until `close`."""

    def __init__(self, sender: Sender, records: Iterator[Record], rate: float) -> None:
        super().__init__(daemon=True)
        self._sender, self._records, self._rate = sender, records, rate
        self._is_closing = threading.Event()

    def run(self) -> None:
        began, num_sent = time.monotonic(), 0
        while not self._is_closing.wait(TICK_S):
            due = int((time.monotonic() - began) * self._rate) - num_sent
            for _ in range(due):
                record = next(self._records, None)
                if record is None:
                    return
                self._sender.send(*record)
            num_sent += due
            self._sender.poll()

    def close(self) -> None:
        self._is_closing.set()
        self.join()
