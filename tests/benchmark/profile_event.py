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
from dataclasses import dataclass
from itertools import islice

from faust.types import TP

from stream.flow.agents import decode_chunk
from stream.flow.engine import Engine
from stream.flow.intake import Chunk
from stream.flow.slices import admission_policy
from stream.settings import Settings
from tests.benchmark.process import set_up_as_worker
from tests.benchmark.shop import Shop

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


@dataclass(frozen=True)
class Record:
    """A consumed record."""

    key: bytes
    value: bytes
    topic: str
    partition: int
    offset: int
    timestamp: int


def ready_engine(settings: Settings) -> Engine:
    """An engine without any state, compiled; call once in a process, before anything is computed."""
    set_up_as_worker(settings)
    engine = Engine(settings)
    engine.compile()
    engine.begin(1)
    return engine


def chunks_of(records: list[tuple[int, bytes, bytes]], settings: Settings, first_offset: int) -> list[Chunk]:
    """A micro-batch as the agents would hand it over: decoded, a chunk a topic."""
    chunks = []
    now_ms = int(time.time() * 1000)
    for topic, kind in settings.kind_of_topic.items():
        own = [Record(key, value, topic, 0, 0, now_ms) for of_kind, key, value in records if of_kind == kind]
        if own:
            tp = TP(topic, first_offset % settings.partitions)
            chunks.append(decode_chunk(tp, kind, own, admission_policy(settings), now_ms))
    return chunks


def drain(engine: Engine, settings: Settings, records: list[tuple[int, bytes, bytes]]) -> None:
    """What the flow does under load: a micro-batch, then learning until little waits."""
    size = settings.micro_batch_size
    for start in range(0, len(records), size):
        outcome = engine.process(chunks_of(records[start : start + size], settings, start))
        _ = outcome.updates
        while engine.learner.num_pending >= settings.learn_batch_size:
            engine.teacher.learn_batch(is_behind=True)
        if start % TOLD_EVERY < size:
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
    drain(engine, settings, list(islice(records, asked.events)))  # users and items get their places
    half = asked.events // 2
    began_s = time.process_time()
    drain(engine, settings, list(islice(records, half)))
    spent = 1e6 * (time.process_time() - began_s) / half
    measured = list(records)
    profile = cProfile.Profile()
    profile.runcall(drain, engine, settings, measured)
    stats = pstats.Stats(profile)
    if asked.dump:
        stats.dump_stats(asked.dump)
    for label, of_line in table(stats, len(measured)):
        print(f"{label:<34}{of_line:8.1f} us")
    print(f"{'all of it, of the processor':<34}{spent:8.1f} us, {1e6 / spent:,.0f} events/s of one core")


if __name__ == "__main__":
    main()
