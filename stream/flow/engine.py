"""Everything the model thread owns, joined: learner, users and item vectors, and how they are saved together."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from faust.types import TP

from checkpoints.manifest import MANIFEST_VERSION, Manifest
from models.evaluation import PrequentialMetrics
from models.learner import OnlineLearner
from stream.errors import ConfigError
from stream.flow.intake import Chunk
from stream.flow.item_vectors import ItemVectorFeed
from stream.flow.ledger import TopicLedger
from stream.flow.record_encoder import RecordEncoder
from stream.flow.updater import Outcome, Updater, UpdaterPolicy
from stream.records.updates import EncodedRecord
from stream.settings import Settings
from stream.status import WorkerState, WorkerStatus
from stream.users.admission import AdmissionPolicy
from stream.users.interests import EmissionPolicy
from stream.users.rows import Array

VERSIONS_PER_INCARNATION = 2**34  # micro-batches: 5 years at 100 a second; 2^19 restarts fit below JavaScript's 2^53

FINGERPRINT = (
    "encoder",
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
    """The live state of a worker. All calls come from one thread.

    Args:
        settings: of the worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._encoder = RecordEncoder(settings.update_format)
        self.learner = OnlineLearner(settings.learner())
        self.updater = Updater(updater_policy(settings), self.learner, self._encoder)
        self._item_vectors: ItemVectorFeed | None = None
        self._compilations_at_start = 0
        self.num_learned = 0
        self.num_replayed = 0
        self.last_loss: float | None = None

    def restore(self, state: Mapping[str, Array], manifest: Manifest) -> None:
        """Put back what `snapshot` gave.

        Raises:
            ConfigError: it was made with settings that these cannot bear.
        """
        check_fingerprint(manifest.fingerprint, fingerprint(self._settings))
        self.learner.restore(_below("learner/", state))
        self.updater.restore(_below("updater/", state))
        self.updater.ledger = {topic: TopicLedger(**entry) for topic, entry in manifest.ledger.items()}
        self.updater.next_offsets = next_offsets(manifest)

    def compile(self) -> None:
        """Compile every shape; needs no state, changes none."""
        self.learner.compile()
        self._compilations_at_start = self.learner.compilations

    def begin(self, incarnation: int) -> None:
        """Be ready for the first micro-batch; call once, after `restore`.

        Args:
            incarnation: how many processes have owned this state, this one included; update versions start from it.
        """
        self.updater.version = incarnation * VERSIONS_PER_INCARNATION
        self._item_vectors = ItemVectorFeed(
            self.learner,
            self._encoder,
            min_distance=self._settings.item_vector_min_distance,
            num_partitions=self._settings.partitions,
        )

    def process(self, chunks: Sequence[Chunk]) -> Outcome:
        """One micro-batch."""
        return self.updater.process(chunks)

    def learn_batch(self) -> None:
        """Learn the oldest pending examples."""
        if report := self.learner.learn_batch():
            self.num_learned += report.num_events
            self.last_loss = report.loss

    def replay_batch(self) -> None:
        """Learn past examples again."""
        step = self.learner.model_step
        self.learner.replay_batch()
        self.num_replayed += (self.learner.model_step - step) * self.learner.config.batch_size

    def moved_item_vectors(self) -> dict[int, list[EncodedRecord]]:
        """Records by partition, for items that moved."""
        return self._item_vectors.collect() if self._item_vectors else {}

    def snapshot(self) -> tuple[dict[str, Array], Manifest]:
        """A consistent copy of the whole state."""
        state = {f"learner/{name}": array for name, array in self.learner.state().items()}
        state |= {f"updater/{name}": array for name, array in self.updater.state().items()}
        offsets: dict[str, dict[int, int]] = {}
        for tp, offset in self.updater.next_offsets.items():
            offsets.setdefault(tp.topic, {})[tp.partition] = offset
        manifest = Manifest(
            version=MANIFEST_VERSION,
            saved_at_ms=int(time.time() * 1000),
            model_step=self.learner.model_step,
            next_offsets=offsets,
            ledger={topic: entry.counts() for topic, entry in self.updater.ledger.items()},
            fingerprint=fingerprint(self._settings),
        )
        return state, manifest

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
            updates=updates,
            queued=queued,
            learned=self.num_learned,
            replayed=self.num_replayed,
            model_step=self.learner.model_step,
            loss=self.last_loss,
            recompiles=self.recompiles,
            **_quality(self.learner.prequential),
        )

    @property
    def recompiles(self) -> int:
        """Compilations since `compile`; anything but 0 is a bug."""
        return self.learner.compilations - self._compilations_at_start


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
        admission=admission_policy(settings),
        emission=EmissionPolicy(settings.long_term_ms, settings.update_min_distance),
    )


def admission_policy(settings: Settings) -> AdmissionPolicy:
    """What agents and updater must agree on."""
    return AdmissionPolicy(settings.allowed_lateness_ms, settings.max_future_ms)


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


def _below(prefix: str, state: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
