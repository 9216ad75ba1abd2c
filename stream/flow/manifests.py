"""What the manifests of a worker say: the settings that its state cannot do without, and where to read on."""

from collections.abc import Mapping
from typing import Any

from faust.types import TP

from checkpoints.manifest import Manifest
from stream.errors import ConfigError
from stream.settings import Settings

FINGERPRINT = (
    "encoder",
    "head",
    "optimiser",
    "dim",
    "encoder_window",
    "window_size",
    "max_items",
    "max_queries",
    "replay_capacity",
    "partitions",
    "input_topics",
)


def fingerprint(settings: Settings) -> dict[str, Any]:
    """Those settings by name, as a manifest has them."""
    values = {name: getattr(settings, name) for name in FINGERPRINT}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def check_fingerprint(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that was made with other settings.

    Raises:
        ConfigError: says which differ.
    """
    differing = [
        f"{name} was {saved.get(name)!r} and is {current[name]!r}"
        for name in current
        if saved.get(name) != current[name]
    ]
    if differing:
        raise ConfigError(
            f"the checkpoint was made with other settings: {'; '.join(differing)}; "
            "set them back, or start afresh with another checkpoint_dir"
        )


def next_offsets(manifest: Manifest) -> dict[TP, int]:
    """Where a checkpoint says to read on."""
    return {
        TP(topic, partition): offset
        for topic, of_partition in manifest.next_offsets.items()
        for partition, offset in of_partition.items()
    }


def by_topic(next_offset_of: Mapping[TP, int]) -> dict[str, dict[int, int]]:
    """The same as a manifest has it."""
    offsets: dict[str, dict[int, int]] = {}
    for tp, offset in next_offset_of.items():
        offsets.setdefault(tp.topic, {})[tp.partition] = offset
    return offsets
