"""Many JSON objects with the same members, laid out in one buffer without the interpreter's lock. Pure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from models.compiled import Compiled, inlined
from models.saving import Array

JSON_DECIMALS = 5  # of a vector's component: the cosine of two such vectors is right to about 3e-6
MORE_DECIMALS = 6  # of a number by itself

_TEXT, _WHOLE, _DECIMAL, _VECTOR = range(4)  # kinds of columns
_WIDEST_WHOLE, _WIDEST_DECIMAL = len(str(2**63)), MORE_DECIMALS + len("-0.")
_WIDEST_COMPONENT = JSON_DECIMALS + len("-0.,")
_HIGH = np.array([[*b"%d.%03d" % divmod(i, 1000)] for i in range(1001)], np.uint8)  # of a component, but for its
_LOW = np.array([[*b"%02d," % i] for i in range(100)], np.uint8)  # last two decimals
_MINUS, _POINT, _ZERO, _OPEN, _CLOSE = b"-.0[]"
_TEN, _ONE, _OVER_100, _SHIFT = map(np.uint64, (10, 10**JSON_DECIMALS, 1_374_389_535, 37))

Column = Sequence[bytes] | Array


class Texts(NamedTuple):
    """The bytes of some texts, `[bytes]` uint8, and where each ends, `[n]` int64."""

    content: Array
    ends: Array

    def apart(self) -> list[bytes]:
        """Each by itself."""
        content, ends = self.content.tobytes(), [0, *self.ends.tolist()]
        return [content[start:end] for start, end in pairwise(ends)]


class _Columns(NamedTuple):
    """Columns of `n` rows, those of a kind together and in order.

    Attributes:
        kinds: `[columns]` int64, of each column in order.
        numbers: `[columns]` int64, which of its kind each is.
        texts: those of all rows of the first column of texts, then of the next.
        wholes: `[columns, n]` int64.
        decimals: `[columns, n]` float64.
        vectors: `[columns, n, dim]` int32, components times `10**JSON_DECIMALS`.
    """

    kinds: Array
    numbers: Array
    texts: Texts
    wholes: Array
    decimals: Array
    vectors: Array


def json_objects(members: Mapping[str, int | Column], keys: Sequence[bytes] | None = None) -> Texts:
    """`[n]` objects, each with all `members` in their order.

    Args:
        members: by name; what all objects have in common as a whole number, other values by column: JSON texts, whole
            numbers from 0 as `[n]` int64, numbers between -10 and 10 as `[n]` float64, vectors of components between
            -1 and 1 as `[n, dim]` float32, with one `dim` for all. At least one is a column; `n` may be 0.
        keys: what is to stand right before each object, as part of the same text.

    Raises:
        ValueError: a number is not between what it should be, or the columns differ in length.
    """
    constants, before = list[bytes](), b"{"
    columns: dict[int, list[Any]] = {kind: [] for kind in (_TEXT, _WHOLE, _DECIMAL, _VECTOR)}
    kinds, numbers = list[int](), list[int]()
    if keys is not None:
        kinds, numbers, constants = [_TEXT], [0], [b""]
        columns[_TEXT].append(keys)
    for name, value in members.items():
        before += b'"%b":' % name.encode()
        if isinstance(value, int):
            before += b"%d," % value
            continue
        kind = _kind_of(value)
        kinds.append(kind)
        numbers.append(len(columns[kind]))
        columns[kind].append(value)
        constants.append(before)
        before = b","
    constants.append(before.rstrip(b",") + b"}")
    texts, wholes, decimals, vectors = columns.values()
    count, dim = len(columns[kinds[0]][0]), vectors[0].shape[1] if vectors else 0
    lengths = {len(column) for of_kind in columns.values() for column in of_kind}
    if lengths != {count}:
        raise ValueError(f"expected columns of one length, got {sorted(lengths)}")
    of_rows = _Columns(
        np.array(kinds),
        np.array(numbers),
        _joined([text for column in texts for text in column]),
        np.array(wholes, np.int64).reshape(len(wholes), count),
        np.array(decimals, np.float64).reshape(len(decimals), count),
        _scaled(vectors).reshape(len(vectors), count, dim),
    )
    return _objects(_joined(constants), of_rows, count)


def _objects(constants: Texts, columns: _Columns, count: int) -> Texts:
    """`constants` stand before, between and after the columns."""
    num_vectors, _, dim = columns.vectors.shape
    width = len(constants.content) + _WIDEST_WHOLE * len(columns.wholes) + _WIDEST_DECIMAL * len(columns.decimals)
    width += (_WIDEST_COMPONENT * dim + len("[]")) * num_vectors
    laid_out = Texts(np.empty(width * count + len(columns.texts.content), np.uint8), np.zeros(count, np.int64))
    if not _lay_out(laid_out, constants, columns):
        raise ValueError("expected whole numbers from 0, numbers between -10 and 10, components between -1 and 1")
    return Texts(laid_out.content[: laid_out.ends[-1] if count else 0], laid_out.ends)


def _kind_of(column: Column) -> int:
    if not isinstance(column, np.ndarray):
        return _TEXT
    return {("i", 1): _WHOLE, ("f", 1): _DECIMAL, ("f", 2): _VECTOR}[column.dtype.kind, column.ndim]


def _joined(texts: Sequence[bytes]) -> Texts:
    return Texts(np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)])[1:])


def _scaled(vectors: Sequence[Array]) -> Array:
    """What is no number becomes one that is out of range."""
    with np.errstate(invalid="ignore"):
        return np.rint(np.array(vectors, np.float32) * np.float32(10**JSON_DECIMALS)).astype(np.int32)


@Compiled
def _lay_out(out: Texts, constants: Texts, columns: _Columns) -> bool:
    """Fill `out`; whether all numbers were as they should be."""
    at, count = 0, len(out.ends)
    for row in range(count):
        for column in range(len(columns.kinds)):
            at = _put_text(out.content, at, constants, column)
            kind, number = columns.kinds[column], columns.numbers[column]
            if kind == _TEXT:
                at = _put_text(out.content, at, columns.texts, number * count + row)
            elif kind == _WHOLE:
                at = _put_whole(out.content, at, columns.wholes[number, row])
            elif kind == _DECIMAL:
                at = _put_decimal(out.content, at, columns.decimals[number, row])
            else:
                at = _put_vector(out.content, at, columns.vectors[number, row])
            if at < 0:
                return False
        at = _put_text(out.content, at, constants, len(columns.kinds))
        out.ends[row] = at
    return True


# Each puts something at `at` and returns where it ends, or -1 where it is not as it should be.


@inlined
def _put_vector(out: Array, at: int, scaled: Array) -> int:
    out[at] = _OPEN
    to = np.uint64(at + 1)  # what has a sign might count from the end, which takes a test each time
    for i in range(len(scaled)):
        size = np.uint64(abs(np.int64(scaled[i])))
        if size > _ONE:
            return -1
        out[to] = _MINUS
        to += np.uint64(scaled[i] < 0)  # or else it is written over
        high = (size * _OVER_100) >> _SHIFT  # size // 100, for which numba would take thrice as long
        low = size - np.uint64(100) * high
        for j in range(np.uint64(5)):
            out[to + j] = _HIGH[high, j]
        for j in range(np.uint64(3)):
            out[to + np.uint64(5) + j] = _LOW[low, j]
        to += np.uint64(8)
    out[to - np.uint64(1)] = _CLOSE
    return int(np.int64(to))


@inlined
def _put_text(out: Array, at: int, texts: Texts, number: int) -> int:
    start, end = texts.ends[number - 1] if number else 0, texts.ends[number]
    into, of = out[at : at + end - start], texts.content[start:end]
    for i in range(len(of)):
        into[i] = of[i]
    return at + end - start


@inlined
def _put_whole(out: Array, at: int, number: int) -> int:
    if number < 0:
        return -1
    rest = np.uint64(number)
    end = at + 1
    while rest >= _TEN:
        rest //= _TEN
        end += 1
    _put_digits(out[at:end], np.uint64(number))
    return end


@inlined
def _put_decimal(out: Array, at: int, number: float) -> int:
    scaled = int(np.rint(abs(number) * 10**MORE_DECIMALS)) if abs(number) < 10 else -1
    if not 0 <= scaled < 10 ** (1 + MORE_DECIMALS):
        return -1
    out[at] = _MINUS
    at += number < 0 and scaled > 0
    end = at + 2 + MORE_DECIMALS
    _put_digits(out[at + 1 : end], np.uint64(scaled))
    out[at], out[at + 1] = out[at + 1], _POINT
    return end


@inlined
def _put_digits(out: Array, number: np.uint64) -> None:
    """All of `out`, with zeros before the number."""
    for place in range(np.uint64(len(out))):
        out[np.uint64(len(out)) - np.uint64(1) - place] = np.uint8(_ZERO) + np.uint8(number % _TEN)
        number //= _TEN
