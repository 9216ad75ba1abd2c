"""Which string is in which slot: a dict where they are few, a few bytes more than the strings where they are many."""

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise, repeat
from typing import NamedTuple, Protocol, Self

import numpy as np

from models.compiled import Compiled, Number, inlined
from models.saving import Array

MAX_KEY_BYTES = 256  # of UTF-8 that `PackedKeys` can keep; 1 at the least
UNIT = 4  # bytes: where a packed key begins is told in 31 bits, in units of these
MAX_UNITS = 2**31 - 1
RESERVED_BYTES = 128  # of addresses for each packed key; where keys are longer, all are copied once to twice the room
LISTED_AT_ONCE = 4_096


class Keys(Protocol):
    """Different strings, each in a slot of its own."""

    def __len__(self) -> int:
        """How many."""

    def __iter__(self) -> Iterator[str]:
        """All strings."""

    def get(self, key: str) -> int:
        """The slot of a string, 0 for one that is not here."""

    def find(self, keys: Sequence[str]) -> Array:
        """The slots of strings, 0 for one that is not here: `[keys]` int32."""

    def put(self, keys: Sequence[bytes], slots: Array) -> None:
        """Put different strings that are not here, in UTF-8, into free slots: `[keys]` int32."""

    def drop(self, slots: Array) -> None:
        """Let the strings go that are in `[slots]` int32, no two equal; nothing of them remains."""

    def encoded(self, slots: Array) -> list[bytes]:
        """What is in `[slots]`, in UTF-8; empty where nothing is."""

    def key_of(self, slot: int) -> str | None:
        """What is in a slot."""


class FewKeys:
    """A dict and a list: found fastest, some 150 bytes each."""

    def __init__(self) -> None:
        self._slot_of: dict[str, int] = {}
        self._key_of: list[str] = []

    def __len__(self) -> int:
        return len(self._slot_of)

    def __iter__(self) -> Iterator[str]:
        """The first that came first."""
        return iter(self._slot_of)

    def get(self, key: str) -> int:
        """As of `Keys`."""
        return self._slot_of.get(key, 0)

    def find(self, keys: Sequence[str]) -> Array:
        """As of `Keys`."""
        return np.fromiter(map(self._slot_of.get, keys, repeat(0)), np.int32, len(keys))

    def put(self, keys: Sequence[bytes], slots: Array) -> None:
        """As of `Keys`."""
        self._key_of.extend([""] * (1 + int(slots.max(initial=0)) - len(self._key_of)))
        for encoded, slot in zip(keys, slots.tolist(), strict=True):
            key = encoded.decode()
            self._slot_of[key], self._key_of[slot] = slot, key

    def drop(self, slots: Array) -> None:
        """As of `Keys`."""
        for slot in slots.tolist():
            del self._slot_of[self._key_of[slot]]
            self._key_of[slot] = ""

    def encoded(self, slots: Array) -> list[bytes]:
        """As of `Keys`."""
        return [(self.key_of(slot) or "").encode() for slot in slots.tolist()]

    def key_of(self, slot: int) -> str | None:
        """As of `Keys`."""
        key = self._key_of[slot] if 0 <= slot < len(self._key_of) else ""
        return key if self._slot_of.get(key) == slot else None


class PackedKeys:
    """A hash table of slots, and the strings in one array; found together they are found as fast as in a dict.

    Args:
        end: one past the highest slot.
    """

    def __init__(self, end: int) -> None:
        self._packed = _Packed.empty(end)
        self._num_keys = 0

    @property
    def bytes_per_key(self) -> int:
        """What a string takes, but for itself."""
        return sum(array.nbytes for array in (self._packed.table, self._packed.cells)) // len(self._packed.cells)

    def __len__(self) -> int:
        return self._num_keys

    def __iter__(self) -> Iterator[str]:
        """In the order of their slots."""
        for start in range(0, len(self._packed.cells), LISTED_AT_ONCE):
            cells = self._packed.cells[start : start + LISTED_AT_ONCE]
            yield from (key.decode() for key in self.encoded(start + np.flatnonzero(cells)))

    def get(self, key: str) -> int:
        """As of `Keys`."""
        return int(self.find([key])[0])

    def find(self, keys: Sequence[str]) -> Array:
        """As of `Keys`."""
        slots = np.zeros(len(keys), np.int32)
        _find(self._packed, *_joined(keys), slots)
        return slots

    def put(self, keys: Sequence[bytes], slots: Array) -> None:
        """As of `Keys`; raises ValueError for a key that is too long or empty."""
        lengths = np.fromiter(map(len, keys), np.int64, len(keys))
        if len(keys) and not 1 <= lengths.min() <= lengths.max() <= MAX_KEY_BYTES:
            raise ValueError(f"expected keys of 1 to {MAX_KEY_BYTES} bytes, got {lengths.min()} to {lengths.max()}")
        self._make_room(int(_units(lengths).sum()))
        _put(self._packed, np.frombuffer(b"".join(keys), np.uint8), np.cumsum(lengths), slots)
        self._num_keys += len(keys)

    def drop(self, slots: Array) -> None:
        """As of `Keys`."""
        _drop(self._packed, slots)
        self._num_keys -= len(slots)

    def encoded(self, slots: Array) -> list[bytes]:
        """As of `Keys`."""
        starts = UNIT * self._packed.cells[slots].astype(np.int64)
        ends = np.cumsum(np.where(starts > 0, 1 + self._packed.bytes[starts].astype(np.int64), 0))
        blob = np.empty(ends[-1] if len(ends) else 0, np.uint8)
        _gather(self._packed, starts, ends, blob)
        text = blob.tobytes()
        return [text[start:end] for start, end in pairwise([0, *ends.tolist()])]

    def key_of(self, slot: int) -> str | None:
        """As of `Keys`."""
        is_there = 0 <= slot < len(self._packed.cells) and self._packed.cells[slot]
        return self.encoded(np.array([slot]))[0].decode() if is_there else None

    def _make_room(self, units: int) -> None:
        needed, before = int(self._packed.counts[0]) + units, self._packed.words
        if needed > MAX_UNITS:
            raise ValueError(f"{self._num_keys} keys and those to come take more than {MAX_UNITS * UNIT} bytes")
        if needed > len(before):
            words = np.zeros(max(needed, 2 * len(before)), np.int32)
            words[: len(before)] = before
            self._packed = self._packed._replace(words=words, bytes=words.view(np.uint8))


def _joined(keys: Sequence[str]) -> tuple[Array, Array]:
    """Strings in UTF-8, one after the other, and where each ends, `[keys]` int64."""
    text = "".join(keys)
    blob = text.encode()
    lengths = map(len, keys) if len(blob) == len(text) else (len(key.encode()) for key in keys)
    return np.frombuffer(blob, np.uint8), np.cumsum(np.fromiter(lengths, np.int64, len(keys)))


class _Packed(NamedTuple):
    """What compiled loops see.

    A cell is a byte that holds the key's length less 1, and the key. One that is free begins with the next free one of
    as many units.

    Attributes:
        table: `[2 * slots]` int32, open addressing with linear probing: the slot of a key is at its home or behind.
        cells: `[slots]` int32, the unit where each slot's cell begins; 0 for none.
        words: int32, a unit each.
        bytes: the same as uint8.
        free: `[units of a cell]` int64, the first free cell of so many units; 0 for none.
        counts: `[1]` int64, units that were ever taken; the first stands for none.
        secret: `[1]` uint64, another in each process: nobody can send keys that all have the same home.
    """

    table: Array
    cells: Array
    words: Array
    bytes: Array
    free: Array
    counts: Array
    secret: Array

    @classmethod
    def empty(cls, end: int) -> Self:
        """Room for slots below `end`."""
        words = np.zeros(1 + end * RESERVED_BYTES // UNIT, np.int32)
        free = np.zeros(2 + MAX_KEY_BYTES // UNIT, np.int64)
        table, cells = np.zeros(2 * end, np.int32), np.zeros(end, np.int32)
        secret = np.frombuffer(os.urandom(8), np.uint64)
        return cls(table, cells, words, words.view(np.uint8), free, np.ones(1, np.int64), secret)


@inlined
def _units(length: Number) -> Number:
    """Of a cell with a key of `length` bytes."""
    return length // UNIT + 1


@inlined
def _home(packed: _Packed, blob: Array, start: int, end: int) -> int:
    """FNV-1a from a secret on, mixed once more, scaled to the table."""
    mixed = packed.secret[0]
    for at in range(start, end):
        mixed = (mixed ^ np.uint64(blob[at])) * np.uint64(0x100000001B3)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return int(np.int64(((mixed >> np.uint64(32)) * np.uint64(len(packed.table))) >> np.uint64(32)))


@inlined
def _is_in(packed: _Packed, slot: int, blob: Array, start: int, end: int) -> bool:
    cell = UNIT * int(packed.cells[slot])
    if packed.bytes[cell] != end - start - 1:
        return False
    for at in range(end - start):  # noqa: SIM110 (numba knows no `all`)
        if packed.bytes[cell + 1 + at] != blob[start + at]:
            return False
    return True


@inlined
def _next(packed: _Packed, at: int) -> int:
    return at + 1 if at + 1 < len(packed.table) else 0


@inlined
def _entry(packed: _Packed, blob: Array, start: int, end: int) -> int:
    """Where the table has a key, or would have it."""
    at = _home(packed, blob, start, end)
    while packed.table[at] != 0 and not _is_in(packed, packed.table[at], blob, start, end):
        at = _next(packed, at)
    return at


@Compiled
def _find(packed: _Packed, blob: Array, ends: Array, slots: Array) -> None:
    start = 0
    for i in range(len(slots)):
        if 0 < ends[i] - start <= MAX_KEY_BYTES:
            slots[i] = packed.table[_entry(packed, blob, start, ends[i])]
        start = ends[i]


@inlined
def _taken_cell(packed: _Packed, units: int) -> int:
    cell = int(packed.free[units])
    if cell == 0:
        cell = int(packed.counts[0])
        packed.counts[0] += units
    else:
        packed.free[units] = packed.words[cell]
    return cell


@Compiled
def _put(packed: _Packed, blob: Array, ends: Array, slots: Array) -> None:
    start = 0
    for i in range(len(slots)):
        length = ends[i] - start
        packed.table[_entry(packed, blob, start, ends[i])] = slots[i]
        cell = _taken_cell(packed, _units(length))
        packed.cells[slots[i]] = cell
        packed.bytes[UNIT * cell] = length - 1
        for at in range(length):
            packed.bytes[UNIT * cell + 1 + at] = blob[start + at]
        start = ends[i]


@inlined
def _end_of(packed: _Packed, cell: int) -> int:
    return int(UNIT * cell + 2 + packed.bytes[UNIT * cell])


@inlined
def _clear(packed: _Packed, at: int) -> None:
    """Empty an entry; those behind that could not be at home because of it move up."""
    size, hole, behind = len(packed.table), at, _next(packed, at)
    while packed.table[behind] != 0:
        cell = int(packed.cells[packed.table[behind]])
        home = _home(packed, packed.bytes, UNIT * cell + 1, _end_of(packed, cell))
        if (behind - home) % size >= (behind - hole) % size:
            packed.table[hole] = packed.table[behind]
            hole = behind
        behind = _next(packed, behind)
    packed.table[hole] = 0


@Compiled
def _drop(packed: _Packed, slots: Array) -> None:
    for slot in slots:
        cell = int(packed.cells[slot])
        end = _end_of(packed, cell)
        _clear(packed, _entry(packed, packed.bytes, UNIT * cell + 1, end))
        units = _units(end - UNIT * cell - 1)
        packed.words[cell : cell + units] = 0
        packed.words[cell] = packed.free[units]
        packed.free[units] = cell
        packed.cells[slot] = 0


@Compiled
def _gather(packed: _Packed, starts: Array, ends: Array, blob: Array) -> None:
    """Keys whose cells begin at the bytes `starts`, 0 for none, to `blob`."""
    to = 0
    for i in range(len(starts)):
        for at in range(ends[i] - to):
            blob[to + at] = packed.bytes[starts[i] + 1 + at]
        to = ends[i]
