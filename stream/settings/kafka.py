"""How Kafka is reached, and what the topics are called."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import BaseSettings

from models.inputs.features import KINDS


class KafkaSettings(BaseSettings):
    """The part of the settings that every process has that talks to Kafka."""

    broker: str = Field("localhost:9092", description="Bootstrap address; several are separated by commas.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How the broker is reached: encrypted (SSL), and with a name and a password (SASL)."
    )
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "",
        description="PLAIN (shows the broker the password itself), SCRAM-SHA-256, SCRAM-SHA-512, "
        "or OAUTHBEARER (a token by client credentials).",
    )
    sasl_username: str = Field("", description="User at the broker; for OAUTHBEARER the client id.")
    sasl_password: SecretStr = Field(
        SecretStr(""),
        description="Its password, or the client's secret; better from the environment or a file than as a flag.",
    )
    sasl_password_file: str = Field("", description="File that holds the password, instead of `sasl_password`.")
    sasl_oauth_token_url: str = Field("", description="Token endpoint that OAUTHBEARER asks.")
    sasl_oauth_scope: str = Field("", description="Scope to ask it for, where it wants one.")
    sasl_oauth_cafile: str = Field(
        "", description="Authorities (PEM) of the token endpoint's certificate; empty: the system's."
    )
    ssl_cafile: str = Field(
        "", description="Authorities (PEM) of which one must have signed the broker's certificate; empty: the system's."
    )
    ssl_certfile: str = Field("", description="Our certificate (PEM), where the broker asks for one.")
    ssl_keyfile: str = Field("", description="Its key (PEM, no passphrase); empty where `ssl_certfile` holds it.")
    app_id: str = Field("interest-stream", min_length=1, description="Consumer group.")
    topic_prefix: str = Field("", description="Put before every topic name.")
    clicks_topic: str = Field("clicks", description="Input topic of clicks.")
    purchases_topic: str = Field("purchases", description="Input topic of purchases.")
    searches_topic: str = Field("searches", description="Input topic of searches.")
    updates_topic: str = Field("interest-updates", description="Output topic of interest vectors, compacted.")
    item_vectors_topic: str = Field("item-vectors", description="Output topic of item vectors, compacted.")
    erasures_topic: str = Field("interest-erasures", description="Users to be forgotten, compacted.")
    dead_letters_topic: str = Field("interest-dead-letters", description="Records that could not be used.")
    partitions: PositiveInt = Field(4, description="Partitions of every topic but the dead letters, which have one.")
    replication_factor: PositiveInt = Field(1, description="Replicas of every topic; 3 in production.")
    topic_check: bool = Field(
        True, description="Refuse to start while the topics are not as `topics create` makes them."
    )
    session_timeout_s: Annotated[float, Field(ge=6)] = Field(
        6.0,
        description="Seconds without a heartbeat after which a worker counts as gone, to the broker and to one that "
        "stands by; a broker refuses less than its group.min.session.timeout.ms, 6 s by default.",
    )
    fetch_max_wait_ms: PositiveInt = Field(
        500, description="How long the broker holds a fetch back while it has nothing."
    )
    fetch_max_records: PositiveInt = Field(4_096, description="Records a fetch hands over at the most.")

    @property
    def input_topics(self) -> tuple[str, str, str]:
        """The full names of the topics of clicks, purchases and searches, in the order of `KINDS`."""
        clicks, purchases, searches = (getattr(self, f"{k}_topic") for k in ("clicks", "purchases", "searches"))
        return self.topic_prefix + clicks, self.topic_prefix + purchases, self.topic_prefix + searches

    @property
    def kind_of_topic(self) -> dict[str, int]:
        """The kind of event, as an index into `KINDS`, of each input topic."""
        return dict(zip(self.input_topics, range(len(KINDS)), strict=True))

    @property
    def updates(self) -> str:
        """The full name of the topic of interest updates."""
        return self.topic_prefix + self.updates_topic

    @property
    def item_vectors(self) -> str:
        """The full name of the topic of item vectors."""
        return self.topic_prefix + self.item_vectors_topic

    @property
    def erasures(self) -> str:
        """The full name of the topic of users to be forgotten."""
        return self.topic_prefix + self.erasures_topic

    @property
    def dead_letters(self) -> str:
        """The full name of the topic of dead letters."""
        return self.topic_prefix + self.dead_letters_topic
