"""When a worker learns, replays and tells of drift: what is due between two micro-batches."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from models.learner import OnlineLearner
from stream.flow.teacher import Teacher
from stream.metrics import Meters
from stream.settings import Settings

LATE_BATCHES = 2  # learning batches that wait where learning is late
MAX_PENDING_BATCHES = 4  # that may wait; then learning goes first, which holds the intake back

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LearningPolicy:
    """Attributes:
    batch_size: examples of one learning step.
    replay_ratio: replayed batches for every learned one, while nothing waits.
    after_s: age at which fewer examples than a batch are learned.
    """

    batch_size: int
    replay_ratio: int
    after_s: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The slice of the settings."""
        return cls(settings.learn_batch_size, settings.replay_ratio, settings.learn_after_ms / 1000)


class Learning:
    """Knows what is due; called on the event loop, but for the pieces of work that it gives out.

    Args:
        policy: sizes and ages.
        teacher: does what is due.
        learner: whom it teaches.
        meters: told how long it takes.
    """

    def __init__(self, policy: LearningPolicy, teacher: Teacher, learner: OnlineLearner, meters: Meters) -> None:
        self._policy, self._teacher, self._learner, self._meters = policy, teacher, learner, meters
        self._replays_due = 0
        self._oldest_pending_at: float | None = None
        self._num_drift_alarms = learner.drift.num_alarms

    @property
    def is_urgent(self) -> bool:
        """So much waits that it goes before the next micro-batch."""
        return self._num_full_batches >= MAX_PENDING_BATCHES

    @property
    def is_late(self) -> bool:
        """A full batch waits beside the one that is being learned: pieces take turns with micro-batches.

        What such a batch begins with is learning: there is no time to score it, and seldom to teach the gate.
        """
        return self._num_full_batches >= LATE_BATCHES

    @property
    def has_begun(self) -> bool:
        """Some pieces of a batch have been learned, and some are left."""
        return self._teacher.has_begun

    @property
    def due_at(self) -> float | None:
        """When examples that are fewer than a batch are learned; None while none wait."""
        return None if self._oldest_pending_at is None else self._oldest_pending_at + self._policy.after_s

    def note_examples(self, now: float) -> None:
        """Examples may have come."""
        if self._oldest_pending_at is None and self._learner.num_pending:
            self._oldest_pending_at = now

    def note_learned(self, now: float) -> None:
        """Some batches were learned."""
        self._tell_drift()
        self._oldest_pending_at = now if self._learner.num_pending else None
        self._replays_due = self._policy.replay_ratio  # what could not be replayed in time is let go

    def next_piece(self, now: float, *, is_behind: bool) -> Callable[[], bool] | None:
        """Work for the model thread if a batch is to be learned; when it returns True, call `note_learned`.

        A piece takes some milliseconds, and micro-batches go before the next.
        """
        is_old = self.due_at is not None and now >= self.due_at
        if self._teacher.has_begun or self._num_full_batches or (self._learner.num_pending and is_old):
            return partial(self._learn_some, is_behind=is_behind or self.is_late)
        return None

    def next_replay(self) -> Callable[[], None] | None:
        """Work for the model thread if a batch is to be replayed."""
        if not self._replays_due:
            return None
        self._replays_due -= 1
        return self._teacher.replay_batch

    def learn_what_waits(self) -> None:
        """On the model thread: all full batches, as fast as it goes; then call `note_learned`."""
        for _ in range(self._num_full_batches):
            while not self._learn_some(is_behind=True):
                pass

    @property
    def _num_full_batches(self) -> int:
        """Learning batches that wait, that of which pieces have been learned included."""
        return self._learner.num_pending // self._policy.batch_size

    def _learn_some(self, *, is_behind: bool) -> bool:
        is_learned = self._teacher.learn_some(is_behind=is_behind)
        if is_learned and self._teacher.last_step_ms is not None:
            self._meters.learn.observe(self._teacher.last_step_ms / 1_000)
        return is_learned

    def _tell_drift(self) -> None:
        num_alarms = self._learner.drift.num_alarms
        if num_alarms > self._num_drift_alarms:
            step = self._learner.model_step
            logger.warning("drift alarm %d at model step %d: the loss rose beyond noise", num_alarms, step)
        self._num_drift_alarms = num_alarms
