"""Encoders from a window to a context, one a file."""

from typing import Protocol

import jax
from flax import nnx

from models.batches import Array
from models.config import ModelConfig
from models.encoders.gru import GruEncoder


class Encoder(Protocol):
    """Reads the positions of windows, oldest first, and gives the context that the interest is made of.

    Attributes:
        width: length of a context.
    """

    width: int

    def __call__(self, inputs: jax.Array, is_real: Array) -> jax.Array:
        """Encode windows.

        Args:
            inputs: `[batch, time, dim]` float32, 0 in empty positions.
            is_real: `[batch, time]` bool; an empty position must change nothing, wherever it stands.

        Returns:
            `[batch, width]` float32.
        """
        ...


def build_encoder(config: ModelConfig, rngs: nnx.Rngs) -> Encoder:
    """The encoder that the settings name."""
    match config.encoder:
        case "gru":
            return GruEncoder(config.dim, rngs)
        case name:
            raise ValueError(f"encoder={name!r} is unknown; expected one of: gru")
