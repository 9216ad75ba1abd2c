"""How to reach a broker that asks who one is: one description, and what each of the four clients wants of it."""

import ssl
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from stream.broker.oauth import AiokafkaTokens, KafkaPythonTokens, TokenRequest, TokenSource
from stream.errors import ConfigError
from stream.settings import Settings, plain

PROTOCOLS = "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"
OAUTHBEARER = "OAUTHBEARER"
MECHANISMS = "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", OAUTHBEARER


@dataclass(frozen=True)
class Security:
    """The settings of the same names; empty means not said.

    Raises:
        ConfigError: they contradict each other, or a file cannot be used.
    """

    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    sasl_password_file: str = ""
    sasl_oauth_token_url: str = ""
    sasl_oauth_scope: str = ""
    sasl_oauth_cafile: str = ""
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""

    def __post_init__(self) -> None:
        if self.security_protocol not in PROTOCOLS:
            raise ConfigError(f"security_protocol={self.security_protocol!r}; expected one of {', '.join(PROTOCOLS)}")
        self._check_sasl()
        self._check_ssl()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The settings' slice."""
        return cls(**{one.name: plain(getattr(settings, one.name)) for one in fields(cls)})

    @property
    def has_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def has_sasl(self) -> bool:
        """Whether a name and a password are asked for."""
        return self.security_protocol.startswith("SASL")

    @property
    def has_tokens(self) -> bool:
        """Whether a token endpoint vouches for us."""
        return self.has_sasl and self.sasl_mechanism == OAUTHBEARER

    @cached_property
    def tokens(self) -> TokenSource:
        """Where the tokens come from; only with `has_tokens`."""
        return TokenSource(
            TokenRequest(
                self.sasl_oauth_token_url,
                self.sasl_username,
                self._password(),
                scope=self.sasl_oauth_scope,
                cafile=self.sasl_oauth_cafile,
            )
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        """What trusts the authority and shows our certificate; None without TLS."""
        if not self.has_tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile or None)
        except OSError as error:  # ssl's errors are OSErrors
            raise ConfigError(f"ssl_cafile={self.ssl_cafile}: expected certificates in PEM, got {error}") from error
        if self.ssl_certfile:
            try:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile or None, password=_no_passphrase)
            except OSError as error:
                files = f"ssl_certfile={self.ssl_certfile}, ssl_keyfile={self.ssl_keyfile}"
                raise ConfigError(
                    f"{files}: expected a certificate and its key in PEM without a passphrase, got {error}"
                ) from error
        return context

    def kafka_python(self) -> dict[str, Any]:
        """Arguments of kafka-python's clients."""
        if self.security_protocol == "PLAINTEXT":
            return {}
        login = {"sasl_oauth_token_provider": KafkaPythonTokens(self.tokens)} if self.has_tokens else {}
        return self._named_alike() | login

    def aiokafka(self) -> dict[str, Any]:
        """Arguments of aiokafka's clients."""
        if self.security_protocol == "PLAINTEXT":
            return {}
        login = {"sasl_oauth_token_provider": AiokafkaTokens(self.tokens)} if self.has_tokens else {}
        return self._named_alike() | login

    def faust(self) -> Any:
        """Faust's `broker_credentials`; None where nothing is asked for."""
        from faust.auth import (  # noqa: PLC0415 - Faust takes a second to import
            OAuthCredentials,
            SASLCredentials,
            SSLCredentials,
        )

        context = self.ssl_context()
        if self.has_tokens:
            return OAuthCredentials(oauth_cb=AiokafkaTokens(self.tokens), ssl_context=context)
        if self.has_sasl:
            return SASLCredentials(
                username=self.sasl_username,
                password=self._password(),
                ssl_context=context,
                mechanism=self.sasl_mechanism,
            )
        return SSLCredentials(context) if context is not None else None

    def confluent(self) -> dict[str, Any]:
        """Configuration of confluent-kafka's clients."""
        if self.security_protocol == "PLAINTEXT":
            return {}
        named = {
            "security.protocol": self.security_protocol,
            "ssl.ca.location": self.ssl_cafile if self.has_tls else "",
            "ssl.certificate.location": self.ssl_certfile,
            "ssl.key.location": self.ssl_keyfile or self.ssl_certfile,
            "sasl.mechanism": self.sasl_mechanism,
            **(self._librdkafka_tokens() if self.has_tokens else self._librdkafka_password()),
        }
        return {name: value for name, value in named.items() if value}

    def _named_alike(self) -> dict[str, Any]:
        """What kafka-python and aiokafka call the same."""
        named = {"security_protocol": self.security_protocol, "ssl_context": self.ssl_context()}
        if not self.has_sasl:
            return named
        named["sasl_mechanism"] = self.sasl_mechanism
        if self.has_tokens:
            return named
        return named | {"sasl_plain_username": self.sasl_username, "sasl_plain_password": self._password()}

    def _librdkafka_password(self) -> dict[str, str]:
        return {"sasl.username": self.sasl_username, "sasl.password": self._password()}

    def _librdkafka_tokens(self) -> dict[str, str]:
        """It asks the endpoint by itself."""
        return {
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": self.sasl_username,
            "sasl.oauthbearer.client.secret": self._password(),
            "sasl.oauthbearer.scope": self.sasl_oauth_scope,
            "sasl.oauthbearer.token.endpoint.url": self.sasl_oauth_token_url,
            "https.ca.location": self.sasl_oauth_cafile,
        }

    def _password(self) -> str:
        if not self.sasl_password_file:
            return self.sasl_password
        try:
            password = Path(self.sasl_password_file).read_text().rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise ConfigError(f"sasl_password_file={self.sasl_password_file} cannot be read: {reason}") from None
        if not password:
            raise ConfigError(f"sasl_password_file={self.sasl_password_file} is empty; expected a password")
        return password

    def _check_sasl(self) -> None:
        said = [one.name for one in fields(self) if one.name.startswith("sasl_") and getattr(self, one.name)]
        if not self.has_sasl:
            if said:
                raise ConfigError(
                    f"{', '.join(said)} set, but security_protocol={self.security_protocol} has no SASL; "
                    "set security_protocol=SASL_SSL"
                )
            return
        if self.sasl_mechanism not in MECHANISMS:
            raise ConfigError(f"sasl_mechanism={self.sasl_mechanism!r}; expected one of {', '.join(MECHANISMS)}")
        if not self.sasl_username:
            raise ConfigError(f"security_protocol={self.security_protocol} needs sasl_username")
        if bool(self.sasl_password) == bool(self.sasl_password_file):
            raise ConfigError(
                f"security_protocol={self.security_protocol} needs either sasl_password or sasl_password_file, "
                f"got {'both' if self.sasl_password else 'neither'}"
            )
        self._password()
        self._check_oauth()

    def _check_oauth(self) -> None:
        said = [one.name for one in fields(self) if one.name.startswith("sasl_oauth_") and getattr(self, one.name)]
        if said and not self.has_tokens:
            raise ConfigError(
                f"{', '.join(said)} set, but sasl_mechanism={self.sasl_mechanism} needs no token; "
                f"set sasl_mechanism={OAUTHBEARER}"
            )
        if self.has_tokens and not self.sasl_oauth_token_url:
            raise ConfigError(f"sasl_mechanism={OAUTHBEARER} needs sasl_oauth_token_url")

    def _check_ssl(self) -> None:
        said = [one.name for one in fields(self) if one.name.startswith("ssl_") and getattr(self, one.name)]
        if said and not self.has_tls:
            raise ConfigError(
                f"{', '.join(said)} set, but security_protocol={self.security_protocol} has no TLS; "
                f"set security_protocol={'SASL_SSL' if self.has_sasl else 'SSL'}"
            )
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ConfigError("ssl_keyfile is set without ssl_certfile; set both, or neither")
        self.ssl_context()


def _no_passphrase() -> str:
    """Given instead of one, so that OpenSSL does not ask on the terminal."""
    return ""


OPEN = Security()
