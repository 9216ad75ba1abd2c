"""One broker with a listener for every way to be let in, and the settings that get one in by each."""

import subprocess
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from tests.support.java_kafka import JavaKafka, free_ports
from tests.support.token_endpoint import AUDIENCE, ISSUER, TokenEndpoint

USER = "shop"
PASSWORD = "hunter2-secret"
PROTOCOL_OF = {"plain": "SASL_SSL", "scram": "SASL_SSL", "token": "SASL_SSL", "tls": "SSL", "mutual": "SSL"}
KAFKA_SECURITY = "org.apache.kafka.common.security"


class SecuredKafka:
    """A broker and a token endpoint on this machine. `close` ends both.

    Args:
        folder: for certificates and secrets.

    Attributes:
        settings: by way to be let in, the variables that do it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tokens = TokenEndpoint(USER, PASSWORD).__enter__()
        (folder / "keys.json").write_text(self._tokens.key_set)
        (folder / "secret").write_text(f"{PASSWORD}\n")
        a_certificate(folder, "broker")
        a_certificate(folder, "client")
        self._addresses = {
            way: f"127.0.0.1:{port}" for way, port in zip(PROTOCOL_OF, free_ports(len(PROTOCOL_OF)), strict=True)
        }
        self._broker = JavaKafka(
            [f"{way.upper()}://{address}" for way, address in self._addresses.items()],
            self._properties(),
            [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={(folder / 'keys.json').as_uri()}"],
        )
        _add_scram_user(self._broker.bootstrap)
        self.settings = {way: self._settings_of(way) for way in PROTOCOL_OF}

    def close(self) -> None:
        """End both."""
        self._broker.close()
        self._tokens.__exit__(None, None, None)

    def _settings_of(self, way: str) -> dict[str, str]:
        folder = self._folder
        common = {
            "INTEREST_BROKER": self._addresses[way],
            "INTEREST_SECURITY_PROTOCOL": PROTOCOL_OF[way],
            "INTEREST_SSL_CAFILE": str(folder / "broker.pem"),
        }
        named = {"INTEREST_SASL_USERNAME": USER}
        return (
            common
            | {
                "plain": named | {"INTEREST_SASL_MECHANISM": "PLAIN", "INTEREST_SASL_PASSWORD": PASSWORD},
                "scram": named | _by_file("SCRAM-SHA-512", folder / "secret"),
                "token": named | _by_file("OAUTHBEARER", folder / "secret") | self._endpoint(),
                "tls": {},
                "mutual": {"INTEREST_SSL_CERTFILE": str(folder / "client-and-key.pem")},
            }[way]
        )

    def _endpoint(self) -> dict[str, str]:
        return {"INTEREST_SASL_OAUTH_TOKEN_URL": self._tokens.url}

    def _properties(self) -> str:
        folder, token = self._folder, "listener.name.token"
        protocols = ",".join(f"{way.upper()}:{protocol}" for way, protocol in PROTOCOL_OF.items())
        login = f"{KAFKA_SECURITY}.{{}} required"
        return f"""
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{protocols}
ssl.keystore.type=PEM
ssl.keystore.location={folder / "broker-and-key.pem"}
listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.truststore.type=PEM
listener.name.mutual.ssl.truststore.location={folder / "client.pem"}
listener.name.plain.sasl.enabled.mechanisms=PLAIN
listener.name.plain.plain.sasl.jaas.config={login.format("plain.PlainLoginModule")} user_{USER}="{PASSWORD}";
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config={login.format("scram.ScramLoginModule")};
{token}.sasl.enabled.mechanisms=OAUTHBEARER
{token}.oauthbearer.sasl.jaas.config={login.format("oauthbearer.OAuthBearerLoginModule")};
{token}.oauthbearer.sasl.server.callback.handler.class={KAFKA_SECURITY}.oauthbearer.OAuthBearerValidatorCallbackHandler
{token}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={(folder / "keys.json").as_uri()}
{token}.oauthbearer.sasl.oauthbearer.expected.audience={AUDIENCE}
{token}.oauthbearer.sasl.oauthbearer.expected.issuer={ISSUER}
"""


def _by_file(mechanism: str, secret: Path) -> dict[str, str]:
    return {"INTEREST_SASL_MECHANISM": mechanism, "INTEREST_SASL_PASSWORD_FILE": str(secret)}


def _add_scram_user(bootstrap: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.alter_user_scram_credentials([UserScramCredentialUpsertion(USER, ScramMechanism.SCRAM_SHA_512, PASSWORD)])
    admin.close()


def a_certificate(folder: Path, name: str) -> None:
    """A self-signed one of 127.0.0.1, its own authority: `NAME.pem`, and with its key `NAME-and-key.pem`."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    (folder / f"{name}-and-key.pem").write_text(key.read_text() + certificate.read_text())
