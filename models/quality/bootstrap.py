"""How sure a figure is: users are drawn, not predictions, since those of one user are alike. Plain numpy."""

from typing import NamedTuple

import numpy as np

Array = np.ndarray

NUM_DRAWS = 500  # the ends of a 95 % interval then rest on 12 draws each
DRAWS_AT_ONCE = 50  # bounds memory: 50 x 200,000 users x 8 bytes = 80 MB


class Interval(NamedTuple):
    """The middle 95 % of what other users of the same kind would have given."""

    low: float
    high: float


class Comparison(NamedTuple):
    """Two rankers on the same predictions.

    Attributes:
        difference: of their figures.
        low: of the interval of the difference.
        high: of the interval of the difference.
        p_value: how often a difference at least as large comes about when which of the two is which is tossed up for
            each user (sign-flip test, two-sided); never below `1 / (1 + NUM_DRAWS)`.
    """

    difference: float
    low: float
    high: float
    p_value: float


class UserSums:
    """What each user adds to a figure: the predictions of a user in a part are drawn together.

    Args:
        parts: `[n]` int; the figure is the plain mean over parts.
        users: `[n]` int.
    """

    def __init__(self, parts: Array, users: Array) -> None:
        keys = parts.astype(np.int64) << 32 | users.astype(np.int64)
        units, self._unit_of = np.unique(keys, return_inverse=True)
        _, self._part_of = np.unique(units >> 32, return_inverse=True)
        self._counts = self.of(np.ones(len(parts)))

    def of(self, gains: Array) -> Array:
        """Gains `[n]` summed for each user in each part: `[units]`."""
        return np.bincount(self._unit_of, gains)

    def interval(self, sums: Array, rng: np.random.Generator) -> Interval:
        """The interval of a figure, its gains summed by `of`."""
        low, high = np.quantile(self._drawn(sums, rng), [0.025, 0.975])
        return Interval(float(low), float(high))

    def compare(self, sums: Array, others: Array, rng: np.random.Generator) -> Comparison:
        """How much higher the figure of `sums` is than that of `others`."""
        difference = sums - others
        observed = float(self._figure(np.ones((1, len(sums))), difference)[0])
        interval = self.interval(difference, rng)
        flipped = np.concatenate([self._flipped(difference, rng) for _ in range(NUM_DRAWS // DRAWS_AT_ONCE)])
        num_as_large = int((np.abs(flipped) >= abs(observed) - 1e-12).sum())
        return Comparison(observed, *interval, (1 + num_as_large) / (1 + NUM_DRAWS))

    def _drawn(self, sums: Array, rng: np.random.Generator) -> Array:
        """Poisson bootstrap: every user occurs as often as a Poisson variable of mean 1 says."""
        draws = (rng.poisson(1.0, (DRAWS_AT_ONCE, len(sums))) for _ in range(NUM_DRAWS // DRAWS_AT_ONCE))
        return np.concatenate([self._figure(weights.astype(np.float64), sums) for weights in draws])

    def _figure(self, weights: Array, sums: Array) -> Array:
        """The figure for each row of weights `[draws, units]`: `[draws]`."""
        return np.mean([weights[:, at] @ sums[at] / self._total(weights[:, at], at) for at in self._units], axis=0)

    def _flipped(self, difference: Array, rng: np.random.Generator) -> Array:
        signs = 1.0 - 2.0 * rng.integers(0, 2, (DRAWS_AT_ONCE, len(difference)), np.int8)
        return np.mean([signs[:, at] @ difference[at] / self._counts[at].sum() for at in self._units], axis=0)

    def _total(self, weights: Array, at: Array) -> Array:
        return np.maximum(weights @ self._counts[at], 1e-9)

    @property
    def _units(self) -> list[Array]:
        return [np.flatnonzero(self._part_of == part) for part in range(1 + int(self._part_of.max(initial=-1)))]
