"""The published interests of all users: the low-pass filter, the drift, and when to emit. Pure numpy, a row a user."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from models.saving import Array
from stream.users.rows import Columns, SavedForm, UserRows

UNIT = np.float32(32_767)  # what 1 is kept as: a component is at most 1.6e-5 off
KEPT_SHARE = 1 / 64  # of the way to an interest, before the long-term one is kept anew; rounding would eat lesser steps


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
    """Long-term interest and last emitted vector of each user, 16 bits a component."""

    def __init__(self, dim: int, rows: int = 1_024) -> None:
        columns = {"long_term": (np.int16, (dim,)), "emitted": (np.int16, (dim,)), "time_ms": (np.int64, ())}
        self.rows = UserRows(columns, rows, form=SavedForm(_saved, _kept))

    def advance(self, users: Array, interest: Array, times_ms: Array, policy: EmissionPolicy) -> Interests:
        """Filter the new interests of some different users.

        The long-term interest follows with `1 - exp(-dt / long_term_ms)`, dt being the event time since what is kept of
        it; a new user's long-term interest is the first interest.

        Args:
            users: `[n]` rows, no two equal.
            interest: `[n, dim]` float32 of length 1.
            times_ms: `[n]` int64, event time of each user's newest event.
            policy: time constant and threshold.
        """
        share, long_term = self._followed(users, interest, times_ms, policy)
        has_moved = share >= KEPT_SHARE
        self.rows["long_term"][users[has_moved]] = _packed(long_term[has_moved])
        self.rows["time_ms"][users[has_moved]] = times_ms[has_moved]
        return _compared(interest, long_term, self._should_emit(users, interest, policy.min_distance))

    def look(self, users: Array, interest: Array, times_ms: Array, policy: EmissionPolicy) -> Interests:
        """What `advance` would say, but that nothing is to be emitted; changes nothing."""
        _, long_term = self._followed(users, interest, times_ms, policy)
        return _compared(interest, long_term, np.zeros(len(users), bool))

    def _followed(
        self, users: Array, interest: Array, times_ms: Array, policy: EmissionPolicy
    ) -> tuple[Array, Array]:
        """How far each long-term interest follows, `[n]` float32, and where it is then, `[n, dim]` float32."""
        kept = self.rows["long_term"][users]
        elapsed = np.maximum(times_ms - self.rows["time_ms"][users], 0) / policy.long_term_ms
        share = np.where(kept.any(1), -np.expm1(-elapsed), 1.0).astype(np.float32)
        return share, (1 - share[:, None]) * _unpacked(kept) + share[:, None] * interest

    def _should_emit(self, users: Array, interest: Array, min_distance: float) -> Array:
        if min_distance == 0:
            return np.ones(len(users), bool)
        emitted = _unpacked(self.rows["emitted"][users])
        moved = 1 - np.einsum("nd,nd->n", interest, emitted) >= min_distance
        self.rows["emitted"][users[moved]] = _packed(interest[moved])
        return moved


def _packed(vectors: Array) -> Array:
    """Float32 in [-1, 1] as int16, which numpy converts ten times as fast as float16."""
    return np.rint(np.clip(vectors, -1, 1) * UNIT).astype(np.int16)


def _unpacked(packed: Array) -> Array:
    return packed.astype(np.float32) / UNIT


def _saved(kept: Columns) -> Columns:
    return {**kept, "long_term": _unpacked(kept["long_term"]), "emitted": _unpacked(kept["emitted"])}


def _kept(saved: Columns) -> Columns:
    return {**saved, "long_term": _packed(saved["long_term"]), "emitted": _packed(saved["emitted"])}


def _compared(interest: Array, long_term: Array, should_emit: Array) -> Interests:
    unit = long_term / np.maximum(np.linalg.norm(long_term, axis=1, keepdims=True), 1e-12)
    drift = np.clip(1 - np.einsum("nd,nd->n", interest, unit), 0, 2)
    return Interests(interest, unit, drift, should_emit)
