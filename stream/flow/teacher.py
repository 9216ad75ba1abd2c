"""Lets a learner learn, a batch in pieces, and keeps the books: how much, how well, how long."""

import time
from collections import deque
from collections.abc import Iterator

from models.learner import OnlineLearner
from models.reports import LearnReport

LEARN_RATIO_OVER = 32  # batches


class Teacher:
    """All calls come from the model thread; what it has counted may be read from any.

    Args:
        learner: learns.

    Attributes:
        num_learned: events, left out ones included.
        num_replayed: examples that were learned once more.
        num_left_out: events that only the memory learned, for want of time.
        last_step_ms: how long the last batch took, without what came between its pieces; None before the first.
    """

    def __init__(self, learner: OnlineLearner) -> None:
        self._learner = learner
        self._begun: Iterator[LearnReport | None] | None = None
        self._spent_ms = 0.0
        self._learn_ratios: deque[float] = deque([1.0], maxlen=LEARN_RATIO_OVER)
        self.num_learned = 0
        self.num_replayed = 0
        self.num_left_out = 0
        self._told_loss: float | None = None
        self._told_gate_loss: float | None = None
        self.last_step_ms: float | None = None

    def learn_batch(self, *, is_behind: bool = False) -> None:
        """Learn the oldest pending examples; `is_behind` as of `OnlineLearner.learn_batch`."""
        while not self.learn_some(is_behind=is_behind):
            pass

    def learn_some(self, *, is_behind: bool = False) -> bool:
        """A piece of `learn_batch`, after which micro-batches may be processed; whether it was the last."""
        began_s = time.perf_counter()
        if self._begun is None:
            if not self._learner.num_pending:
                return True
            self._begun, self._spent_ms = self._learner.learning(is_behind=is_behind), 0.0
        report = next(self._begun)
        self._spent_ms += 1_000 * (time.perf_counter() - began_s)
        if report is None:
            return False
        self._begun, self.last_step_ms = None, self._spent_ms
        self._note(report)
        return True

    @property
    def has_begun(self) -> bool:
        """Some pieces of a batch have been learned, others not yet."""
        return self._begun is not None

    def end_batch(self) -> None:
        """Learn the rest of a batch that has been begun."""
        if self.has_begun:
            self.learn_batch()

    def replay_batch(self) -> None:
        """Learn past examples again."""
        step = self._learner.model_step
        self._learner.replay_batch()
        self.num_replayed += (self._learner.model_step - step) * self._learner.config.batch_size

    @property
    def last_loss(self) -> float | None:
        """Of the network, on the newest batch for which it is known and not 0; None before the first."""
        return next((ended.loss for ended in self._learner.computed if ended.loss), self._told_loss)

    @property
    def last_gate_loss(self) -> float | None:
        """Of the gate, as `last_loss`."""
        return next((ended.gate_loss for ended in self._learner.computed if ended.gate_loss), self._told_gate_loss)

    @property
    def learn_ratio(self) -> float:
        """Share of the newest `LEARN_RATIO_OVER` batches' events that the network learned: 1 but for overload."""
        ratios = tuple(self._learn_ratios)
        return sum(ratios) / len(ratios)

    def _note(self, report: LearnReport) -> None:
        self.num_learned += report.num_events
        self.num_left_out += report.num_left_out
        self._learn_ratios.append(1 - report.num_left_out / report.num_events)
        self._told_loss = report.loss or self._told_loss
        self._told_gate_loss = report.gate_loss or self._told_gate_loss
