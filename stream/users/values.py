"""Cleaning of events' values before the model sees them: outliers, jitter, scale. Pure numpy.

Outliers and quantiles are judged by all users' values of a kind, the filters by a user's own window.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from models.inputs.features import CLICK, KINDS, PURCHASE, WindowBatch
from models.saving import Array, Saved, State

ValueFilter = Literal["none", "median", "low_pass"]

BINS = 512  # of values in [-1, 1]: a step is 3 % of the raw value
REFRESH = 256  # values of a kind after which median, deviation and quantiles are taken anew
HALF_LIFE = 64  # refreshes after which a value counts half: 16,384 values
MAD_TO_SIGMA = 1.4826  # of a normal distribution
FOLLOW = 0.3  # share of a new value in the low-pass filter

_CENTRES = (np.arange(BINS) + 0.5) * 2 / BINS - 1


@dataclass(frozen=True)
class ValuePolicy:
    """Attributes:
    outlier_deviations: values further from the median are pulled in to that distance, in standard deviations as the
        median absolute deviation tells them; 0 leaves all.
    use_quantiles: a value becomes the share of values that it exceeds, in [0, 1].
    """

    outlier_deviations: float = 0.0
    use_quantiles: bool = False

    @property
    def is_idle(self) -> bool:
        """Nothing would change."""
        return not (self.outlier_deviations or self.use_quantiles)


AS_THEY_ARE = ValuePolicy()


class ValueSketch(Saved):
    """A fading histogram of the values of each kind; 0 stands for no value and is left alone.

    Values are cleaned by those before them in the order of arrival; how they are cut into calls makes no difference.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts = np.zeros((len(KINDS), BINS), np.float64)
        self._known = np.zeros((len(KINDS), BINS), np.float64)
        self._num_values = np.zeros(len(KINDS), np.int64)

    def clean(self, kinds: Array, values: Array, policy: ValuePolicy) -> Array:
        """The values cleaned, and remembered as they were.

        Args:
            kinds: `[n]` int8, in the order of arrival.
            values: `[n]` float16 in [-1, 1], 0 for none.
            policy: what is to be done.

        Returns:
            `[n]` float16.
        """
        if policy.is_idle:
            return values
        cleaned = values.copy()
        for kind in range(len(KINDS)):
            own = np.flatnonzero((kinds == kind) & (values != 0))
            for at in self._until_refresh(kind, own):
                cleaned[at] = self._cleaned(kind, values[at].astype(np.float64), policy)
                np.add.at(self._counts[kind], _bins(values[at]), 1.0)
                self._num_values[kind] += len(at)
                if self._num_values[kind] % REFRESH == 0:
                    self._counts[kind] *= 0.5 ** (1 / HALF_LIFE)
                    self._known[kind] = self._counts[kind]
        return cleaned

    def _until_refresh(self, kind: int, own: Array) -> Iterator[Array]:
        while len(own):
            room = REFRESH - int(self._num_values[kind]) % REFRESH
            yield own[:room]
            own = own[room:]

    def _cleaned(self, kind: int, values: Array, policy: ValuePolicy) -> Array:
        known = self._known[kind]
        if policy.outlier_deviations and known.any():
            median = _median(_CENTRES, known)
            mad = max(_median(np.abs(_CENTRES - median), known), 1 / BINS)
            reach = policy.outlier_deviations * MAD_TO_SIGMA * mad
            values = np.clip(values, median - reach, median + reach)
        return _quantiles(values, known) if policy.use_quantiles else values

    def wholes(self) -> Mapping[str, Array]:
        """Everything."""
        return {"counts": self._counts, "known": self._known, "num_values": self._num_values}

    def restore(self, state: State) -> None:
        """Become what `state` came from; a state of before there was a sketch has none."""
        for name, mine in self.wholes().items():
            mine[:] = state.get(name, 0)


def _bins(values: Array) -> Array:
    return np.clip((values.astype(np.float64) + 1) * BINS / 2, 0, BINS - 1).astype(np.int64)


def _median(of: Array, weights: Array) -> float:
    order = np.argsort(of, kind="stable")
    total = np.cumsum(weights[order])
    return float(of[order[np.searchsorted(total, total[-1] / 2)]])


def _quantiles(values: Array, known: Array) -> Array:
    """The share of known values below each, its own bin half; one half while nothing is known."""
    if not known.any():
        return np.full(len(values), 0.5)
    bins = _bins(values)
    return (np.cumsum(known)[bins] - known[bins] / 2) / known.sum()


def smooth(windows: WindowBatch, value_filter: ValueFilter) -> WindowBatch:
    """Windows whose values are filtered, each by those before it of the same kind; what has no value keeps none.

    `median` takes the middle one of the last three, so that a single jump never shows; `low_pass` follows slowly.
    """
    if value_filter == "none":
        return windows
    values = windows.values.astype(np.float32)
    filtered = values.copy()
    for kind in (CLICK, PURCHASE):
        has_value = (windows.kinds == kind) & (values != 0) & (windows.slots != 0)
        filtering = _medians(values, has_value) if value_filter == "median" else _low_passed(values, has_value)
        filtered[has_value] = filtering[has_value]
    return replace(windows, values=filtered.astype(np.float16))


def _medians(values: Array, has_value: Array) -> Array:
    """`[batch, time]`; the first two of a window as they are."""
    out, last = values.copy(), np.full((2, len(values)), np.nan, np.float32)
    for at in range(values.shape[1]):
        there, now = has_value[:, at], values[:, at]
        middle = np.sort(np.stack([*last, now]), axis=0)[1]
        out[:, at] = np.where(np.isnan(last).any(0), now, middle)
        last = np.where(there, np.stack([last[1], now]), last)
    return out


def _low_passed(values: Array, has_value: Array) -> Array:
    out, level = values.copy(), np.full(len(values), np.nan, np.float32)
    for at in range(values.shape[1]):
        there, now = has_value[:, at], values[:, at]
        followed = np.where(np.isnan(level), now, level + FOLLOW * (now - level))
        level = np.where(there, followed, level)
        out[:, at] = followed
    return out
