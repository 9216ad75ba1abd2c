"""On a CPU, with the same micro-batches and the same calls: saved, restored and gone on is as if nothing had been."""

from pathlib import Path

import msgspec
import numpy as np
from faust.types import TP

from checkpoints.store import CheckpointStore
from models.saving import state_of
from stream.flow.agents import decode_chunk
from stream.flow.engine import Engine
from stream.flow.intake import Chunk
from stream.records.events import Event, encode_event
from stream.records.updates import EncodedRecord
from tests.support.builders import A_POLICY, NOW_MS, TOPIC_OF_KIND, ARecord, a_click, a_purchase, a_search
from tests.support.small_world import SETTINGS

MICRO_BATCHES = 8
EVENTS = 12  # of a micro-batch; with 16 examples a learning batch, some are padded and some wait


def a_micro_batch(number: int) -> list[Chunk]:
    """A chunk of each kind, the same for the same number."""
    random = np.random.default_rng(number)
    chunks = []
    for kind, topic in TOPIC_OF_KIND.items():
        events = [an_event(kind, random, NOW_MS - 1_000 + number * EVENTS + i) for i in range(EVENTS // 3)]
        first = number * len(events)
        records = [
            ARecord(value, key, topic, offset=first + i) for i, (key, value) in enumerate(map(encode_event, events))
        ]
        chunks.append(decode_chunk(TP(topic, 0), kind, records, A_POLICY, NOW_MS))
    return chunks


def an_event(kind: int, random: np.random.Generator, time_ms: int) -> Event:
    user, item = random.integers(0, [5, 100]).tolist()  # more items than slots, so that some are recycled
    return (a_click, a_purchase, a_search)[kind](f"u{user}", f"i{item}", time_ms)


def go_on(engine: Engine, first: int, end: int) -> list[EncodedRecord]:
    """The fixed schedule: after each micro-batch a batch is learned, after every other one past events again."""
    sent: list[EncodedRecord] = []
    for number in range(first, end):
        for _, records in sorted(engine.process(a_micro_batch(number)).updates.items()):
            sent += records
        engine.teacher.learn_batch()
        if number % 2:
            engine.teacher.replay_batch()
    return sent


def differing(one: Engine, other: Engine) -> list[str]:
    """Names of the arrays in which two engines differ by a bit."""
    left, right = state_of(one.parts()), state_of(other.parts())
    assert left.keys() == right.keys()
    return [name for name in left if not _is_same(left[name], right[name])]


def _is_same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    return one == other


def test_saved_killed_and_restored_gives_the_same_bits_as_undisturbed(tmp_path: Path):
    steady, at, store = Engine(SETTINGS), 0, CheckpointStore(tmp_path, kept=2)
    steady.begin(incarnation=1)
    for stop in (1, 4, 6):
        go_on(steady, at, stop)
        store.save(*steady.take_changes())
        at = stop
    undisturbed = go_on(steady, at, MICRO_BATCHES)  # to another process that is killed, this is lost

    restored, saved = Engine(SETTINGS), CheckpointStore(tmp_path, kept=2).restore()
    assert saved is not None
    restored.restore(saved.state, saved.manifest)
    restored.begin(incarnation=2)
    again = go_on(restored, at, MICRO_BATCHES)

    assert differing(steady, restored) == []
    assert without_version(again) == without_version(undisturbed)


def without_version(records: list[EncodedRecord]) -> list[dict[str, object]]:
    """What is in the updates but for the version, which grows with every process."""
    return [{k: v for k, v in msgspec.json.decode(r.value or b"").items() if k != "version"} for r in records]
