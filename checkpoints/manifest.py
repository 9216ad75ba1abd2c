"""What a checkpoint says about itself. Knows nothing of Kafka's clients or of the model."""

from typing import Any

import msgspec

MANIFEST_VERSION = 1


class Manifest(msgspec.Struct, frozen=True):
    """The small part of a checkpoint, readable without its arrays.

    Attributes:
        version: of this layout.
        saved_at_ms: wall clock.
        model_step: learning steps behind the state.
        next_offsets: where to read on, by topic and partition.
        ledger: what became of every record, by topic.
        fingerprint: the settings that the state cannot do without, by name.
        incarnation: how many processes have owned this state, the one that saved it included.
        num_erasures: erasures applied so far; a checkpoint with fewer still holds somebody who wanted to be forgotten.
    """

    version: int
    saved_at_ms: int
    model_step: int
    next_offsets: dict[str, dict[int, int]]
    ledger: dict[str, dict[str, int]]
    fingerprint: dict[str, Any]
    incarnation: int = 0
    num_erasures: int = 0

    def is_of_same_state(self, other: "Manifest") -> bool:
        """Whether nothing has been applied or learned between the two."""
        return msgspec.structs.replace(self, saved_at_ms=other.saved_at_ms) == other


def to_json(manifest: Manifest) -> dict[str, Any]:
    """The manifest as plain JSON values."""
    return msgspec.to_builtins(manifest, str_keys=True)


def from_json(value: Any) -> Manifest:
    """The manifest in plain JSON values.

    Raises:
        ValueError: it is none, or of a version that this program does not know.
    """
    manifest = msgspec.convert(value, Manifest, strict=False)
    if manifest.version != MANIFEST_VERSION:
        raise ValueError(f"expected a manifest of version {MANIFEST_VERSION}, got {manifest.version}")
    return manifest
