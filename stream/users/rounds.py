"""Splits a micro-batch so that vectorised code still treats the events of one user one after the other."""

from collections.abc import Iterator

import numpy as np


def rounds(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Indices into `rows`, grouped so that no group names a row twice.

    Group r holds the r-th occurrence of every row, so that going through the groups in order goes through the
    occurrences of each row in order.

    Args:
        rows: `[n]` integers.

    Yields:
        `[m]` int64 indices, ascending by row.
    """
    if not len(rows):
        return
    order = np.argsort(rows, kind="stable")
    by_row = rows[order]
    is_first = np.concatenate([[True], by_row[1:] != by_row[:-1]])
    starts = np.flatnonzero(is_first)
    occurrence = np.arange(len(rows)) - starts[np.cumsum(is_first) - 1]
    for r in range(int(occurrence.max()) + 1):
        yield order[occurrence == r]
