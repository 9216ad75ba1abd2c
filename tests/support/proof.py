"""Holds what a worker has left behind against what the input log says: state, commits and both output topics."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from faust.types import TP
from kafka import KafkaConsumer, TopicPartition

from checkpoints.manifest import Manifest
from checkpoints.store import CheckpointStore
from models.inputs.features import KINDS
from models.items.queries import normalise
from stream.broker.dead_letter_box import read_dead_letters
from stream.broker.topic_reader import TopicReader
from stream.flow.audit import Judged, in_order_of_arrival, judge_log, ledger_of
from stream.flow.engine import Engine
from stream.flow.ledger import TopicLedger
from stream.flow.manifests import next_offsets
from stream.flow.slices import admission_policy
from stream.flow.updater import Updater, WindowEvent
from stream.records.events import KIND_OF_EVENT_CLASS, Search
from stream.records.updates import decode_update
from stream.settings import Settings
from stream.users.admission import Verdict


@dataclass(frozen=True)
class InputLog:
    """All records of the input topics, by partition."""

    settings: Settings
    partitions: Mapping[TP, list[Any]]

    @classmethod
    def read(cls, settings: Settings) -> "InputLog":
        """What the broker has now."""
        partitions = defaultdict(list)
        for topic in settings.input_topics:
            with TopicReader(settings.broker, topic, from_beginning=True) as reader:
                for record in reader.until_end():
                    partitions[TP(topic, record.partition)].append(record)
        return cls(settings, partitions)

    def judged(self, ends: Mapping[TP, int] | None = None) -> Iterator[Judged]:
        """What must become of each record; only of those below `ends` where it is given."""
        logs = [
            [record for record in records if ends is None or record.offset < ends.get(tp, 0)]
            for tp, records in self.partitions.items()
        ]
        policy = admission_policy(self.settings)
        return judge_log(in_order_of_arrival(logs), self.settings.kind_of_topic, policy)

    def fates(self) -> dict[str, int]:
        """How many records become what."""
        return dict(Counter("refused" if j.verdict is None else j.verdict.name.lower() for j in self.judged()))

    @property
    def ends(self) -> dict[TP, int]:
        """Next offsets of a state that has read everything."""
        return {tp: records[-1].offset + 1 for tp, records in self.partitions.items() if records}


def manifest_of(settings: Settings) -> Manifest | None:
    """The newest checkpoint's; the worker must have ended."""
    store = CheckpointStore(settings.checkpoint_dir, settings.checkpoints_kept)
    number = store.latest()
    return None if number is None else store.manifest(number)


def ledger_in(manifest: Manifest) -> dict[str, TopicLedger]:
    """The ledger of a checkpoint; topics without a record are left out."""
    ledger = {topic: TopicLedger(**counts) for topic, counts in manifest.ledger.items()}
    return {topic: entry for topic, entry in ledger.items() if entry.records}


def restored(settings: Settings) -> Updater:
    """The state in the newest checkpoint; the worker must have ended."""
    store = CheckpointStore(settings.checkpoint_dir, settings.checkpoints_kept)
    engine = Engine(settings)
    newest = store.restore()
    assert newest is not None
    engine.restore(newest.state, newest.manifest)
    return engine.updater


def windows_of(judged: Iterable[Judged], size: int) -> dict[str, list[WindowEvent]]:
    """Each user's window by definition: admitted events sorted by time, then kind, then arrival; the newest `size`."""
    events = defaultdict(list)
    for number, (_, event, verdict, _) in enumerate(judged):
        if event is not None and verdict is Verdict.ADMITTED:
            kind = KIND_OF_EVENT_CLASS[type(event)]
            subject = normalise(event.query) if isinstance(event, Search) else event.item_id
            events[event.user_id].append((event.time_ms, kind, number, subject))
    return {
        user: [WindowEvent(KINDS[kind], subject, time_ms) for time_ms, kind, _, subject in sorted(of_user)[-size:]]
        for user, of_user in events.items()
    }


def committed(settings: Settings) -> dict[TP, int]:
    """Next offsets that the worker's group has committed."""
    consumer = KafkaConsumer(bootstrap_servers=settings.broker, group_id=settings.app_id)
    try:
        tps = [TP(topic, p) for topic in settings.input_topics for p in range(settings.partitions)]
        offsets = {tp: consumer.committed(TopicPartition(*tp)) for tp in tps}
    finally:
        consumer.close()
    return {tp: offset for tp, offset in offsets.items() if offset is not None}


def check_commits_are_in_the_checkpoint(settings: Settings) -> Manifest | None:
    """No offset is committed that the newest checkpoint does not contain; returns its manifest."""
    manifest = manifest_of(settings)
    contained = next_offsets(manifest) if manifest else {}
    ahead = {tp: offset for tp, offset in committed(settings).items() if offset > contained.get(tp, 0)}
    assert ahead == {}, f"committed beyond the checkpoint, which has {contained}"
    return manifest


def check_ledgers(manifests: Iterable[Manifest], log: InputLog) -> None:
    """Each checkpoint's ledger is that of the log up to its next offsets."""
    for manifest in manifests:
        assert ledger_in(manifest) == ledger_of(log.judged(next_offsets(manifest)))


def check_state(settings: Settings, log: InputLog) -> None:
    """The newest checkpoint contains all of the log, each record once."""
    updater = restored(settings)
    assert {tp: updater.next_offsets.get(tp) for tp in log.ends} == log.ends
    assert updater.ledger == ledger_of(log.judged())
    windows = windows_of(log.judged(), settings.window_size)
    differing = {user for user, window in windows.items() if updater.window_of(user) != window}
    assert differing == set(), f"{len(differing)} of {len(windows)} windows differ"


def check_updates(settings: Settings, log: InputLog) -> None:
    """Versions grow in the topic's own order, a user has one partition, and its newest update counts its events."""
    version_of: dict[str, int] = {}
    partition_of: dict[str, int] = {}
    counted: dict[str, int] = {}
    with TopicReader(settings.broker, settings.updates, from_beginning=True) as reader:
        for record in reader.until_end():
            assert record.key is not None
            assert record.value is not None
            update = decode_update(record.key, record.value, record.headers)
            assert update.version > version_of.get(update.user_id, -1), f"{update.user_id} at offset {record.offset}"
            assert partition_of.setdefault(update.user_id, record.partition) == record.partition
            version_of[update.user_id], counted[update.user_id] = update.version, update.num_events
    admitted = Counter(j.event.user_id for j in log.judged() if j.event and j.verdict is Verdict.ADMITTED)
    assert counted == dict(admitted)


def check_dead_letters(settings: Settings, log: InputLog) -> None:
    """One for each record that cannot be used, and no other, once copies are dropped."""
    letters = {letter.source: letter.reason for letter in read_dead_letters(settings.broker, settings.dead_letters)}
    refused = {f"{j.record.topic}/{j.record.partition}/{j.record.offset}": j.reason for j in log.judged() if j.reason}
    assert letters == refused


def check_everything(settings: Settings, log: InputLog) -> None:
    """All of the above, for a worker that has read everything and has stopped."""
    check_commits_are_in_the_checkpoint(settings)
    check_state(settings, log)
    check_updates(settings, log)
    check_dead_letters(settings, log)
