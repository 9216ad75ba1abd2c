"""Another system that is away for a while: what is said of it, and when to ask it again."""

import logging
import time
from collections.abc import Callable

from stream.errors import AwayError

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 10.0
LOOK_EVERY_S = 0.5
COMPLAIN_EVERY_S = 60.0

logger = logging.getLogger(__name__)


class Outage:
    """Says once that a system is away, again each minute, and when it is back; waits twice as long each time."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._next_word_s = 0.0
        self._wait_s = FIRST_WAIT_S

    def wait(self, error: AwayError, is_over: Callable[[], bool]) -> None:
        """Return when it is time to try again, or when `is_over`, which is asked twice a second."""
        now_s = time.monotonic()
        if self._since_s is None:
            self._since_s = now_s
        if now_s >= self._next_word_s:
            self._next_word_s = now_s + COMPLAIN_EVERY_S
            logger.warning("%s; trying again until it does, nothing is lost", error)
        until_s, self._wait_s = now_s + self._wait_s, min(2 * self._wait_s, LONGEST_WAIT_S)
        while (left_s := until_s - time.monotonic()) > 0 and not is_over():
            time.sleep(min(left_s, LOOK_EVERY_S))

    def is_over(self) -> None:
        """It answers."""
        if self._since_s is not None:
            logger.warning("it answers again after %.0f s", time.monotonic() - self._since_s)
        self._since_s, self._next_word_s, self._wait_s = None, 0.0, FIRST_WAIT_S
