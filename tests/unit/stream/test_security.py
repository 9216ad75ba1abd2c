"""Contradicting settings of the connection are refused, and no password is shown."""

import pytest

from stream.broker.security import OPEN, Security
from stream.errors import ConfigError
from stream.settings import Settings

LOGIN = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "u"}


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"sasl_username": "u"}, "has no SASL"),
        ({"ssl_cafile": "ca.pem"}, "has no TLS"),
        (LOGIN, "got neither"),
        (LOGIN | {"sasl_password": "p", "sasl_password_file": "f"}, "got both"),
        (LOGIN | {"sasl_password": "p", "sasl_mechanism": ""}, "sasl_mechanism=''"),
        (LOGIN | {"sasl_password": "p", "sasl_username": ""}, "needs sasl_username"),
        (LOGIN | {"sasl_password_file": "/not/there"}, "cannot be read"),
        (LOGIN | {"sasl_password": "p", "sasl_oauth_scope": "s"}, "needs no token"),
        (LOGIN | {"sasl_password": "p", "sasl_mechanism": "OAUTHBEARER"}, "needs sasl_oauth_token_url"),
        ({"security_protocol": "SSL", "ssl_keyfile": "k"}, "without ssl_certfile"),
        ({"security_protocol": "SSL", "ssl_cafile": "/not/there"}, "ssl_cafile=/not/there"),
        ({"security_protocol": "TLS"}, "expected one of"),
    ],
)
def test_contradictions_are_refused(said: dict[str, str], says: str):
    with pytest.raises(ConfigError, match=says):
        Security(**said)


def test_the_password_of_a_file_reaches_every_client_without_its_line_end(tmp_path):
    (tmp_path / "password").write_text("hunter2\n")
    security = Security(**LOGIN, sasl_password_file=str(tmp_path / "password"))
    assert security.kafka_python()["sasl_plain_password"] == "hunter2"
    assert security.confluent()["sasl.password"] == security.faust().password == "hunter2"


def test_nothing_said_asks_nothing_of_the_clients():
    assert (Security.of(Settings()), OPEN.kafka_python(), OPEN.confluent(), OPEN.faust()) == (OPEN, {}, {}, None)


def test_no_password_is_shown():
    assert "hunter2" not in repr(Security(**LOGIN, sasl_password="hunter2"))
    with pytest.raises(ConfigError) as refused:
        Settings.load(sasl_password=918273)
    assert "918273" not in str(refused.value)
