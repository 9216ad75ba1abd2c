"""A broker that wants TLS and a login: everything that connects gets in, and who may not is told why."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.broker.security import Security
from stream.broker.topics import TopicNames
from stream.cli import commands
from stream.client import EventProducer, InterestSubscriber
from stream.settings import Settings
from tests.support.command import run_command
from tests.support.secured_kafka import PASSWORD, PROTOCOL_OF, SecuredKafka
from tests.support.stores import RedisServer
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """By way to be let in, the settings that do it."""
    broker = SecuredKafka(tmp_path_factory.mktemp("secrets"))
    yield broker.settings
    broker.close()


def call(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner(env=environment).invoke(commands, arguments)


def security_of(settings: dict[str, str]) -> Security:
    named = {name.removeprefix("INTEREST_").lower(): value for name, value in settings.items()}
    return Security(**{name: value for name, value in named.items() if name != "broker"})


@pytest.mark.parametrize("way", PROTOCOL_OF)
def test_topics_worker_clients_and_replay_get_in(secured: dict[str, dict[str, str]], way: str, tmp_path: Path):
    settings, prefix = secured[way] | {"INTEREST_TOPIC_PREFIX": f"{way}."}, f"{way}."
    broker, security = settings["INTEREST_BROKER"], security_of(secured[way])
    names = TopicNames.of(Settings(topic_prefix=prefix))
    log = tmp_path / "log.jsonl"
    log.write_text('{"kind":"click","user_id":"bob","item_id":"i2","time_ms":1767225601500}\n')
    made = call(settings, "topics", "create")
    assert made.exit_code == 0, made.output
    with WorkerProcess(broker, prefix, tmp_path / "state", settings) as worker:
        worker.wait_for(lambda s: s.state == "running", "it runs")
        with InterestSubscriber(broker, security=security, topic=names.updates) as subscriber:
            with EventProducer(broker, security=security, topics=names) as producer:
                producer.click("ann", "i1")
            assert call(settings, "replay", str(log)).exit_code == 0
            wait_until(lambda: subscriber.poll() is not None and {"ann", "bob"} <= subscriber.users.keys(), 30)
        assert PASSWORD not in worker.log()


@pytest.mark.parametrize("way", PROTOCOL_OF)
def test_a_sink_gets_in(secured: dict[str, dict[str, str]], way: str):
    settings = secured[way] | {"INTEREST_TOPIC_PREFIX": f"{way}.sink."}
    assert call(settings, "topics", "create").exit_code == 0
    with contextlib.closing(RedisServer()) as store:
        followed = run_command("sink", "redis", "--once", "--url", store.url, environment=settings)
    assert followed.returncode == 0, followed.stderr


WRONG = [
    ("plain", {"INTEREST_SASL_PASSWORD": "wrong"}, "does not let us in"),
    ("plain", {"INTEREST_SSL_CAFILE": ""}, "is not trusted"),
    ("token", {"INTEREST_SASL_USERNAME": "nobody"}, "gives no token for nobody"),
    ("token", {"INTEREST_SASL_OAUTH_TOKEN_URL": "http://127.0.0.1:1/"}, "gives no token"),
    ("mutual", {"INTEREST_SSL_CERTFILE": ""}, "set ssl_certfile"),
]


@pytest.mark.parametrize("command", [("topics", "create"), ("replay", __file__)])
@pytest.mark.parametrize(("way", "wrong", "says"), WRONG)
def test_who_may_not_is_told_why(
    secured: dict[str, dict[str, str]], command: tuple[str, ...], way: str, wrong: dict[str, str], says: str
):
    refused = call(secured[way] | wrong, *command)

    assert refused.exit_code == 2
    assert says in refused.output
    assert PASSWORD not in refused.output


@pytest.mark.parametrize(("way", "wrong", "says"), WRONG)
def test_a_sink_that_may_not_is_told_why(
    secured: dict[str, dict[str, str]], way: str, wrong: dict[str, str], says: str
):
    refused = run_command("sink", "redis", environment=secured[way] | wrong)

    assert refused.returncode == 2
    assert says in refused.stderr
    assert PASSWORD not in refused.stdout + refused.stderr
