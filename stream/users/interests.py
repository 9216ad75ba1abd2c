"""The published interests of all users: the low-pass filter, the drift, and when to emit. Pure numpy, a row a user."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from models.compiled import Compiled
from models.saving import Array
from stream.users.rows import Columns, SavedForm, UserRows

UNIT = np.float32(32_767)  # what 1 is kept as: a component is at most 1.6e-5 off
KEPT_SHARE = 1 / 64  # of the way to an interest, before the long-term one is kept anew; rounding would eat lesser steps
KEEP_NOTHING = 2.0  # no share is as much


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
        self.rows = UserRows(columns, rows, form=SavedForm(_as_saved, _as_kept))

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
        share, long_term = self._followed(users, interest, times_ms, policy, KEPT_SHARE)
        has_moved = share >= KEPT_SHARE
        self.rows["time_ms"][users[has_moved]] = times_ms[has_moved]
        return _compared(interest, long_term, self._should_emit(users, interest, policy.min_distance))

    def look(self, users: Array, interest: Array, times_ms: Array, policy: EmissionPolicy) -> Interests:
        """What `advance` would say, but that nothing is to be emitted; changes nothing."""
        _, long_term = self._followed(users, interest, times_ms, policy, KEEP_NOTHING)
        return _compared(interest, long_term, np.zeros(len(users), bool))

    def _followed(
        self, users: Array, interest: Array, times_ms: Array, policy: EmissionPolicy, kept_share: float
    ) -> tuple[Array, Array]:
        """How far each long-term interest follows, `[n]` float32, and its direction then, `[n, dim]` float32.

        Where it follows at least as far as `kept_share` it is kept.
        """
        elapsed = np.maximum(times_ms - self.rows["time_ms"][users], 0) / policy.long_term_ms
        share = np.where(self._has_one(users), -np.expm1(-elapsed), 1.0).astype(np.float32)
        long_term = interest * share[:, None]
        _follow(self.rows["long_term"], users.astype(np.int64), share, kept_share, long_term)
        return share, long_term

    def _has_one(self, users: Array) -> Array:
        return np.asarray(self.rows["long_term"][users].any(1))

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


def _as_saved(kept: Columns) -> Columns:
    return {**kept, "long_term": _unpacked(kept["long_term"]), "emitted": _unpacked(kept["emitted"])}


def _as_kept(saved: Columns) -> Columns:
    return {**saved, "long_term": _packed(saved["long_term"]), "emitted": _packed(saved["emitted"])}


def _compared(interest: Array, long_term: Array, should_emit: Array) -> Interests:
    drift = np.clip(1 - np.einsum("nd,nd->n", interest, long_term), 0, 2)
    return Interests(interest, long_term, drift, should_emit)


@Compiled
def _follow(kept: Array, users: Array, share: Array, kept_share: float, long_term: Array) -> None:
    """Add to `long_term`, which holds `share` of the interests, what stays of those kept; divide it by its length."""
    for i in range(len(users)):
        user, rest, squares = users[i], (np.float32(1) - share[i]) / UNIT, np.float32(0)
        for j in range(long_term.shape[1]):
            long_term[i, j] += rest * kept[user, j]
            squares += long_term[i, j] * long_term[i, j]
        if share[i] >= kept_share:
            for j in range(long_term.shape[1]):
                kept[user, j] = np.rint(max(min(long_term[i, j], np.float32(1)), np.float32(-1)) * UNIT)
        length = max(np.sqrt(squares), np.float32(1e-12))
        for j in range(long_term.shape[1]):
            long_term[i, j] /= length
