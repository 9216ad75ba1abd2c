"""The topics: their names, how each must be, creating and checking them. Knows nothing of what is in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from stream.broker.closing import LeftByClosing
from stream.broker.connection import ApiVersion, connect
from stream.broker.security import OPEN, Security
from stream.errors import ConfigError
from stream.settings import Settings

DEAD_LETTERS_KEPT_MS = 14 * 86_400_000


@dataclass(frozen=True)
class TopicNames:
    """The full names of all topics.

    Attributes:
        inputs: topics of clicks, purchases and searches, in the order of `models.inputs.features.KINDS`.
    """

    inputs: tuple[str, str, str]
    updates: str
    item_vectors: str
    erasures: str
    dead_letters: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The names that these settings say."""
        outputs = settings.updates, settings.item_vectors, settings.erasures, settings.dead_letters
        return cls(settings.input_topics, *outputs)

    @classmethod
    def default(cls, prefix: str = "") -> Self:
        """The names nobody changed but for a prefix. Reads neither environment nor file."""
        default = {name: field.default for name, field in Settings.model_fields.items()}
        clicks, purchases, searches, *others = (
            prefix + default[f"{name}_topic"]
            for name in ("clicks", "purchases", "searches", "updates", "item_vectors", "erasures", "dead_letters")
        )
        return cls((clicks, purchases, searches), *others)


@dataclass(frozen=True)
class Topic:
    """How a topic must be, or is.

    Attributes:
        replicas: of the partition that has the fewest.
        config: the broker's names for it; of a wanted topic only what matters, of a found one everything.
    """

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str]


def wanted_topics(settings: Settings) -> list[Topic]:
    """How every topic must be.

    Inputs carry the broker's time: event times are measured against it, and a producer cannot forge it.
    """
    names = TopicNames.of(settings)
    events = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
    compacted = {"cleanup.policy": "compact"}
    kept = {"cleanup.policy": "delete", "retention.ms": str(DEAD_LETTERS_KEPT_MS)}
    num, replicas = settings.partitions, settings.replication_factor
    return [
        *(Topic(name, num, replicas, events) for name in names.inputs),
        Topic(names.updates, num, replicas, compacted),
        Topic(names.item_vectors, num, replicas, compacted),
        Topic(names.erasures, num, replicas, compacted | {"message.timestamp.type": "LogAppendTime"}),
        Topic(names.dead_letters, 1, replicas, kept),
    ]


def faults(wanted: Iterable[Topic], found: Mapping[str, Topic]) -> list[str]:
    """What is wrong with the topics, one sentence each that says what to do; empty when all is well."""
    wanted = list(wanted)
    present = [(topic, found[topic.name]) for topic in wanted if topic.name in found]
    return [
        *_missing([topic.name for topic in wanted if topic.name not in found]),
        *_partition_faults(present),
        *_replica_faults(present),
        *(
            f"topic {is_.name} has {key}={is_.config.get(key)!r}, expected {value!r}; "
            f"change it with `kafka-configs.sh --alter --topic {is_.name} --add-config {key}={value}`"
            for must, is_ in present
            for key, value in must.config.items()
            if is_.config.get(key) != value
        ),
    ]


def _missing(names: list[str]) -> list[str]:
    return [f"missing topics: {', '.join(names)}; `interest-stream topics create` makes them"] if names else []


def _partition_faults(present: list[tuple[Topic, Topic]]) -> list[str]:
    """One sentence for each number of partitions that is expected (dead letters have their own) and not found."""
    sentences = []
    for expected in sorted({must.partitions for must, is_ in present if must.partitions != is_.partitions}):
        counts = {is_.name: is_.partitions for must, is_ in present if must.partitions == expected}
        same = set(counts.values())
        remedy = (
            f"set partitions={same.pop()}"
            if len(same) == 1
            else f"add partitions with `kafka-topics.sh --alter --partitions {expected}` before the first event, "
            "or delete and create the topics"
        )
        sentences.append(f"expected {expected} partitions in each of these topics, but {_list(counts)}; {remedy}")
    return sentences


def _replica_faults(present: list[tuple[Topic, Topic]]) -> list[str]:
    too_few = {is_.name: is_.replicas for must, is_ in present if is_.replicas < must.replicas}
    if not too_few:
        return []
    expected, least = max(must.replicas for must, _ in present), min(too_few.values())
    return [
        f"expected {expected} replicas of each topic, but {_list(too_few)}; "
        f"add replicas with `kafka-reassign-partitions.sh`, or set replication_factor={least}"
    ]


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} has {count}" for name, count in counts.items())


class TopicAdmin(LeftByClosing):
    """Asks and tells the broker about topics. A context manager; every call blocks."""

    def __init__(self, broker: str, api_version: ApiVersion | None = None, security: Security = OPEN) -> None:
        self._admin = connect(KafkaAdminClient, broker, api_version, security)

    def close(self) -> None:
        """Disconnect."""
        self._admin.close()

    def find(self, names: Iterable[str]) -> dict[str, Topic]:
        """Those of the topics that exist, as they are."""
        existing = set(self._admin.list_topics())
        there = [name for name in names if name in existing]
        if not there:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
        config_of = self._admin.describe_configs(resources, config_filter="all")["topic"]
        return {
            topic["name"]: Topic(
                topic["name"],
                len(topic["partitions"]),
                min(len(partition["replica_nodes"]) for partition in topic["partitions"]),
                {key: data["value"] for key, data in config_of[topic["name"]].items()},
            )
            for topic in self._admin.describe_topics(there)
        }

    def require(self, names: Iterable[str]) -> None:
        """`require_topics` of those that the broker has."""
        require_topics(names, self._admin.list_topics())

    def create(self, wanted: Iterable[Topic]) -> list[str]:
        """Create those that are missing, leave the others alone; returns the names of the created. Idempotent.

        Raises:
            ConfigError: the broker refuses, for example more replicas than there are brokers.
        """
        wanted = list(wanted)
        found = self.find(topic.name for topic in wanted)
        return [topic.name for topic in wanted if topic.name not in found and self._create(topic)]

    def _create(self, topic: Topic) -> bool:
        options = {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replicas,
            "configs": dict(topic.config),
        }
        response = self._admin.create_topics({topic.name: options}, raise_errors=False, wait_for_metadata=False)
        result = response["topics"][0]
        if result["error_code"] == TopicAlreadyExistsError.errno:  # somebody else was quicker
            return False
        if result["error_code"] != 0:
            raise ConfigError(f"topic {topic.name} could not be created: {result['error_message']}")
        self._admin.wait_for_topics([topic.name])
        return True


def require_topics(names: Iterable[str], existing: Iterable[str]) -> None:
    """Raise where one of the topics does not exist.

    Raises:
        ConfigError: with the names of the missing.
    """
    there = set(existing)
    _refuse(_missing([name for name in names if name not in there]))


def create_topics(settings: Settings) -> list[str]:
    """Create the missing topics and check all of them; returns the names of the created.

    Raises:
        ConfigError: no broker, or a topic is not as it must be.
    """
    wanted = wanted_topics(settings)
    with TopicAdmin(settings.broker, security=Security.of(settings)) as admin:
        created = admin.create(wanted)
        _refuse(faults(wanted, admin.find(topic.name for topic in wanted)))
    return created


def check_topics(settings: Settings) -> list[Topic]:
    """The topics as they are.

    Raises:
        ConfigError: no broker, or a topic is missing or not as it must be.
    """
    wanted = wanted_topics(settings)
    with TopicAdmin(settings.broker, security=Security.of(settings)) as admin:
        found = admin.find(topic.name for topic in wanted)
    _refuse(faults(wanted, found))
    return list(found.values())


def _refuse(sentences: list[str]) -> None:
    if sentences:
        raise ConfigError("; ".join(sentences))
