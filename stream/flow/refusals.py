"""Says which records were refused; stops a worker that would drain a topic into the dead letters.

Time comes in by the door.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Sequence

from stream.errors import ConfigError
from stream.flow.intake import Chunk

FEWEST_RECORDS = 100  # fewer prove nothing: a few broken records in a quiet minute are no broken producer
WINDOW_S = 60.0
SAYS_EVERY_S = 10.0  # of one topic: a broken producer must not fill the log

logger = logging.getLogger(__name__)


class _LastMinute:
    """Records of a topic and how many of them were refused; a step costs the same however many there are."""

    def __init__(self) -> None:
        self.num_records = self.num_refused = 0
        self._chunks: deque[tuple[float, int, int]] = deque()

    def add(self, now_s: float, num_records: int, num_refused: int) -> None:
        """Count a chunk, and no longer those of before `WINDOW_S`."""
        self._chunks.append((now_s, num_records, num_refused))
        self._count(num_records, num_refused)
        while self._chunks[0][0] < now_s - WINDOW_S:
            _, old_records, old_refused = self._chunks.popleft()
            self._count(-old_records, -old_refused)

    def _count(self, num_records: int, num_refused: int) -> None:
        self.num_records += num_records
        self.num_refused += num_refused


class RefusalLimit:
    """The share of refused records of each topic over the last minute.

    Args:
        ratio: the share that is too much; 1 or more never is.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._of_topic: dict[str, _LastMinute] = defaultdict(_LastMinute)

    def check(self, chunks: Sequence[Chunk], now_s: float) -> None:
        """Count the records of `chunks`.

        Args:
            chunks: one micro-batch.
            now_s: of a clock that never goes back.

        Raises:
            ConfigError: too many of a topic's records cannot be used.
        """
        for chunk in chunks:
            last = self._of_topic[chunk.tp.topic]
            last.add(now_s, chunk.num_records, len(chunk.dead_letters))
            if last.num_records >= FEWEST_RECORDS and last.num_refused > self._ratio * last.num_records:
                raise ConfigError(
                    f"{last.num_refused} of the last {last.num_records} records of {chunk.tp.topic} cannot be used, "
                    f"more than dead_letter_limit_ratio={self._ratio}; mend what produces them, or raise the limit "
                    "to let them go"
                )


class RefusalLog:
    """Logs refused records by topic, the first at once and then what has come together.

    Args:
        with_ids: say the last one's detail, which may hold ids and queries.
    """

    def __init__(self, with_ids: bool) -> None:
        self._with_ids = with_ids
        self._reasons: dict[str, Counter[str]] = {}
        self._due_s: dict[str, float] = {}

    def note(self, chunks: Sequence[Chunk], now_s: float) -> None:
        """Note the refused records of one micro-batch; `now_s` is of a clock that never goes back."""
        for chunk in chunks:
            if chunk.dead_letters:
                self._note(chunk, now_s)

    def _note(self, chunk: Chunk, now_s: float) -> None:
        topic = chunk.tp.topic
        headers = [dict(letter.headers) for letter in chunk.dead_letters]
        reasons = self._reasons.setdefault(topic, Counter())
        reasons.update(of["error.reason"].decode() for of in headers)
        if now_s < self._due_s.get(topic, now_s):
            return
        last = headers[-1]
        offset = int(last["source.offset"])
        extra = {"topic": topic, "partition": chunk.tp.partition, "offset": offset, "reasons": dict(reasons)}
        if self._with_ids:
            extra["detail"] = last["error.detail"].decode()
        told = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        detail = f": {extra['detail']}" if self._with_ids else ""
        where = f"{topic}-{chunk.tp.partition} at {offset}"
        logger.warning("%d records refused (%s), last %s%s", reasons.total(), told, where, detail, extra=extra)
        reasons.clear()
        self._due_s[topic] = now_s + SAYS_EVERY_S
