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


def apply(state: State, changes: Changes) -> None:
    """Let `changes` happen to `state`, in place."""
    for name, change in changes.items():
        if change.rows is None:
            values = change.values
            state[name] = values if isinstance(values, np.ndarray) else list(values)
        elif isinstance(change.values, np.ndarray):
            state[name] = _with_rows(state.get(name), change.rows, change.values, change.length)
        else:
            state[name] = _with_strings(state.get(name), change.rows, change.values, change.length)


def _with_rows(before: Array | list[bytes] | None, rows: Array, values: Array, length: int) -> Array:
    after = before if isinstance(before, np.ndarray) else np.zeros((0, *values.shape[1:]), values.dtype)
    if len(after) < length:
        grown = np.zeros((length, *values.shape[1:]), values.dtype)
        grown[: len(after)] = after
        after = grown
    after[rows] = values
    return after


def _with_strings(before: Array | list[bytes] | None, rows: Array, values: Sequence[bytes], length: int) -> list[bytes]:
    after = before if isinstance(before, list) else []
    after.extend([b""] * (length - len(after)))
    for row, value in zip(rows.tolist(), values, strict=True):
        after[row] = value
    return after


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
            self.values = columns["values"]


def _as_arrays(change: Change) -> dict[str, Array]:
    columns = {"length": np.array(change.length, np.int64)}
    if change.rows is not None:
        columns["rows"] = change.rows
    if isinstance(change.values, np.ndarray):
        return columns | {"values": change.values}
    lengths = np.fromiter(map(len, change.values), np.int32, len(change.values))
    return columns | {"lengths": lengths, "blob": np.frombuffer(b"".join(change.values), np.uint8)}


def _cut(blob: bytes, lengths: Array) -> list[bytes]:
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    return [blob[start:end] for start, end in zip([0, *ends], ends, strict=False)]
