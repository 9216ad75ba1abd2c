"""Where the microseconds of an event go, from its bytes to the bytes of its update, and in learning from it.

    .venv/bin/python -m tests.benchmark.profile_event [--events 60000] [--users 100000] [--items 50000]

No broker: `tests.benchmark.throughput` has fetching and sending. One thread, so that a figure is a share of one core.
A line includes what it calls, and the wait for the device; those that are indented are parts of the one above them.
The last line is processor time, without the profiler: it hardly depends on what else runs on the machine.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from faust.types import TP

from stream.flow.agents import CHUNK_RECORDS, decode_chunk
from stream.flow.engine import Engine
from stream.flow.intake import Chunk
from stream.flow.slices import admission_policy
from stream.records.fetched_records import FetchedRecords, read_batches
from stream.records.packed_records import PackedRecords
from stream.records.record_batch import Origin, record_batch
from stream.records.updates import EncodedRecord
from stream.settings import Settings
from tests.benchmark.process import set_up_as_worker
from tests.benchmark.shop import Record, Shop

LINES = (  # label, file's end, function
    ("decode", "flow/agents.py", "decode_chunk"),
    ("micro-batch", "flow/engine.py", "process"),
    ("  columns", "flow/columns.py", "of_chunks"),
    ("  users, duplicates, lateness", "flow/updater.py", "_judge"),
    ("  ledger", "flow/updater.py", "_enter_in_ledger"),
    ("  items and queries to slots", "flow/updater.py", "_resolve_subjects"),
    ("  windows", "users/windows.py", "push"),
    ("  hand examples over", "models/learner.py", "add"),
    ("  begin to encode", "models/serving/reader.py", "begin_reading"),
    ("  wait for it (device)", "models/serving/reader.py", "reading"),
    ("  long-term interest, drift", "users/interests.py", "advance"),
    ("updates to bytes", "flow/record_encoder.py", "updates"),
    ("learn", "flow/teacher.py", "learn_batch"),
    ("  rank a sample (device)", "models/serving/ranker.py", "ranking"),
    ("  new items start (device)", "models/learner.py", "_start_items"),
    ("  gate's batch and step", "models/learner.py", "_teach_gate"),
    ("  network's batch and step", "models/learner.py", "_step"),
    ("  counting memory, replay ring", "models/learner.py", "_remember"),
    ("item vectors that moved", "flow/item_vectors.py", "collect"),
)

TOLD_EVERY = 16_384  # events of about a second: item vectors that moved

Fetch = Sequence[tuple[TP, int, FetchedRecords]]  # of a micro-batch: where records come from, their kind, and they


def ready_engine(settings: Settings) -> Engine:
    """An engine without any state, compiled; call once in a process, before anything is computed."""
    set_up_as_worker(settings)
    engine = Engine(settings)
    engine.compile()
    engine.begin(1)
    return engine


def fetch(records: Sequence[Record], settings: Settings, first_offset: int = 0) -> Fetch:
    """A micro-batch as it is when it has been fetched, all of a topic in a batch."""
    runs = []
    now_ms = int(time.time() * 1000)
    for topic, kind in settings.kind_of_topic.items():
        own = PackedRecords.of(EncodedRecord(key, value) for of_kind, key, value in records if of_kind == kind)
        if len(own):
            batch = record_batch(own, Origin(0, 0, 0), now_ms, max_bytes=2**31)
            read = read_batches(bytes(batch.content), 0, check_crc=True)
            assert read, "what we lay out ourselves is not compressed"
            runs.append((TP(topic, first_offset % settings.partitions), kind, read[0]))
    return runs


def fetches(records: Iterator[Record], settings: Settings) -> list[Fetch]:
    """All micro-batches of so many records."""
    size = settings.micro_batch_size
    in_turn = iter(lambda: list(islice(records, size)), [])
    return [fetch(some, settings, number * size) for number, some in enumerate(in_turn)]


def decoded(fetched: Fetch, settings: Settings) -> list[Chunk]:
    """As the agents would hand it over."""
    policy, now_ms = admission_policy(settings), int(time.time() * 1000)
    return [
        decode_chunk(tp, kind, records[start : start + CHUNK_RECORDS], policy, now_ms)
        for tp, kind, records in fetched
        for start in range(0, len(records), CHUNK_RECORDS)
    ]


def drain(engine: Engine, settings: Settings, micro_batches: Iterable[Fetch]) -> None:
    """What the flow does under load: a micro-batch, then learning until little waits."""
    for number, fetched in enumerate(micro_batches):
        outcome = engine.process(decoded(fetched, settings))
        _ = outcome.updates
        while engine.learner.num_pending >= settings.learn_batch_size:
            engine.teacher.learn_batch(is_behind=True)
        if number * settings.micro_batch_size % TOLD_EVERY < settings.micro_batch_size:
            for _ in engine.moved_item_vectors():
                pass


def table(stats: pstats.Stats, events: int) -> list[tuple[str, float]]:
    """Microseconds an event, by line."""
    lines = []
    for label, file, function in LINES:
        entries: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = stats.stats  # type: ignore[attr-defined]
        spent = sum(entry[3] for (path, _, name), entry in entries.items() if path.endswith(file) and name == function)
        lines.append((label, 1e6 * spent / events))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--dump", help="where to keep the profile, for snakeviz and the like")
    asked = parser.parse_args()
    settings = Settings.load()
    engine = ready_engine(settings)
    records = Shop(asked.users, asked.items).records(2 * asked.events, int(time.time() * 1000) - 2 * asked.events)
    drain(engine, settings, fetches(islice(records, asked.events), settings))  # users and items get their places
    half = asked.events // 2
    plain, profiled = fetches(islice(records, half), settings), fetches(islice(records, half), settings)
    began_s = time.process_time()
    drain(engine, settings, plain)
    spent = 1e6 * (time.process_time() - began_s) / half
    profile = cProfile.Profile()
    profile.runcall(drain, engine, settings, profiled)
    stats = pstats.Stats(profile)
    if asked.dump:
        stats.dump_stats(asked.dump)
    for label, of_line in table(stats, half):
        print(f"{label:<34}{of_line:8.1f} us")
    print(f"{'all of it, of the processor':<34}{spent:8.1f} us, {1e6 / spent:,.0f} events/s of one core")


if __name__ == "__main__":
    main()
