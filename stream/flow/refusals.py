"""Stops a worker that would drain a topic into the dead letters. Pure; time comes in by the door."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from stream.errors import ConfigError
from stream.flow.intake import Chunk

FEWEST_RECORDS = 100  # fewer prove nothing: a few broken records in a quiet minute are no broken producer
WINDOW_S = 60.0


@dataclass(frozen=True)
class _Count:
    at_s: float
    records: int
    refused: int


class RefusalLimit:
    """The share of refused records of each topic over the last minute.

    Args:
        ratio: the share that is too much; 1 or more never is.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._counts: dict[str, deque[_Count]] = {}

    def check(self, chunks: Sequence[Chunk], now_s: float) -> None:
        """Count the records of `chunks`.

        Args:
            chunks: one micro-batch.
            now_s: of a clock that never goes back.

        Raises:
            ConfigError: too many of a topic's records cannot be used.
        """
        for chunk in chunks:
            counts = self._counts.setdefault(chunk.tp.topic, deque())
            counts.append(_Count(now_s, chunk.num_records, len(chunk.dead_letters)))
            while counts[0].at_s < now_s - WINDOW_S:
                counts.popleft()
            records, refused = sum(c.records for c in counts), sum(c.refused for c in counts)
            if records >= FEWEST_RECORDS and refused > self._ratio * records:
                raise ConfigError(
                    f"{refused} of the last {records} records of {chunk.tp.topic} cannot be used, more than "
                    f"dead_letter_limit_ratio={self._ratio}; mend what produces them, or raise the limit to let them go"
                )
