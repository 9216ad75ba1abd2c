"""How old events are when their updates leave, over the last seconds. Pure."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from stream.flow.intake import Chunk

REMEMBERED_S = 10.0
SAMPLED_EVENTS = 256  # of a micro-batch, evenly: percentiles need no more


class RecentLatency:
    """Ages of events by the moment at which they were through."""

    def __init__(self) -> None:
        self._ages: deque[tuple[float, np.ndarray]] = deque()

    def note(self, now_s: float, chunks: Sequence[Chunk]) -> None:
        """The updates of these events have been handed over at `now_s`, seconds since the epoch."""
        step = 1 + sum(len(chunk.events) for chunk in chunks) // SAMPLED_EVENTS
        sampled = [time_ms for chunk in chunks for time_ms in chunk.times_ms(step)]
        if sampled:
            self._ages.append((now_s, now_s * 1000 - np.array(sampled, np.float64)))
        self._forget(now_s)

    def percentiles_ms(self, now_s: float) -> tuple[float, float] | None:
        """The 50th and 99th of the last `REMEMBERED_S`; None where nothing came through."""
        self._forget(now_s)
        if not self._ages:
            return None
        p50, p99 = np.percentile(np.concatenate([ages for _, ages in self._ages]), [50, 99])
        return float(p50), float(p99)

    def _forget(self, now_s: float) -> None:
        while self._ages and self._ages[0][0] < now_s - REMEMBERED_S:
            self._ages.popleft()
