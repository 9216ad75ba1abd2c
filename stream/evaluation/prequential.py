"""Past events through the worker's engine: score, then learn. Without Kafka, clock or event loop."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
from faust.types import TP

from models.config import ModelConfig
from models.inputs.features import CLICK, KINDS, PURCHASE, Examples
from models.mixture.ranking import TOP_ITEMS
from models.quality.evaluation import RANKERS
from models.quality.predictions import PREDICTION
from stream.evaluation.census import Census
from stream.evaluation.sources import Stretch
from stream.flow.engine import Engine
from stream.flow.intake import Chunk
from stream.records.events import KIND_OF_EVENT_CLASS, Event
from stream.settings import Settings

LISTED_RATIO = (
    1 / 8
)  # of what is ranked gets whole lists, for coverage; sorting a catalogue costs as much as ranking it
SAMPLING = 6  # purpose of random numbers, beyond those of the learner

Update = Literal["event", "period"]
Watch = Callable[[Examples, np.ndarray], None]


@dataclass(frozen=True)
class EvaluationPlan:
    """How predictions are judged.

    Attributes:
        update: `event` learns each batch of events once it is scored; `period` a stretch once the whole of it is.
        sample_ratio: share of the predictions that is judged; ranking a catalogue is what costs.
        targets: kinds of event that are predicted, as indices into `KINDS`; the others are learned all the same.
    """

    update: Update = "event"
    sample_ratio: float = 1.0
    targets: tuple[int, ...] = (CLICK, PURCHASE)


class Coverage:
    """Which items anybody was recommended.

    Attributes:
        depth: length of a list at the most.
        num_lists: lists counted, of each ranker.
    """

    depth = TOP_ITEMS

    def __init__(self, num_rows: int) -> None:
        self._is_listed = np.zeros((len(RANKERS), num_rows), bool)
        self.num_lists = 0

    def add(self, lists: np.ndarray) -> None:
        """Count lists of item slots, `[n, rankers, k]`."""
        self.num_lists += len(lists)
        for ranker in range(len(RANKERS)):
            self._is_listed[ranker, lists[:, ranker].ravel()] = True

    def ratios(self, is_seen: np.ndarray) -> dict[str, float]:
        """The share of the items seen that was in a list, by ranker."""
        listed = (self._is_listed & is_seen[None, :]).sum(1) / max(int(is_seen.sum()), 1)
        return dict(zip(RANKERS, listed.tolist(), strict=True))


class Evaluation:
    """One pass over a stream.

    Learning batches are full, but for the last of a stretch; replay follows each, as in a worker that has time for it.

    Args:
        settings: of the worker.
        model: what they say of the model, or changes to it.
        plan: how predictions are judged.
        watch: is shown the examples that were ranked and their rows of `PREDICTION`, before they are learned.

    Attributes:
        engine: what a worker has.
        census: who and what was seen.
        coverage: what was recommended.
        num_records: events given so far.
        num_unseen: sampled predictions of items never seen before, which nobody could rank.
        num_not_admitted: sampled events of items without a slot of their own.
        num_cold: sampled events of users without a window, from which nothing could be predicted.
        alarms_at: clicks and purchases given before each drift alarm.
    """

    def __init__(
        self, settings: Settings, model: ModelConfig, plan: EvaluationPlan, watch: Watch = lambda *_: None
    ) -> None:
        self._settings, self._plan, self._watch = settings, plan, watch
        self.engine = Engine(settings, model)
        self.census = Census()
        self.coverage = Coverage(len(self.engine.learner.ranker.is_seen))
        self.num_records = self.num_unseen = self.num_cold = self.num_not_admitted = 0
        self.alarms_at: list[int] = []
        self._rng = np.random.default_rng([model.seed, SAMPLING])
        self._rows = np.zeros(0, PREDICTION)

    def start(self) -> None:
        """Compile; once, before the first stretch."""
        self.engine.compile()
        self.engine.begin(1)

    def judge(self, stretch: Stretch) -> np.ndarray:
        """Predict the events of a stretch, and learn them: `[n]` of `PREDICTION`."""
        judged = [np.zeros(0, PREDICTION)]
        batch_size = self.engine.learner.config.batch_size
        for batch in _batches(stretch.events, batch_size):
            self._take(batch, stretch)
            while self._plan.update == "event" and len(self._rows) >= batch_size:
                judged.append(self._score(batch_size, stretch))
                self._learn()
        if self._plan.update == "period":
            judged += [self._score(len(self._rows), stretch)]
        while len(self._rows):
            if self._plan.update == "event":
                judged.append(self._score(batch_size, stretch))
            self._learn()
        return np.concatenate(judged)

    def _take(self, batch: list[Event], stretch: Stretch) -> None:
        """Events into windows and examples."""
        outcome = self.engine.process(list(self._chunks(batch)))
        self.num_records += len(batch)
        if outcome.targets is not None:
            self._rows = np.concatenate([self._rows, self.census.rows(outcome.targets, stretch)])

    def _chunks(self, batch: list[Event]) -> Iterator[Chunk]:
        """As the agents of the topics of clicks, purchases and searches would hand them over."""
        for kind in range(len(KINDS)):
            events = [event for event in batch if KIND_OF_EVENT_CLASS[type(event)] == kind]
            if events:
                unused = np.zeros(len(events), np.uint64)
                tp = TP(self._settings.input_topics[kind], 0)
                yield Chunk(tp, kind, self.num_records, len(events), events, unused, [])

    def _score(self, count: int, stretch: Stretch) -> np.ndarray:
        """Rank a sample of the oldest `count` examples that wait."""
        rows = self._rows[:count]
        rows["is_judged"] &= self._rng.random(len(rows)) < self._plan.sample_ratio
        rows["is_judged"] &= np.isin(rows["kind"], self._plan.targets)
        at = np.flatnonzero(rows["is_judged"])
        examples = self.engine.learner.waiting.take(at)
        ranker = self.engine.learner.ranker
        if stretch.known_only and self._plan.update == "period":
            examples = _without_unseen(examples, ranker.is_seen)
        is_predictable, is_seen = ranker.is_predictable(examples), ranker.is_seen[examples.targets]
        is_admitted = self.engine.learner.items.is_target(examples.targets)
        self.num_not_admitted += int((~is_admitted).sum())
        self.num_cold += int((is_admitted & ~is_predictable).sum())
        self.num_unseen += int((is_predictable & ~is_seen).sum())
        ranked = np.flatnonzero(is_predictable & is_seen)
        examples, rows = examples.take(ranked), rows[at[ranked]]
        rows["ranks"] = ranker.rank(examples)
        self._watch(examples, rows)
        listed = np.flatnonzero(self._rng.random(len(examples)) < LISTED_RATIO)
        self.coverage.add(ranker.top(examples.take(listed)))
        return rows

    def _learn(self) -> None:
        """One batch and its replay."""
        self._rows = self._rows[self.engine.learner.config.batch_size :]
        self.engine.teacher.learn_batch()
        for _ in range(self.engine.learner.config.replay_ratio):
            self.engine.teacher.replay_batch()
        if self.engine.learner.drift.num_alarms > len(self.alarms_at):
            self.alarms_at.append(self.census.num_events)


def _batches(events: Iterable[Event], size: int) -> Iterator[list[Event]]:
    rest = iter(events)
    while batch := list(islice(rest, size)):
        yield batch


def _without_unseen(examples: Examples, is_seen: np.ndarray) -> Examples:
    """Items that were never learned leave the windows, as ADER's protocol has it."""
    slots = examples.windows.slots
    is_known = (slots < 0) | is_seen[np.maximum(slots, 0)]
    return Examples(examples.windows.keep(is_known), examples.targets, examples.kinds)
