"""Everything the model thread owns, joined: learner, users and item vectors, and how they are saved together."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from faust.types import TP

from checkpoints.manifest import MANIFEST_VERSION, Manifest
from models.compiled import num_compiled
from models.config import ModelConfig
from models.evaluation import PrequentialMetrics
from models.learner import OnlineLearner
from models.reports import LearnReport
from models.saving import Array, Change, Saved, State, joined, part_of
from models.sharding import DevicesError
from stream.errors import ConfigError
from stream.flow.intake import Chunk
from stream.flow.item_vectors import ItemVectorFeed
from stream.flow.ledger import TopicLedger
from stream.flow.record_encoder import RecordEncoder
from stream.flow.top_items import TopItems, TopItemsPolicy
from stream.flow.updater import Outcome, Updater, UpdaterPolicy
from stream.records.updates import EncodedRecord
from stream.settings import Settings
from stream.status import WorkerState, WorkerStatus
from stream.users.admission import AdmissionPolicy
from stream.users.interests import EmissionPolicy
from stream.users.values import ValuePolicy

VERSIONS_PER_INCARNATION = 2**34  # micro-batches: 5 years at 100 a second; 2^19 restarts fit below JavaScript's 2^53

ROWS_AHEAD = 8_192  # of each part: users of 1.5 KB make 12 MB, which are copied in about 10 ms

LEARN_RATIO_OVER = 32  # batches

StateChanges = dict[str, Change]

R = TypeVar("R")

FINGERPRINT = (
    "encoder",
    "head",
    "optimiser",
    "dim",
    "encoder_window",
    "window_size",
    "max_items",
    "max_queries",
    "replay_capacity",
    "partitions",
    "input_topics",
)


class Engine:
    """The live state of a worker. All calls come from one thread, but for `answer`.

    Args:
        settings: of the worker.
        model: in place of what the settings say of the model.

    Raises:
        ConfigError: this host has fewer devices than the settings ask for.
    """

    def __init__(self, settings: Settings, model: ModelConfig | None = None) -> None:
        self._settings = settings
        self._encoder = RecordEncoder(settings.update_format)
        try:
            self.learner = OnlineLearner(model or settings.learner())
        except DevicesError as error:
            raise ConfigError(str(error)) from None
        self.updater = Updater(updater_policy(settings), self.learner, self._encoder)
        self._item_vectors: ItemVectorFeed | None = None
        self._compilations_at_start = 0
        self._taken_ahead: list[StateChanges] = []
        self._incarnation = 0
        self.num_learned = 0
        self.num_replayed = 0
        self.num_left_out = 0
        self._learn_ratios: deque[float] = deque([1.0], maxlen=LEARN_RATIO_OVER)
        self.last_loss: float | None = None
        self.last_gate_loss: float | None = None
        self.last_step_ms: float | None = None
        self._begun: Iterator[LearnReport | None] | None = None
        self._spent_ms = 0.0

    def restore(self, state: State, manifest: Manifest) -> None:
        """Become what a checkpoint says: the changes that `take_changes` gave, applied in order.

        Raises:
            ConfigError: it was made with settings that these cannot bear.
        """
        check_fingerprint(manifest.fingerprint, fingerprint(self._settings))
        try:
            self.learner.restore(part_of(state, "learner"))
            self.updater.restore(part_of(state, "updater"))
        except KeyError as missing:
            raise ConfigError(
                f"the checkpoint has no {missing}, so another version of Interest Stream has made it; "
                "go on with that version, or start afresh with another checkpoint_dir"
            ) from None
        self.updater.ledger = {topic: TopicLedger(**entry) for topic, entry in manifest.ledger.items()}
        self.updater.next_offsets = next_offsets(manifest)
        self.updater.num_erasures = manifest.num_erasures

    def compile(self, compilation_cache: Path | None = None) -> None:
        """Compile every shape; needs no state, changes none. `compilation_cache` as of `OnlineLearner.compile`."""
        self.learner.compile(compilation_cache)
        self.updater.compile()
        self._compilations_at_start = self._compilations

    def begin(self, incarnation: int) -> None:
        """Be ready for the first micro-batch; call once, after `restore`.

        Args:
            incarnation: how many processes have owned this state, this one included; update versions start from it.
        """
        self._incarnation = incarnation
        self.updater.version = incarnation * VERSIONS_PER_INCARNATION
        self._item_vectors = ItemVectorFeed(
            self.learner,
            self._encoder,
            min_distance=self._settings.item_vector_min_distance,
            num_partitions=self._settings.partitions,
        )
        self.serve()

    def skip_to(self, next_offset_of: Mapping[TP, int]) -> None:
        """Count records as read that cannot be read any more."""
        self.updater.next_offsets.update(next_offset_of)

    def process(self, chunks: Sequence[Chunk], meanwhile: Callable[[], None] = lambda: None) -> Outcome:
        """One micro-batch; `meanwhile` as of `Updater.process`."""
        return self.updater.process(chunks, meanwhile)

    def work(self, piece: Callable[[], R]) -> R:
        """Let `piece` change this state, which nobody reads but where it waits for the device."""
        with self.learner.turn.working():
            return piece()

    def answer(self, question: Callable[["Engine"], R]) -> R:
        """What `question` reads of this state; from any thread.

        Windows, counts and items are those of now; weights are as `serve` copied them last.
        """
        with self.learner.turn.reading():
            return question(self)

    def serve(self) -> None:
        """Let answers know what was learned since the last time."""
        self.learner.serve()

    def recommend(self, user_id: str, count: int) -> TopItems | None:
        """What a user is likely to want next; None for one that is not known."""
        return self.updater.recommend(user_id, replace(top_items_policy(self._settings), count=count))

    def learn_batch(self, *, is_behind: bool = False) -> None:
        """Learn the oldest pending examples; `is_behind` as of `OnlineLearner.learn_batch`."""
        while not self.learn_some(is_behind=is_behind):
            pass

    def learn_some(self, *, is_behind: bool = False) -> bool:
        """A piece of `learn_batch`, after which micro-batches may be processed; whether it was the last."""
        began_s = time.perf_counter()
        if self._begun is None:
            if not self.learner.num_pending:
                return True
            self._begun, self._spent_ms = self.learner.learning(is_behind=is_behind), 0.0
        report = next(self._begun)
        self._spent_ms += 1_000 * (time.perf_counter() - began_s)
        if report is None:
            return False
        self._begun, self.last_step_ms = None, self._spent_ms
        self._note(report)
        return True

    @property
    def has_begun_to_learn(self) -> bool:
        """Some pieces of a batch have been learned, others not yet."""
        return self._begun is not None

    def _note(self, report: LearnReport) -> None:
        self.num_learned += report.num_events
        self.num_left_out += report.num_left_out
        self._learn_ratios.append(1 - report.num_left_out / report.num_events)
        self.last_loss = report.loss or self.last_loss
        self.last_gate_loss = report.gate_loss or self.last_gate_loss

    @property
    def learn_ratio(self) -> float:
        """Share of the newest `LEARN_RATIO_OVER` batches' events that the network learned: 1 but for overload."""
        ratios = tuple(self._learn_ratios)
        return sum(ratios) / len(ratios)

    def replay_batch(self) -> None:
        """Learn past examples again."""
        step = self.learner.model_step
        self.learner.replay_batch()
        self.num_replayed += (self.learner.model_step - step) * self.learner.config.batch_size

    def moved_item_vectors(self) -> Iterator[dict[int, list[EncodedRecord]]]:
        """Records by partition, for items that moved; in pieces of some milliseconds, between which anything may be."""
        return self._item_vectors.collect() if self._item_vectors else iter(())

    def nearest_items(self, vector: Array, k: int) -> list[tuple[str, float]]:
        """The `k` items nearest to a vector `[dim]`, the nearest first, and their cosines; changes nothing."""
        return self._item_vectors.nearest(vector, k) if self._item_vectors else []

    def parts(self) -> dict[str, Saved]:
        """What the state is saved as."""
        return joined({"learner": self.learner.parts(), "updater": self.updater.parts()})

    def take_changes(self) -> tuple[list[StateChanges], Manifest]:
        """What changed since the last time, to be applied in order, and what the state is now; copies.

        A batch that has been begun is learned to its end before.
        """
        if self._begun is not None:
            self.learn_batch()
        last = joined({name: part.changes() for name, part in self.parts().items()})
        changes, self._taken_ahead = [*self._taken_ahead, last], []
        return changes, self._manifest()

    def not_saved(self, changes: Sequence[StateChanges]) -> None:
        """Changes that were taken are in no checkpoint: bring them again next time."""
        for name, part in self.parts().items():
            for some in changes:
                part.not_saved(part_of(some, name))

    def take_ahead(self) -> None:
        """Copy some changed rows before the checkpoint asks, so that its pause does not grow with the load."""
        many = {name: part for name, part in self.parts().items() if part.tracker.num_marked > 2 * ROWS_AHEAD}
        if many:
            self._taken_ahead.append(joined({name: part.changed_rows(ROWS_AHEAD) for name, part in many.items()}))

    def _manifest(self) -> Manifest:
        offsets: dict[str, dict[int, int]] = {}
        for tp, offset in self.updater.next_offsets.items():
            offsets.setdefault(tp.topic, {})[tp.partition] = offset
        return Manifest(
            version=MANIFEST_VERSION,
            saved_at_ms=int(time.time() * 1000),
            model_step=self.learner.model_step,
            next_offsets=offsets,
            ledger={topic: entry.counts() for topic, entry in self.updater.ledger.items()},
            fingerprint=fingerprint(self._settings),
            incarnation=self._incarnation,
            num_erasures=self.updater.num_erasures,
        )

    def status(self, state: WorkerState, *, queued: int, updates: int) -> WorkerStatus:
        """The counts of this state; what the engine cannot know is given.

        Args:
            state: what the worker is doing.
            queued: records in the intake.
            updates: interest updates sent.
        """
        total = TopicLedger()
        for entry in self.updater.ledger.values():
            total = total.plus(entry)
        return WorkerStatus(
            state,
            records=total.records,
            events=total.admitted,
            refused=total.refused,
            duplicates=total.duplicates,
            late=total.late,
            erased=total.erased,
            floods=total.floods,
            updates=updates,
            queued=queued,
            learned=self.num_learned,
            replayed=self.num_replayed,
            model_step=self.learner.model_step,
            loss=self.last_loss,
            step_ms=self.last_step_ms,
            recompiles=self.recompiles,
            **_quality(self.learner.prequential),
        )

    def progress(self) -> tuple[int, dict[TP, int]]:
        """Records applied so far, and the next offsets; may be called from any thread."""
        entries = list(self.updater.ledger.values())
        return sum(entry.records for entry in entries), dict(self.updater.next_offsets)

    @property
    def recompiles(self) -> int:
        """Compilations since `compile`; anything but 0 is a bug."""
        return self._compilations - self._compilations_at_start

    @property
    def _compilations(self) -> int:
        return self.learner.compilations + num_compiled()


def _quality(prequential: PrequentialMetrics) -> dict[str, float]:
    """Recall and MRR over all predictions so far; empty before the first."""
    scores = prequential.total
    if not scores.num_predictions:
        return {}
    recalls = {f"{ranker}_recall_at_20": scores.recall(ranker, 20) for ranker in ("vector", "counting", "popularity")}
    return {"recall_at_20": scores.recall("mixture", 20), "mrr_at_20": scores.mrr("mixture", 20), **recalls}


def updater_policy(settings: Settings) -> UpdaterPolicy:
    """The updater's slice of the settings."""
    return UpdaterPolicy(
        window_size=settings.window_size,
        encoder_window=settings.encoder_window,
        max_users=settings.max_users,
        max_erasures=settings.max_erasures,
        admission=admission_policy(settings),
        emission=EmissionPolicy(settings.long_term_ms, settings.update_min_distance),
        is_learning=settings.learning,
        top_items=top_items_policy(settings),
        values=ValuePolicy(settings.value_outlier_deviations, settings.value_quantiles),
        value_filter=settings.value_filter,
    )


def top_items_policy(settings: Settings) -> TopItemsPolicy:
    """What recommendations are like unless a caller wants them otherwise."""
    return TopItemsPolicy(settings.top_items, settings.top_items_leave_out, settings.top_items_diversity)


def admission_policy(settings: Settings) -> AdmissionPolicy:
    """What agents and updater must agree on."""
    return AdmissionPolicy(settings.allowed_lateness_ms, settings.max_future_ms, settings.max_events_per_minute)


def next_offsets(manifest: Manifest) -> dict[TP, int]:
    """Where a checkpoint says to read on."""
    return {
        TP(topic, partition): offset
        for topic, of_partition in manifest.next_offsets.items()
        for partition, offset in of_partition.items()
    }


def fingerprint(settings: Settings) -> dict[str, Any]:
    """The settings that a saved state cannot do without."""
    values = {name: getattr(settings, name) for name in FINGERPRINT}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def check_fingerprint(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that was made with other settings.

    Raises:
        ConfigError: says which differ.
    """
    differing = [
        f"{name} was {saved.get(name)!r} and is {current[name]!r}"
        for name in current
        if saved.get(name) != current[name]
    ]
    if differing:
        raise ConfigError(
            f"the checkpoint was made with other settings: {'; '.join(differing)}; "
            "set them back, or start afresh with another checkpoint_dir"
        )
