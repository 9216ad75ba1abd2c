"""A broker that wants TLS and a login: everything that connects gets in, and who may not is told why."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.broker.security import Security
from stream.cli import commands
from stream.client import EventProducer, InterestSubscriber
from tests.support.java_kafka import JavaKafka, free_ports
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess

PASSWORD = "hunter2-secret"


def a_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one of 127.0.0.1, its own authority: the certificate, and key and certificate in one file."""
    certificate, key, both = (folder / name for name in ("ca.pem", "key.pem", "both.pem"))
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return certificate, both


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings that get one in."""
    certificate, keystore = a_certificate(tmp_path_factory.mktemp("tls"))
    address = f"127.0.0.1:{free_ports(1)[0]}"
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    broker = JavaKafka(
        [f"SASL_SSL://{address}"],
        f"ssl.keystore.type=PEM\nssl.keystore.location={keystore}\nsasl.enabled.mechanisms=PLAIN\n"
        f'listener.name.sasl_ssl.plain.sasl.jaas.config={login} user_shop="{PASSWORD}";\n',
    )
    who = {"INTEREST_SASL_USERNAME": "shop", "INTEREST_SASL_PASSWORD": PASSWORD}
    how = {"INTEREST_SECURITY_PROTOCOL": "SASL_SSL", "INTEREST_SASL_MECHANISM": "PLAIN"}
    yield {"INTEREST_BROKER": address, "INTEREST_SSL_CAFILE": str(certificate), **how, **who}
    broker.close()


def call(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner(env=environment).invoke(commands, arguments)


def test_topics_worker_clients_and_replay_get_in(secured: dict[str, str], tmp_path: Path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"kind":"click","user_id":"bob","item_id":"i2","time_ms":1767225601500}\n')
    broker, security = (
        secured["INTEREST_BROKER"],
        Security(
            **{name.removeprefix("INTEREST_").lower(): value for name, value in secured.items() if "BROKER" not in name}
        ),
    )
    made = call(secured, "topics", "create")
    assert made.exit_code == 0, made.output
    with WorkerProcess(broker, "", tmp_path / "state", secured) as worker:
        worker.wait_for(lambda s: s.state == "running", "it runs")
        with InterestSubscriber(broker, security=security) as subscriber:
            with EventProducer(broker, security=security) as producer:
                producer.click("ann", "i1")
            assert call(secured, "replay", str(log)).exit_code == 0
            wait_until(lambda: subscriber.poll() is not None and {"ann", "bob"} <= subscriber.users.keys(), 30)
        assert PASSWORD not in worker.log()


@pytest.mark.parametrize("command", [("topics", "create"), ("replay", __file__)])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"INTEREST_SASL_PASSWORD": "wrong"}, "does not let us in"), ({"INTEREST_SSL_CAFILE": ""}, "is not trusted")],
)
def test_who_may_not_is_told_why(secured: dict[str, str], command: tuple[str, ...], wrong: dict[str, str], says: str):
    refused = call(secured | wrong, *command)

    assert refused.exit_code == 2
    assert says in refused.output
    assert PASSWORD not in refused.output
