"""Encoders from a window to a context, one a file."""

from typing import Protocol

import jax
from flax import nnx

from models.config import ModelConfig
from models.inputs.layout import Layout
from models.network.encoders.average import AverageEncoder
from models.network.encoders.convolution import ConvolutionEncoder
from models.network.encoders.gru import GruEncoder
from models.network.encoders.linear import LinearEncoder
from models.network.encoders.lstm import LstmEncoder


class Encoder(Protocol):
    """Reads the events of windows, oldest first, and gives the context that the interest is made of.

    Attributes:
        width: length of a context.
    """

    width: int

    def __call__(self, inputs: jax.Array, layout: Layout) -> jax.Array:
        """Encode windows.

        Args:
            inputs: `[events, dim]` float32, packed.
            layout: where they stand; empty positions stand before all others and change nothing.

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
