"""All settings, validated once: flags win over the environment, that over the file, and that over the defaults."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from models.config import (
    FULL_SOFTMAX_MOST_ITEMS,
    EncoderName,
    HeadName,
    LossName,
    ModelConfig,
    OptimiserName,
    ScheduleName,
)
from stream.errors import ConfigError
from stream.settings.kafka import KafkaSettings
from stream.settings.sources import (
    CONFIG_FILE_VARIABLE,
    DEFAULT_CONFIG_FILE,
    ENV_PREFIX,
    config_file,
    refuse_unknown_variables,
    sentence,
)

__all__ = ["CONFIG_FILE_VARIABLE", "DEFAULT_CONFIG_FILE", "ENV_PREFIX", "Settings", "plain"]

_DEFAULT_MODEL = ModelConfig()

MAX_SLOTS = 2**28  # of items, and of queries: windows keep a slot and a kind of event in 32 bits

PositiveInt = Annotated[int, Field(gt=0)]
Slots = Annotated[int, Field(gt=0, le=MAX_SLOTS)]
Ratio = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]


class Settings(KafkaSettings):
    """Every setting of a worker and of the commands around it."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, protected_namespaces=(), validate_default=True
    )

    # -- Windows and admission
    window_size: Annotated[int, Field(ge=2, le=1_000)] = Field(50, description="Events kept for each user.")
    max_users: PositiveInt = Field(1_000_000, description="Users kept; the least recently active leave first.")
    max_erasures: PositiveInt = Field(
        100_000, description="Erased users remembered, so that old events do not bring them back; the newest stay."
    )
    allowed_lateness_ms: Annotated[int, Field(ge=0, le=2**31)] = Field(
        86_400_000, description="How much older than the user's newest event of its topic an event may be."
    )
    max_future_ms: Annotated[int, Field(ge=0)] = Field(
        300_000, description="How far ahead of its record's timestamp an event time may be."
    )

    max_events_per_minute: Annotated[int, Field(ge=0, le=60_000)] = Field(
        0,
        description="Events of one user and kind that count in a minute of event time, against bots and sources that "
        "repeat themselves; what is beyond is counted and dropped. 0 for any number.",
    )

    value_outlier_deviations: NonNegative = Field(
        0.0,
        description="Values further from their kind's median are pulled in to so many standard deviations, as the "
        "median absolute deviation tells them; 0 leaves all.",
    )
    value_filter: Literal["none", "median", "low_pass"] = Field(
        "none", description="What a window's values go through: none, median (of three) or low_pass."
    )
    value_quantiles: bool = Field(
        False, description="Replace a value by the share of its kind's values that it exceeds, in [0, 1]."
    )

    # -- Flow
    micro_batch_size: PositiveInt = Field(4_096, description="Events that go through one step together at the most.")
    queue_events: PositiveInt = Field(16_384, description="Decoded events that wait at the most; then fetching pauses.")
    learn_after_ms: PositiveInt = Field(
        1_000, description="Age at which waiting examples are learned in a padded batch."
    )

    dead_letter_limit_ratio: Annotated[float, Field(gt=0)] = Field(
        0.5,
        description="Share of a topic's records over a minute that may become dead letters; beyond, the worker stops.",
    )
    watchdog_s: Annotated[float, Field(ge=0)] = Field(
        60.0, description="Seconds without progress, while records wait, after which the worker exits; 0 never does."
    )

    # -- Output
    update_format: Literal["json", "binary"] = Field("json", description="Encoding of updates and item vectors.")
    update_min_distance: Annotated[float, Field(ge=0, le=2)] = Field(
        0.0, description="Cosine distance an interest must have moved since it was last emitted."
    )
    top_items: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="Recommended items in every update, with how probable each is as the next one; 0 for none."
    )
    top_items_leave_out: Literal["nothing", "bought", "seen"] = Field(
        "bought", description="Which items of the user's window are not recommended."
    )
    top_items_diversity: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="How unlike each other recommended items are: 0 the likeliest ones, 1 the least alike."
    )
    long_term_ms: PositiveInt = Field(
        7 * 86_400_000, description="Time constant of the long-term interest's low-pass filter, event time."
    )
    item_vector_min_distance: Annotated[float, Field(ge=0, le=2)] = Field(
        1e-3, description="Cosine distance an item vector must have moved since it was last published."
    )
    item_vector_interval_ms: PositiveInt = Field(1_000, description="An item vector is published at most this often.")

    # -- Model
    learning: bool = Field(
        True, description="Learn from the events; off, what was learned so far is served and windows go on."
    )
    encoder: EncoderName = Field(
        _DEFAULT_MODEL.encoder,
        description="Encoder from window to interest: gru, lstm, linear, convolution or average.",
    )
    head: HeadName = Field(
        _DEFAULT_MODEL.head,
        description="point, or variational: updates then tell how uncertain the interest is.",
    )
    variational_weight: NonNegative = Field(
        _DEFAULT_MODEL.variational_weight, description="Weight of the variational head's divergence in the loss."
    )
    dim: Annotated[int, Field(ge=4, le=1_024)] = Field(_DEFAULT_MODEL.dim, description="Length of the vectors.")
    encoder_window: PositiveInt = Field(
        _DEFAULT_MODEL.encoder_window, description="Newest window positions that the encoder reads."
    )
    max_items: Slots = Field(_DEFAULT_MODEL.max_items, description="Item slots; the items not seen for longest leave.")
    item_admission_count: PositiveInt = Field(
        _DEFAULT_MODEL.item_admission_count,
        description="Occurrences after which an item gets a vector of its own.",
    )
    item_expiry_events: Annotated[int, Field(ge=0)] = Field(
        _DEFAULT_MODEL.item_expiry_events,
        description="Clicks and purchases after which an item that is not among them leaves; 0 keeps it while there is "
        "room.",
    )
    max_queries: Slots = Field(_DEFAULT_MODEL.max_queries, description="Different queries kept.")
    learn_batch_size: Annotated[int, Field(ge=8)] = Field(
        _DEFAULT_MODEL.batch_size, description="Events of one learning step."
    )
    replay_ratio: Annotated[int, Field(ge=0, le=16)] = Field(
        _DEFAULT_MODEL.replay_ratio,
        description="Past examples learned again for each new one while there is time.",
    )
    overload_learn_ratio: Annotated[float, Field(gt=0, le=1)] = Field(
        _DEFAULT_MODEL.overload_learn_ratio,
        description="Share of new events that the network learns while the worker is behind, or late to learn; counts "
        "learn all, and replay may make up for it. 1 learns all and lets events wait.",
    )
    replay_capacity: PositiveInt = Field(_DEFAULT_MODEL.replay_capacity, description="Past examples kept for replay.")
    loss: LossName = Field(
        _DEFAULT_MODEL.loss,
        description="sampled_softmax, full_softmax (small catalogues), binary_cross_entropy or squared_error.",
    )
    optimiser: OptimiserName = Field(_DEFAULT_MODEL.optimiser, description="adam, adamw, adagrad or sgd.")
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        _DEFAULT_MODEL.learning_rate, description="Learning rate of the network."
    )
    row_learning_rate: Annotated[float, Field(gt=0)] = Field(
        _DEFAULT_MODEL.row_learning_rate, description="Learning rate of item and query vectors."
    )
    schedule: ScheduleName = Field(
        _DEFAULT_MODEL.schedule,
        description="How learning rates run: constant, warmup, cosine (with restarts) or inverse_sqrt.",
    )
    schedule_steps: PositiveInt = Field(
        _DEFAULT_MODEL.schedule_steps,
        description="Steps of the warm-up, between the cosine's restarts, or before the inverse square root falls.",
    )
    weight_decay: NonNegative = Field(_DEFAULT_MODEL.weight_decay, description="AdamW's decay of weights.")
    l1: NonNegative = Field(_DEFAULT_MODEL.l1, description="Weight of the L1 penalty on weights and touched vectors.")
    l2: NonNegative = Field(_DEFAULT_MODEL.l2, description="Weight of the L2 penalty on weights and touched vectors.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        _DEFAULT_MODEL.dropout, description="Share of inputs and of the context that a learning step does not see."
    )
    crop: Ratio = Field(
        _DEFAULT_MODEL.crop, description="Share of replayed windows that lose some of their oldest events."
    )
    mask: Ratio = Field(
        _DEFAULT_MODEL.mask, description="Share of events in replayed windows that are left out; never the newest."
    )
    reorder: Ratio = Field(
        _DEFAULT_MODEL.reorder, description="Share of replayed windows whose newest 3 events are shuffled."
    )
    substitute: Ratio = Field(
        _DEFAULT_MODEL.substitute,
        description="Share of items in replayed windows that give way to one visited after them.",
    )
    purchase_weight: Annotated[float, Field(gt=0)] = Field(
        _DEFAULT_MODEL.purchase_weight, description="Weight of a purchase in the loss; a click weighs 1."
    )
    credit_clicks: bool = Field(
        _DEFAULT_MODEL.credit_clicks,
        description="Learn the click that a purchase followed again, with the purchase's weight.",
    )
    memory_half_life: PositiveInt = Field(
        _DEFAULT_MODEL.memory_half_life, description="Events after which a co-visit counts half."
    )
    drift_threshold: NonNegative = Field(
        _DEFAULT_MODEL.drift_threshold,
        description="Drift alarm: by how many standard deviations, in sum, the loss exceeds its mean; 0 raises none.",
    )
    drift_rate_factor: Annotated[float, Field(ge=1, le=10)] = Field(
        _DEFAULT_MODEL.drift_rate_factor, description="What learning rates are multiplied by right after a drift alarm."
    )
    drift_recent_share: Ratio = Field(
        _DEFAULT_MODEL.drift_recent_share,
        description="Share of replayed examples drawn from those since the drift alarm.",
    )
    drift_reaction_events: PositiveInt = Field(
        _DEFAULT_MODEL.drift_reaction_events,
        description="Events learned after a drift alarm until rates and replay are as before.",
    )
    score_sample_ratio: Ratio = Field(
        _DEFAULT_MODEL.score_sample_ratio,
        description="Share of events ranked against the whole catalogue first; beyond 40,000 items so many fewer.",
    )
    seed: int = Field(_DEFAULT_MODEL.seed, description="Seed of all random numbers.")
    num_devices: PositiveInt = Field(
        _DEFAULT_MODEL.num_devices,
        description="Devices of this host, GPUs as a rule, that the vectors and each batch are divided over.",
    )
    gpu_preallocate: bool = Field(False, description="Let jax take 75 % of the GPU's memory at the first operation.")
    compilation_cache: Path = Field(
        Path("~/.cache/interest-stream/xla"),
        description="Where compiled steps are kept between starts. Trusted code: the directory is made private (0700).",
    )

    # -- Checkpoints
    checkpoint_dir: Path = Field(Path("checkpoints/data"), description="Where checkpoints are kept.")
    standby: bool = Field(
        True, description="While another worker owns the checkpoints, wait and take over when it ends; else exit."
    )
    checkpoint_interval_s: Annotated[float, Field(gt=0)] = Field(
        10.0, description="Seconds between checkpoints: what is read again after a crash at the most."
    )
    checkpoints_kept: PositiveInt = Field(3, description="Checkpoints kept; older ones are deleted.")

    accept_gap: bool = Field(
        False, description="Go on although the logs no longer hold the offsets at which the checkpoint ends."
    )

    # -- HTTP
    web_host: str = Field(
        "127.0.0.1", min_length=1, description="Address of the HTTP server; 0.0.0.0 lets other machines in."
    )
    web_port: Annotated[int, Field(ge=0, le=65_535)] = Field(6066, description="Port of the HTTP server; 0 has none.")
    web_token: SecretStr = Field(
        SecretStr(""), description="Asked for as a bearer token by the HTTP server, probes left out; empty asks none."
    )

    # -- Output for people
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line printed."
    )
    log_format: Literal["text", "json"] = Field("text", description="Log lines for people, or a JSON object each.")
    log_ids: bool = Field(
        False, description="Let log lines say why a record was refused in full, ids and queries included."
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.encoder_window > self.window_size:
            raise ValueError(
                f"encoder_window={self.encoder_window} exceeds window_size={self.window_size}; "
                "the encoder cannot read more than is kept"
            )
        if self.loss == "full_softmax" and self.max_items > FULL_SOFTMAX_MOST_ITEMS:
            raise ValueError(
                f"loss=full_softmax compares with every item and max_items={self.max_items}; "
                f"set max_items to at most {FULL_SOFTMAX_MOST_ITEMS}, or loss=sampled_softmax"
            )
        if self.learn_batch_size % self.num_devices:
            raise ValueError(
                f"learn_batch_size={self.learn_batch_size} cannot be shared out evenly over num_devices="
                f"{self.num_devices}; set it to a multiple"
            )
        if self.queue_events < self.micro_batch_size:
            raise ValueError(
                f"queue_events={self.queue_events} is less than micro_batch_size={self.micro_batch_size}; "
                "a full micro-batch would never fit"
            )
        names = [*self.input_topics, self.updates, self.item_vectors, self.erasures, self.dead_letters]
        if len(set(names)) < len(names):
            raise ValueError(f"topic names must differ, got {names}")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the TOML file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())

    @classmethod
    def load(cls, **flags: Any) -> Self:
        """The settings of this process.

        Args:
            flags: what the command line said; `None` means not said.

        Raises:
            ConfigError: a value is unknown, of the wrong type or out of range, in one sentence.
        """
        refuse_unknown_variables(cls.model_fields)
        try:
            return cls(**{name: value for name, value in flags.items() if value is not None})
        except ValidationError as error:
            raise ConfigError("; ".join(sentence(e, _SECRETS) for e in error.errors())) from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"settings file {config_file()}: {error}") from None

    def learner(self) -> ModelConfig:
        """The slice that the model gets."""
        same_name = {
            name: getattr(self, name) for name in ModelConfig.__dataclass_fields__ if name in type(self).model_fields
        }
        return ModelConfig(batch_size=self.learn_batch_size, **same_name)


_SECRETS = {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr}


def plain(value: Any) -> str:
    """A setting's value as another process is told it: not masked."""
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
