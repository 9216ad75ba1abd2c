"""The published interests of all users: the low-pass filter, the drift, and when to emit. Pure numpy, a row a user."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from models.saving import Array
from stream.users.rows import UserRows


@dataclass(frozen=True)
class EmissionPolicy:
    """Attributes:
    long_term_ms: time constant of the low-pass filter, in event time.
    min_distance: cosine distance an interest must have moved since it was last emitted; 0 emits every time.
    """

    long_term_ms: int
    min_distance: float


@dataclass(frozen=True)
class Interests:
    """Interests of some users, ready to be emitted.

    Attributes:
        short_term: `[n, dim]` float32 of length 1.
        long_term: `[n, dim]` float32 of length 1.
        drift: `[n]` float32 in [0, 2], `1 - cos(short_term, long_term)`.
        should_emit: `[n]` bool.
        uncertainty: `[n]` float32 in [0, 1]; None where the model knows none.
    """

    short_term: Array
    long_term: Array
    drift: Array
    should_emit: Array
    uncertainty: Array | None = None

    def take(self, index: Array) -> Self:
        """Those at `index`."""
        columns: dict[str, Array | None] = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: column[index] for name, column in columns.items() if column is not None})


class InterestState:
    """Long-term interest and last emitted vector of each user."""

    def __init__(self, dim: int, rows: int = 1_024) -> None:
        self.rows = UserRows(
            {"long_term": (np.float32, (dim,)), "emitted": (np.float32, (dim,)), "time_ms": (np.int64, ())}, rows
        )

    def advance(self, users: Array, interest: Array, times_ms: Array, policy: EmissionPolicy) -> Interests:
        """Filter the new interests of some different users.

        The long-term interest follows with `1 - exp(-dt / long_term_ms)`, dt being the event time since the user's
        last update; a new user's long-term interest is the first interest.

        Args:
            users: `[n]` rows, no two equal.
            interest: `[n, dim]` float32 of length 1.
            times_ms: `[n]` int64, event time of each user's newest event.
            policy: time constant and threshold.
        """
        is_new = ~self.rows["long_term"][users].any(1)
        elapsed = np.maximum(times_ms - self.rows["time_ms"][users], 0) / policy.long_term_ms
        share = np.where(is_new, 1.0, -np.expm1(-elapsed)).astype(np.float32)[:, None]
        long_term = (1 - share) * self.rows["long_term"][users] + share * interest
        self.rows["long_term"][users] = long_term
        self.rows["time_ms"][users] = np.maximum(times_ms, self.rows["time_ms"][users])
        return _compared(interest, long_term, self._should_emit(users, interest, policy.min_distance))

    def look(self, users: Array, interest: Array) -> Interests:
        """`interest` `[n, dim]` float32 beside the long-term interest of `users` `[n]`; changes nothing."""
        return _compared(interest, self.rows["long_term"][users], np.zeros(len(users), bool))

    def _should_emit(self, users: Array, interest: Array, min_distance: float) -> Array:
        if min_distance == 0:
            return np.ones(len(users), bool)
        moved = 1 - np.einsum("nd,nd->n", interest, self.rows["emitted"][users]) >= min_distance
        self.rows["emitted"][users[moved]] = interest[moved]
        return moved


def _compared(interest: Array, long_term: Array, should_emit: Array) -> Interests:
    unit = long_term / np.maximum(np.linalg.norm(long_term, axis=1, keepdims=True), 1e-12)
    drift = np.clip(1 - np.einsum("nd,nd->n", interest, unit), 0, 2)
    return Interests(interest, unit, drift, should_emit)
