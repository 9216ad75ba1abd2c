"""The sinks between a real Kafka and real stores: what the topics hold is what the store holds, whatever dies."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import psycopg
import pytest
import redis
from kafka import KafkaProducer

from stream.broker.topics import TopicNames, create_topics
from stream.errors import ConfigError
from stream.records.updates import (
    EncodedRecord,
    InterestUpdate,
    ItemVector,
)
from stream.settings import Settings
from stream.sinks.changes import Changes
from stream.sinks.follower import TRUSTED_FOR_MS, Follower, SinkStatus
from stream.sinks.output_log import OutputLog
from stream.sinks.pgvector import PgvectorDestination
from stream.sinks.redis import RedisDestination
from tests.support.command import run_command
from tests.support.kafka import ROOT, Kafka
from tests.support.records import binary_update, encode_item_vector, encode_update
from tests.support.stores import NoStoreError, PostgresServer, RedisServer

HALF = [0.5, -0.5, 0.5, 0.5]
PREFIX = "t*:"  # a prefix that is no pattern


class InRedis:
    """What a sink wrote there."""

    def __init__(self, server: RedisServer) -> None:
        self.server, self.name = server, "redis"
        self.flags = ("--url", server.url, "--prefix", PREFIX)

    def destination(self) -> RedisDestination:
        return RedisDestination(self.server.url, PREFIX)

    def users(self) -> dict[str, int]:
        return {name: int(self.get(f"user:{name}", "version")) for name in self._ids("user:")}

    def items(self) -> list[str]:
        return self._ids("item:")

    def get(self, key: str, field: str) -> bytes:
        with redis.Redis.from_url(self.server.url) as client:
            return client.hget(PREFIX + key, field) or b""

    def _ids(self, kind: str) -> list[str]:
        with redis.Redis.from_url(self.server.url) as client:
            keys = client.keys(PREFIX.replace("*", "\\*") + kind + "*")
        return sorted(key.decode().removeprefix(PREFIX + kind) for key in keys)

    def clear(self) -> None:
        with redis.Redis.from_url(self.server.url) as client:
            client.flushall()


class InPostgres:
    """What a sink wrote there."""

    def __init__(self, server: PostgresServer) -> None:
        self.server, self.name = server, "pgvector"
        self.flags = ("--url", server.url, "--schema", "shop")

    def destination(self) -> PgvectorDestination:
        return PgvectorDestination(self.server.url, "shop")

    def users(self) -> dict[str, int]:
        return dict(self.ask("SELECT user_id, version FROM shop.users"))

    def items(self) -> list[str]:
        return [item for (item,) in self.ask("SELECT item_id FROM shop.items ORDER BY item_id")]

    def ask(self, query: str) -> list[Any]:
        with psycopg.connect(self.server.url) as db:
            return db.execute(query).fetchall()

    def clear(self) -> None:
        with psycopg.connect(self.server.url) as db:
            db.execute("DROP SCHEMA IF EXISTS shop CASCADE")


Store = InRedis | InPostgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[InPostgres]:
    server = started(PostgresServer)
    yield InPostgres(server)
    server.close()


@pytest.fixture(scope="module")
def in_redis() -> Iterator[InRedis]:
    server = started(RedisServer)
    yield InRedis(server)
    server.close()


def started(start: Callable[[], Any]) -> Any:
    try:
        return start()
    except NoStoreError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(params=["in_redis", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    found = request.getfixturevalue(request.param)
    found.clear()
    return found


@pytest.fixture
def settings(kafka: Kafka, topic_prefix: str) -> Settings:
    settings = Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix, partitions=2)
    create_topics(settings)
    return settings


def an_update(user: str, version: int) -> InterestUpdate:
    return InterestUpdate(1, user, version, 1_000, 7, HALF, HALF, 0.25, version, [("i1", 0.5)])


def send(settings: Settings, *records: InterestUpdate | ItemVector | str | EncodedRecord) -> None:
    """Updates, item vectors, and the names of users to erase."""
    producer: Any = KafkaProducer(bootstrap_servers=settings.broker)
    for one in records:
        topic = settings.item_vectors if isinstance(one, ItemVector) else settings.updates
        record = encoded(one)
        producer.send(topic, key=record.key, value=record.value, headers=list(record.headers))
    producer.close()


def encoded(one: InterestUpdate | ItemVector | str | EncodedRecord) -> EncodedRecord:
    if isinstance(one, str):
        return EncodedRecord(one.encode(), None)
    if isinstance(one, ItemVector):
        return encode_item_vector(one)
    return encode_update(one) if isinstance(one, InterestUpdate) else one


def follow(
    settings: Settings,
    store: Store,
    is_over: Callable[[SinkStatus], bool] = lambda status: status.state == "following",
    *,
    owner: str = "ours",
    later_ms: int = 0,
    rebuild: bool = False,
) -> SinkStatus:
    log, destination = OutputLog(settings.broker, TopicNames.of(settings)), store.destination()
    try:
        follower = Follower(log, destination, owner, rebuild, clock_ms=lambda: 1_800_000_000_000 + later_ms)
        follower.run(is_over)
    finally:
        destination.close()
        log.close()
    return follower.status


def test_the_newest_of_every_user_and_item_is_there_and_the_erased_are_not(settings: Settings, store: Store):
    send(settings, an_update("ann", 2), an_update("ann", 1), an_update("bob", 1), "bob", an_update("bob", 1), "carl")
    send(settings, an_update("dora", 3), "dora", ItemVector(1, "i1", 1, HALF), ItemVector(1, "i2", 1, HALF))
    send(settings, EncodedRecord(b"eve", b"{"))

    status = follow(settings, store)

    assert store.users() == {"ann": 2, "bob": 1}
    assert store.items() == ["i1", "i2"]
    assert (status.users, status.items, status.stale, status.unreadable, status.lag) == (2, 2, 1, 1, 0)


def test_a_sink_that_starts_again_reads_only_what_is_new(settings: Settings, store: Store):
    send(settings, an_update("ann", 2), an_update("bob", 1), ItemVector(1, "i1", 1, HALF))
    follow(settings, store)
    send(settings, an_update("ann", 3), an_update("ann", 1), an_update("carl", 1), "bob")

    status = follow(settings, store, owner="another")

    assert store.users() == {"ann": 3, "carl": 1}
    assert (status.users, status.items, status.stale, status.erased) == (2, 0, 1, 1)


def test_nothing_is_lost_over_the_death_of_the_store(settings: Settings, store: Store):
    send(settings, an_update("ann", 1), an_update("bob", 1), ItemVector(1, "i1", 1, HALF))
    steps = iter(("kill", "send", "start"))
    states = []

    def is_over(status: SinkStatus) -> bool:
        states.append(status.state)
        if status.state == "reading":
            return False
        step = next(steps, "end")
        if step == "kill":
            store.server.kill()
        elif step == "send":
            send(settings, an_update("ann", 2), "bob", an_update("carl", 1))
        elif step == "start":
            store.server.start()
        return step == "end" and status.state == "following" and store.users() == {"ann": 2, "carl": 1}

    follow(settings, store, is_over)

    assert "waiting" in states
    assert store.items() == ["i1"]  # a Redis without a disk was empty


def test_nothing_is_lost_over_the_death_of_the_broker(breakable_kafka: Kafka, topic_prefix: str, in_redis: InRedis):
    settings = Settings(broker=breakable_kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    in_redis.clear()
    send(settings, an_update("ann", 1))
    steps = iter(("kill", "restart"))

    def is_over(status: SinkStatus) -> bool:
        if status.state == "reading":
            return False
        step = next(steps, "end")
        if step == "kill":
            breakable_kafka.kill()
        elif step == "restart":
            breakable_kafka.restart()
            send(settings, an_update("ann", 2))
        return step == "end" and in_redis.users() == {"ann": 2}

    follow(settings, in_redis, is_over)


def test_who_was_erased_while_the_tombstone_was_missed_is_swept_away(settings: Settings, store: Store):
    send(settings, an_update("ann", 1), an_update("ghost", 1), ItemVector(1, "i1", 1, HALF))
    follow(settings, store)
    send(settings, "ghost")
    skip_to_end(settings, store)

    assert set(store.users()) == {"ann", "ghost"}
    follow(settings, store, later_ms=TRUSTED_FOR_MS - 1)
    assert set(store.users()) == {"ann", "ghost"}
    follow(settings, store, later_ms=2 * TRUSTED_FOR_MS)
    assert (set(store.users()), store.items()) == ({"ann"}, ["i1"])


def skip_to_end(settings: Settings, store: Store) -> None:
    """As if the newest records had been compacted away before they were read."""
    log, destination = OutputLog(settings.broker, TopicNames.of(settings)), store.destination()
    stored = destination.open()
    assert stored is not None
    progress = json.loads(stored) | {"next_offsets": {name: ends.stop for name, ends in log.ranges().items()}}
    assert destination.write(Changes(), stored, json.dumps(progress)) is not None
    destination.close()
    log.close()


def test_a_sink_that_another_one_took_over_from_writes_nothing_more_and_ends(settings: Settings, store: Store):
    send(settings, an_update("ann", 1))
    takes_over = iter([True])

    def is_over(status: SinkStatus) -> bool:
        if status.state == "following" and next(takes_over, False):
            follow(settings, store, owner="another")
            send(settings, an_update("ann", 2))
        return False

    with pytest.raises(ConfigError, match="another sink has taken over"):
        follow(settings, store, is_over)
    assert store.users() == {"ann": 1}


def test_a_store_of_another_topic_is_refused_until_it_may_be_emptied(settings: Settings, store: Store):
    send(settings, an_update("ann", 9), an_update("bob", 9))
    follow(settings, store)
    other = settings.model_copy(update={"updates_topic": "other-updates"})
    create_topics(other)
    destination = store.destination()
    send(other, an_update("ann", 1))
    rename(destination, settings.updates, other.updates)

    with pytest.raises(ConfigError, match="--rebuild"):
        follow(other, store)
    follow(other, store, rebuild=True)
    assert store.users() == {"ann": 1}


def rename(destination: Any, old: str, new: str) -> None:
    """As if the topic had been deleted and made again."""
    stored = destination.open()
    after = stored.replace(old, new)
    assert destination.write(Changes(), stored, after.replace(": 1", ": 7").replace(":1,", ":7,")) is not None
    destination.close()


def test_vectors_are_exact_in_the_store(settings: Settings, in_redis: InRedis, postgres: InPostgres):
    vector = np.array([0.1, 1 / 3, -0.7, 0.2], np.float32)
    update = msgspec.structs.replace(an_update("ann", 1), interest=vector.tolist(), long_term=vector.tolist())
    send(settings, binary_update(update), ItemVector(1, "i1", 1, HALF))
    for store in (in_redis, postgres):
        store.clear()
        follow(settings, store)

    assert in_redis.get("user:ann", "interest") == vector.tobytes()
    assert json.loads(in_redis.get("user:ann", "top_items")) == [["i1", 0.5]]
    ((interest, top_items),) = postgres.ask("SELECT interest::real[], top_items FROM shop.users")
    assert (np.float32(interest).tobytes(), top_items) == (vector.tobytes(), [["i1", 0.5]])
    assert postgres.ask("SELECT indexname FROM pg_indexes WHERE indexname = 'items_nearest_4'")


def test_an_id_that_postgres_cannot_hold_is_counted(settings: Settings, postgres: InPostgres):
    postgres.clear()
    send(settings, an_update("a\x00b", 1), an_update("ann", 1), ItemVector(1, "\x00", 1, HALF))

    status = follow(settings, postgres)

    assert (postgres.users(), postgres.items(), status.refused) == ({"ann": 1}, [], 2)


def test_a_role_that_owns_nothing_but_its_schema_is_enough(settings: Settings, postgres: InPostgres):
    with psycopg.connect(postgres.server.url) as db:
        db.execute(
            "CREATE EXTENSION IF NOT EXISTS vector; CREATE ROLE clerk LOGIN; CREATE SCHEMA clerk AUTHORIZATION clerk"
        )
    send(settings, an_update("ann", 1), ItemVector(1, "i1", 1, HALF))
    where = ("--broker", settings.broker, "--topic-prefix", settings.topic_prefix)
    url = postgres.server.url.replace("postgres@", "clerk@")

    result = run_command("sink", "pgvector", "--once", *where, "--url", url, "--schema", "clerk")

    assert result.returncode == 0, result.stderr
    assert postgres.ask("SELECT count(*) FROM clerk.items") == [(1,)]


def test_the_command_fills_a_store_once_and_says_what_it_did(settings: Settings, store: Store):
    send(settings, an_update("ann", 1), ItemVector(1, "i1", 1, HALF))
    where = ("--broker", settings.broker, "--topic-prefix", settings.topic_prefix)

    result = run_command("sink", store.name, "--once", "--json", *where, *store.flags)

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["users"] == 1
    assert store.users() == {"ann": 1}


def test_a_store_that_is_not_there_is_one_sentence_without_its_password(settings: Settings):
    where = ("--broker", settings.broker, "--topic-prefix", settings.topic_prefix)
    for name, url in (("redis", "redis://me:secret@127.0.0.1:1"), ("pgvector", "postgresql://me:secret@127.0.0.1:1/x")):
        result = run_command("sink", name, "--url", url, *where)
        assert result.returncode == 2
        assert result.stderr.count("\n") == 1
        assert "does not answer" in result.stderr
        assert "secret" not in result.stderr


def test_the_example_serves_from_what_a_sink_wrote(settings: Settings, store: Store):
    east, north = [1.0, 0.0, 0.0, 0.0], [0.6, 0.8, 0.0, 0.0]
    ann = InterestUpdate(1, "ann", 1, 1_000, 7, [0.0, 1.0, 0.0, 0.0], east, 0.0, 1)
    send(settings, ann, ItemVector(1, "east", 1, east), ItemVector(1, "north", 1, north))
    follow(settings, store)
    example = ROOT / "examples" / f"serve_from_{store.name}.py"

    said = subprocess.run([sys.executable, example, "ann", "nobody", *store.flags], capture_output=True, check=True)

    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert lines == [
        {"user": "ann", "items": [["north", 0.8], ["east", 0.0]]},
        {"user": "nobody", "items": []},
    ]
