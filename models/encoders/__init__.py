"""Encoders from a window to a context, one a file."""

from typing import Protocol

import jax
from flax import nnx

from models.batches import Array
from models.config import ModelConfig
from models.encoders.average import AverageEncoder
from models.encoders.convolution import ConvolutionEncoder
from models.encoders.gru import GruEncoder
from models.encoders.linear import LinearEncoder
from models.encoders.lstm import LstmEncoder


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
            is_real: `[batch, time]` bool; empty positions stand before all others and change nothing.

        Returns:
            `[batch, width]` float32.
        """
        ...


def build_encoder(config: ModelConfig, rngs: nnx.Rngs) -> Encoder:
    """The encoder that the settings name."""
    match config.encoder:
        case "gru":
            return GruEncoder(config.dim, rngs)
        case "lstm":
            return LstmEncoder(config.dim, rngs)
        case "linear":
            return LinearEncoder(config.dim, rngs)
        case "convolution":
            return ConvolutionEncoder(config.dim, config.encoder_window, rngs)
        case "average":
            return AverageEncoder(config.dim)
