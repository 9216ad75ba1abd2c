"""What the model reads: window positions and examples as arrays. Knows nothing of users, strings or clocks."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

CLICK, PURCHASE, SEARCH = 0, 1, 2
KINDS = ("click", "purchase", "search")

NUM_GAP_BUCKETS = 24  # log2 of seconds up to 2**22 s = 48 days; 0 is "no earlier event", 23 is "longer"


def gap_buckets(gap_ms: np.ndarray) -> np.ndarray:
    """Log-bucketed time gaps.

    Args:
        gap_ms: `[...]` int64, milliseconds since the earlier event, negative where there is none.

    Returns:
        `[...]` uint8 in `[0, NUM_GAP_BUCKETS)`; 0 where there is no earlier event, 1 for less than a second.
    """
    seconds = np.maximum(gap_ms, 0) // 1000
    bucket = 1 + np.ceil(np.log2(seconds + 1.0)).astype(np.int64)
    return np.where(gap_ms < 0, 0, np.minimum(bucket, NUM_GAP_BUCKETS - 1)).astype(np.uint8)


@dataclass(frozen=True)
class WindowBatch:
    """The newest positions of some windows, oldest first, right-aligned.

    Attributes:
        slots: `[batch, time]` int32. 0 is an empty position, `s > 0` the item slot s, `-q < 0` the query slot q.
        kinds: `[batch, time]` int8, an index into `KINDS`; 0 in empty positions.
        gaps: `[batch, time]` uint8, see `gap_buckets`, since the position before.
        values: `[batch, time]` float16, the normalised value of the event, 0 where it has none.
    """

    slots: np.ndarray
    kinds: np.ndarray
    gaps: np.ndarray
    values: np.ndarray

    @classmethod
    def empty(cls, batch: int, time: int) -> Self:
        """A batch of empty windows."""
        return cls(
            np.zeros((batch, time), np.int32),
            np.zeros((batch, time), np.int8),
            np.zeros((batch, time), np.uint8),
            np.zeros((batch, time), np.float16),
        )

    def __len__(self) -> int:
        return len(self.slots)

    def newest(self, time: int) -> Self:
        """The newest `time` positions of each window, with empty ones before them where there are fewer."""
        lacking = time - self.slots.shape[1]
        if lacking <= 0:
            return type(self)(*(getattr(self, f.name)[:, -lacking:] for f in fields(self)))
        pad = ((0, 0), (lacking, 0))
        return type(self)(*(np.pad(getattr(self, f.name), pad) for f in fields(self)))

    def take(self, index: np.ndarray | slice) -> Self:
        """The rows at `index`."""
        return type(self)(*(getattr(self, f.name)[index] for f in fields(self)))

    def keep(self, is_kept: np.ndarray) -> Self:
        """Only the positions where `is_kept` `[batch, time]` bool, moved together to the right."""
        order = np.argsort(is_kept, axis=1, kind="stable")
        kept = np.take_along_axis(is_kept, order, axis=1)
        columns = (np.take_along_axis(getattr(self, f.name), order, axis=1) for f in fields(self))
        return type(self)(*(np.where(kept, column, np.zeros((), column.dtype)) for column in columns))

    def put(self, index: np.ndarray, rows: Self) -> None:
        """Overwrite the rows at `index`."""
        for f in fields(self):
            getattr(self, f.name)[index] = getattr(rows, f.name)


@dataclass(frozen=True)
class Examples:
    """What happened next, and the window before it.

    Attributes:
        windows: the windows before the events, `[batch, time]`.
        targets: `[batch]` int32, the item slot that was clicked or bought, > 0.
        kinds: `[batch]` int8, `CLICK` or `PURCHASE`.
    """

    windows: WindowBatch
    targets: np.ndarray
    kinds: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, index: np.ndarray | slice) -> Self:
        """The examples at `index`."""
        return type(self)(self.windows.take(index), self.targets[index], self.kinds[index])
