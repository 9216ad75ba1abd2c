"""A state as arrays by name, and what changed in it: applied in order, changes give the state. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
State = dict[str, Array | list[bytes]]


class Change(Protocol):
    """What changed in one array or one list of byte strings.

    Attributes:
        rows: `[n]` int64, ascending rows that are replaced; None where everything is.
        values: `[n, ...]` the new rows, or n byte strings.
        length: rows of the whole afterwards; rows that never changed are zeros, or empty strings.
    """

    @property
    def rows(self) -> Array | None: ...  # noqa: D102
    @property
    def values(self) -> Array | Sequence[bytes]: ...  # noqa: D102
    @property
    def length(self) -> int: ...  # noqa: D102


Changes = Mapping[str, Change]


def apply(state: State, parts: Sequence[Changes]) -> None:
    """Let changes happen to `state`, one after the other, in place."""
    lengths: dict[str, int] = {}
    for changes in parts:
        for name, change in changes.items():
            lengths[name] = max(lengths.get(name, 0), change.length)
    for changes in parts:
        for name, change in changes.items():
            if change.rows is None:
                state[name] = change.values if isinstance(change.values, np.ndarray) else list(change.values)
            elif isinstance(change.values, np.ndarray):
                _set_rows(state, name, change.rows, change.values, lengths[name])
            else:
                _set_strings(state, name, change.rows, change.values, lengths[name])


def _set_rows(state: State, name: str, rows: Array, values: Array, length: int) -> None:
    before = state.get(name)
    if not isinstance(before, np.ndarray) or len(before) < length:  # once for all parts, since they are large
        grown = np.zeros((length, *values.shape[1:]), values.dtype)
        if isinstance(before, np.ndarray):
            grown[: len(before)] = before
        state[name] = before = grown
    before[rows] = values


def _set_strings(state: State, name: str, rows: Array, values: Sequence[bytes], length: int) -> None:
    before = state.get(name)
    if not isinstance(before, list):
        state[name] = before = []
    before.extend([b""] * (length - len(before)))
    for row, value in zip(rows.tolist(), values, strict=True):
        before[row] = value


def flattened(parts: Iterable[Changes]) -> dict[str, Array]:
    """Some changes, to be applied in this order, as plain arrays by name; `unflattened` undoes it."""
    arrays: dict[str, Array] = {}
    for number, changes in enumerate(parts):
        for name, change in changes.items():
            arrays |= {f"{number}|{name}|{what}": array for what, array in _as_arrays(change).items()}
    return arrays


def unflattened(arrays: Mapping[str, Array]) -> list[dict[str, "StoredChange"]]:
    """The changes that were flattened, in their order."""
    parts: dict[int, dict[str, dict[str, Array]]] = {}
    for path, array in arrays.items():
        number, name, what = path.split("|")
        parts.setdefault(int(number), {}).setdefault(name, {})[what] = array
    return [{name: StoredChange(columns) for name, columns in changes.items()} for _, changes in sorted(parts.items())]


class StoredChange:
    """A change as it was flattened."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self.rows = columns.get("rows")
        self.length = int(columns["length"])
        if "lengths" in columns:
            self.values: Array | Sequence[bytes] = _cut(columns["blob"].tobytes(), columns["lengths"])
        else:
            self.values = _untrimmed(columns)


def _as_arrays(change: Change) -> dict[str, Array]:
    columns = {"length": np.array(change.length, np.int64)}
    if change.rows is not None:
        columns["rows"] = change.rows
    if isinstance(change.values, np.ndarray):
        return columns | _trimmed(change.values)
    lengths = np.fromiter(map(len, change.values), np.int32, len(change.values))
    return columns | {"lengths": lengths, "blob": np.frombuffer(b"".join(change.values), np.uint8)}


def _trimmed(values: Array) -> dict[str, Array]:
    """Without the outer columns that are zero in all rows, as most are in windows that are not full."""
    if values.ndim != 2 or not values.size:
        return {"values": values}
    used = np.flatnonzero(values.any(axis=0))
    start, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
    if end - start == values.shape[1]:
        return {"values": values}
    return {"values": values[:, start:end], "columns": np.array([start, values.shape[1]], np.int64)}


def _untrimmed(columns: Mapping[str, Array]) -> Array:
    kept = columns["values"]
    if "columns" not in columns:
        return kept
    start, width = columns["columns"].tolist()
    values = np.zeros((len(kept), width), kept.dtype)
    values[:, start : start + kept.shape[1]] = kept
    return values


def _cut(blob: bytes, lengths: Array) -> list[bytes]:
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    return [blob[start:end] for start, end in zip([0, *ends], ends, strict=False)]
