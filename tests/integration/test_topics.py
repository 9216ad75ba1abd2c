"""Topics on a real broker."""

import json

import pytest
from click.testing import CliRunner, Result
from kafka.admin import KafkaAdminClient

from stream.broker.topics import TopicNames, check_topics, create_topics
from stream.cli import commands
from stream.errors import ConfigError
from stream.settings import Settings
from tests.support.kafka import Kafka


@pytest.fixture
def settings(kafka: Kafka, topic_prefix: str) -> Settings:
    return Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix, partitions=3)


def call(settings: Settings, *arguments: str) -> Result:
    where = ("--broker", settings.broker, "--topic-prefix", settings.topic_prefix)
    return CliRunner().invoke(commands, [*arguments, *where])


def create(settings: Settings, name: str, partitions: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=settings.broker)
    admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()


def test_topics_are_created_once_and_are_as_wanted(settings: Settings):
    names = TopicNames.of(settings)
    outputs = {names.updates, names.item_vectors, names.erasures, names.dead_letters}
    assert set(create_topics(settings)) == {*names.inputs, *outputs}
    assert create_topics(settings) == []
    assert {topic.partitions for topic in check_topics(settings) if topic.name != names.dead_letters} == {3}


def test_create_and_check_on_the_command_line(settings: Settings):
    created = call(settings, "topics", "create", "--partitions", "2", "--json")
    states = {json.loads(line)["state"] for line in created.stdout.splitlines()}
    assert (created.exit_code, states) == (0, {"created"})
    assert call(settings, "topics", "check", "--partitions", "2").exit_code == 0


def test_missing_topics_are_exit_code_2(settings: Settings):
    result = call(settings, "topics", "check")
    assert result.exit_code == 2
    assert "interest-stream topics create" in result.stderr


def test_unequal_partition_counts_are_one_sentence_and_exit_code_2(settings: Settings):
    create(settings, TopicNames.of(settings).inputs[1], partitions=2)
    result = call(settings, "topics", "create", "--partitions", "3")
    assert result.exit_code == 2
    assert "purchases has 2" in result.stderr
    assert result.stderr.splitlines()[0].startswith("Error: expected 3 partitions")


def test_more_replicas_than_brokers_are_refused_in_a_sentence(settings: Settings):
    with pytest.raises(ConfigError, match="could not be created"):
        create_topics(settings.model_copy(update={"replication_factor": 9}))


def test_wrong_cleanup_policy_is_told(settings: Settings):
    create(settings, TopicNames.of(settings).updates, partitions=3)
    with pytest.raises(ConfigError, match=r"cleanup\.policy='delete', expected 'compact'"):
        create_topics(settings)


def test_doctor_finds_everything_well_after_create(settings: Settings, tmp_path_factory: pytest.TempPathFactory):
    create_topics(settings)
    result = call(settings, "doctor", "--partitions", "3", "--checkpoint-dir", str(tmp_path_factory.mktemp("c")))
    assert result.exit_code == 0, result.output
    assert result.stdout.count("ok ") == 6
