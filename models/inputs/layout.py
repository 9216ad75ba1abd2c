"""Where the events of windows stand: packed one after the other for what is done to each, spread out for their order.

Most windows are not full, and empty positions cost as much as events.
So what can be done event by event is done packed.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray | jax.Array  # numpy where it is built, traced by jax inside of a step


class Layout(NamedTuple):
    """The two ways to find an event.

    Attributes:
        at: `[batch, time]` int32, the packed index of each position's event; beyond the end where there is none.
        places: `[events]` int32, for each packed event `row * time + column`; beyond the end for padding.
    """

    at: Array
    places: Array

    @property
    def is_event(self) -> jax.Array:
        """`[batch, time]` bool."""
        return jnp.asarray(self.at < self.places.shape[0])

    def spread(self, packed: jax.Array) -> jax.Array:
        """`[events, width]` as `[batch, time, width]`, zeros where there is no event."""
        return _spread(packed, jnp.asarray(self.at), jnp.asarray(self.places))

    def newest(self, packed: jax.Array) -> jax.Array:
        """`[events, width]` as `[batch, width]`: what stands at the last position, zeros in an empty window."""
        return packed.at[self.at[:, -1]].get(mode="fill", fill_value=0.0)


@jax.custom_vjp
def _spread(packed: jax.Array, at: jax.Array, places: jax.Array) -> jax.Array:
    return packed.at[at].get(mode="fill", fill_value=0.0)


def _forward(packed: jax.Array, at: jax.Array, places: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _spread(packed, at, places), places


def _backward(places: jax.Array, gradient: jax.Array) -> tuple[jax.Array, None, None]:
    """Every event stands once, so a gather will do where jax would add up slowly."""
    rows = gradient.reshape(-1, gradient.shape[-1])
    return rows.at[places].get(mode="fill", fill_value=0.0), None, None


_spread.defvjp(_forward, _backward)
