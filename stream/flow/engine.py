"""Everything the model thread owns, joined: learner, users and item vectors, and how they are saved together."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from faust.types import TP

from checkpoints.manifest import MANIFEST_VERSION, Manifest
from models.compiled import num_compiled
from models.config import ModelConfig
from models.device.sharding import DevicesError
from models.learner import OnlineLearner
from models.quality.evaluation import PrequentialMetrics
from models.saving import Array, Change, Saved, State, joined, part_of
from stream.errors import ConfigError
from stream.flow.intake import Chunk
from stream.flow.item_vectors import ItemVectorFeed
from stream.flow.ledger import TopicLedger
from stream.flow.manifests import by_topic, check_fingerprint, fingerprint, next_offsets
from stream.flow.outcome import Outcome
from stream.flow.record_encoder import RecordEncoder
from stream.flow.slices import top_items_policy, updater_policy
from stream.flow.teacher import Teacher
from stream.flow.top_items import TopItems
from stream.flow.updater import Updater
from stream.records.packed_records import PackedRecords
from stream.records.plain_events import compile_reading
from stream.records.record_batch import compile_layout
from stream.settings import Settings
from stream.status import WorkerState, WorkerStatus

VERSIONS_PER_INCARNATION = 2**34  # micro-batches: 5 years at 100 a second; 2^19 restarts fit below JavaScript's 2^53

ROWS_AHEAD = 2_048  # of each part: users of 1.5 KB make 3 MB, which are copied in about 3 ms
SHARE_AHEAD = 1 / 8  # or so much of what has changed, so that twenty micro-batches take nearly all, however much it is

StateChanges = dict[str, Change]

R = TypeVar("R")


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
        self.teacher = Teacher(self.learner)
        self.updater = Updater(updater_policy(settings), self.learner, self._encoder)
        self._item_vectors: ItemVectorFeed | None = None
        self._compilations_at_start = 0
        self._taken_ahead: list[StateChanges] = []
        self._incarnation = 0

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
        compile_layout()
        compile_reading()
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

    def process(self, chunks: Sequence[Chunk]) -> Outcome:
        """One micro-batch, as `Updater.process`."""
        return self.updater.process(chunks)

    def begin_to_process(self, chunks: Sequence[Chunk]) -> Outcome:
        """One micro-batch, as `Updater.begin`."""
        return self.updater.begin(chunks)

    def complete(self, *, but: int = 0) -> None:
        """Let outcomes have their updates, as `Updater.complete`."""
        self.updater.complete(but=but)

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

    def moved_item_vectors(self) -> Iterator[dict[int, PackedRecords]]:
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
        self.updater.complete()
        self.teacher.end_batch()
        last = joined({name: part.changes() for name, part in self.parts().items()})
        changes, self._taken_ahead = [*self._taken_ahead, last], []
        return changes, self.manifest()

    def not_saved(self, changes: Sequence[StateChanges]) -> None:
        """Changes that were taken are in no checkpoint: bring them again next time."""
        for name, part in self.parts().items():
            for some in changes:
                part.not_saved(part_of(some, name))

    def take_ahead(self) -> None:
        """Copy some changed rows before the checkpoint asks, so that its pause does not grow with the load."""
        self.updater.complete()
        many = {name: part for name, part in self.parts().items() if part.tracker.num_marked > 2 * ROWS_AHEAD}
        if many:
            self._taken_ahead.append(joined({name: part.changed_rows(_num_ahead(part)) for name, part in many.items()}))

    def manifest(self) -> Manifest:
        """What a checkpoint of now would say of itself."""
        return Manifest(
            version=MANIFEST_VERSION,
            saved_at_ms=int(time.time() * 1000),
            model_step=self.learner.model_step,
            next_offsets=by_topic(self.updater.next_offsets),
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
            learned=self.teacher.num_learned,
            replayed=self.teacher.num_replayed,
            model_step=self.learner.model_step,
            loss=self.teacher.last_loss,
            step_ms=self.teacher.last_step_ms,
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


def _num_ahead(part: Saved) -> int:
    return max(ROWS_AHEAD, int(SHARE_AHEAD * part.tracker.num_marked))


def _quality(prequential: PrequentialMetrics) -> dict[str, float]:
    """Recall and MRR over all predictions so far; empty before the first."""
    scores = prequential.total
    if not scores.num_predictions:
        return {}
    recalls = {f"{ranker}_recall_at_20": scores.recall(ranker, 20) for ranker in ("vector", "counting", "popularity")}
    return {"recall_at_20": scores.recall("mixture", 20), "mrr_at_20": scores.mrr("mixture", 20), **recalls}
