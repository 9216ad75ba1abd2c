"""What the learner says: of a batch, of the step under way, of popular items and of windows that it has read."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np


@dataclass(frozen=True)
class LearnReport:
    """What one `learn_batch` did.

    Attributes:
        loss: the network's mean loss on a batch some steps before, since this one's is still running; nan where it was
            not finite, and so was not applied, 0 where no example could teach.
        gate_loss: the mixture's mean negative log-likelihood on some of that batch; 0 where it was not taught.
        num_events: examples taken.
        num_skipped: of them, those that could not teach the network: an empty window, or an item that has left.
        num_left_out: of them, those that only the memory learned, since the learner is behind.
        scored: `[scored]` int32, which examples of the batch were ranked.
        ranks: `[scored, rankers]` int32, 0 the top, in the order of `evaluation.RANKERS`.
    """

    loss: float
    gate_loss: float
    num_events: int
    num_skipped: int
    num_left_out: int
    scored: np.ndarray
    ranks: np.ndarray


class Running(NamedTuple):
    """The step that may still be computed.

    Attributes:
        loss: of the network.
        gate_loss: of the gate.
        num_taught: examples that taught the network.
    """

    loss: jax.Array | float
    gate_loss: jax.Array | float
    num_taught: int

    @property
    def is_computed(self) -> bool:
        """Whether asking for the losses waits for nothing."""
        losses = (self.loss, self.gate_loss)
        return all(isinstance(loss, float) or loss.is_ready() for loss in losses)  # type: ignore[attr-defined]

    def ended(self) -> "Ended":
        """Wait for it."""
        return Ended(float(self.loss), float(self.gate_loss), self.num_taught)


class Ended(NamedTuple):
    """A step that has been computed; see `Running`."""

    loss: float
    gate_loss: float
    num_taught: int


class PopularItems(NamedTuple):
    """Items that are seen much of late.

    Attributes:
        slots: `[items]` int32.
        share: `[items]` float32, of the recent events.
    """

    slots: np.ndarray
    share: np.ndarray


class Reading(NamedTuple):
    """Attributes:
    interests: `[windows, dim]` float32 of length 1.
    uncertainties: `[windows]` float32 in [0, 1]; None from a head that knows none.
    """

    interests: np.ndarray
    uncertainties: np.ndarray | None
