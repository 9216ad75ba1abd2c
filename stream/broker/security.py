"""How to reach a broker that asks who one is: one description, and what each of the four clients wants of it."""

import ssl
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from stream.errors import ConfigError
from stream.settings import Settings, plain

PROTOCOLS = "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"
MECHANISMS = "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"


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
        return {"security_protocol": self.security_protocol, "ssl_context": self.ssl_context(), **self._sasl()}

    def aiokafka(self) -> dict[str, Any]:
        """Arguments of aiokafka's clients: they have kafka-python's names."""
        return self.kafka_python()

    def faust(self) -> Any:
        """Faust's `broker_credentials`; None where nothing is asked for."""
        from faust.auth import SASLCredentials, SSLCredentials  # noqa: PLC0415 - Faust takes a second to import

        context = self.ssl_context()
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
            "sasl.username": self.sasl_username,
            "sasl.password": self._password(),
        }
        return {name: value for name, value in named.items() if value}

    def _sasl(self) -> dict[str, Any]:
        if not self.has_sasl:
            return {}
        return {
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self._password(),
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
