"""Events of many records at once, read by a loop without the interpreter's lock: such as most producers send. Pure.

Plain is a flat JSON object without escapes in its texts, whose numbers have no exponent and not too many digits. What
is not plain may be an event all the same, or not: `events.decode_event` decides, and says what is wrong.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from models.compiled import Compiled, inlined
from models.inputs.features import CLICK, KINDS, PURCHASE, SEARCH
from models.saving import Array
from stream.records.events import EVENT_CLASS_OF_KIND, MAX_ID_BYTES, MAX_QUERY_BYTES, MAX_RECORD_BYTES
from stream.records.fetched_records import FetchedRecords, read_batches
from stream.records.packed_records import PackedRecords
from stream.records.record_batch import Origin, record_batch
from stream.records.updates import EncodedRecord

_NAMES = tuple(dict.fromkeys(name for cls in EVENT_CLASS_OF_KIND.values() for name in cls.__struct_fields__))
_USER, _ITEM, _QUERY, _TIME, _EVENT, _SESSION, _VALUE, _QUANTITY, _PRICE, _KIND = map(
    _NAMES.index,
    ("user_id", "item_id", "query", "time_ms", "event_id", "session_id", "value", "quantity", "price", "kind"),
)
_OTHER = len(_NAMES)  # of a member that is ignored
_NUM_NAMES = 1 + len(_NAMES)
_IS_MEMBER = np.array(
    [[name in cls.__struct_fields__ for name in _NAMES] for _, cls in sorted(EVENT_CLASS_OF_KIND.items())]
)
_IS_NUMBER, _IS_REQUIRED, _IS_BOUNDED = (
    np.isin(np.arange(_NUM_NAMES), some)
    for some in (
        [_TIME, _VALUE, _QUANTITY, _PRICE],
        [_USER, _ITEM, _QUERY, _TIME, _KIND],
        [_USER, _ITEM, _QUERY, _EVENT, _SESSION],
    )
)
_MOST_BYTES = np.where(np.arange(_NUM_NAMES) == _QUERY, MAX_QUERY_BYTES, MAX_ID_BYTES)
_NULL = np.frombuffer(b"null", np.uint8)
_OPEN, _CLOSE, _QUOTE, _BACKSLASH, _COLON, _COMMA, _SPACE, _MINUS, _POINT, _0, _9, _N = b'{}"\\:, -.09n'
_DELETE = 0x7F
_IS_PLAIN = np.array([i >= _SPACE and i not in {_BACKSLASH, _DELETE} for i in range(1 + _DELETE)])
_BEGIN_SPACES = {0xC2, 0xE1, 0xE2, 0xE3}  # first bytes of all spaces beyond ASCII, and of much else
_BEGINS_VISIBLE = np.array([_SPACE < i < _DELETE or (i > 0xBF and i not in _BEGIN_SPACES) for i in range(256)])
_KANA = 0xE3, 0x81  # what begins with no less than these, or other bytes beyond the first, is no space
_UTF8 = np.array([  # first bytes from and to, second bytes from and to, and how many bytes it is
    [0xC2, 0xDF, 0x80, 0xBF, 2], [0xE0, 0xE0, 0xA0, 0xBF, 3], [0xE1, 0xEC, 0x80, 0xBF, 3], [0xED, 0xED, 0x80, 0x9F, 3],
    [0xEE, 0xEF, 0x80, 0xBF, 3], [0xF0, 0xF0, 0x90, 0xBF, 4], [0xF1, 0xF3, 0x80, 0xBF, 4], [0xF4, 0xF4, 0x80, 0x8F, 4],
])  # fmt: skip
_MOST_DIGITS = 15  # of which any number, and any power of ten that divides it, is exact: the quotient is the nearest
_TENS = 10.0 ** np.arange(1 + _MOST_DIGITS)


def _table(texts: Sequence[str]) -> tuple[Array, Array]:
    """A row of bytes each, `[n, longest]` uint8, and how long each is."""
    lengths = np.array([len(text) for text in texts])
    return np.array([[*text.encode().ljust(lengths.max())] for text in texts], np.uint8), lengths


_NAME_BYTES, _NAME_LENGTHS = _table(_NAMES)
_KIND_BYTES, _KIND_LENGTHS = _table(KINDS)


class PlainEvents(NamedTuple):
    """Columns of `n` events in log order.

    Attributes:
        content: `[bytes]` uint8, what they were read from.
        users: `[n, 2]` int64, where in `content` the user's id begins and ends.
        subjects: the same of the item's id, or the query.
        event_ids: the same of the event's id; -1, -1 where it has none.
        times_ms: `[n]` int64.
        numbers: `[n]` float64, a click's value, a purchase's worth, and 0 where there is none.
    """

    content: Array
    users: Array
    subjects: Array
    event_ids: Array
    times_ms: Array
    numbers: Array

    @classmethod
    def of(cls, kind: int, records: FetchedRecords, max_future_ms: int) -> Self | None:
        """The events in records of the topic of `kind`; None where any record is not plain, or of a later time.

        Args:
            kind: an index into `KINDS`.
            records: at least one.
            max_future_ms: how far an event may be ahead of its record.
        """
        begins, ends = int(records.spans[0, 0]), int(records.spans[-1, 3])
        if begins < 0 or ends < 0:
            return None
        content, count = np.frombuffer(records.content, np.uint8)[begins:ends], len(records)
        users, subjects, event_ids = (np.empty((count, 2), np.int64) for _ in range(3))
        events = cls(content, users, subjects, event_ids, np.empty(count, np.int64), np.empty(count))
        return events if _read(events, records.spans - begins, records.times_ms, kind, max_future_ms) else None


def compile_reading() -> None:
    """Compile the loops that read records and events, or read them from the cache, before there is anything to read."""
    record = EncodedRecord(b"u", b'{"user_id":"u","item_id":"i","time_ms":0}')
    batch = record_batch(PackedRecords.of([record]), Origin(0, 0, 0), time_ms=0, max_bytes=0)
    if read := read_batches(bytes(batch.content), 0, check_crc=True):
        PlainEvents.of(CLICK, read[0], max_future_ms=0)


@Compiled
def _read(events: PlainEvents, spans: Array, recorded_ms: Array, kind: int, max_future_ms: int) -> bool:
    """Fill all but the content; whether all records are plain."""
    content, about = events.content, _QUERY if kind == SEARCH else _ITEM
    found, numbers = np.empty((_NUM_NAMES, 2), np.int64), np.empty(_NUM_NAMES)
    for i in range(len(spans)):
        found[:] = -1
        is_none = spans[i, 0] < 0 or spans[i, 2] < 0
        if is_none or not _read_members(content[: spans[i, 3]], spans[i, 2], kind, found, numbers):
            return False
        if found[_USER, 0] < 0 or found[about, 0] < 0 or found[_TIME, 0] < 0:
            return False
        if not _is_at(content, found[_USER, 0], found[_USER, 1], content[spans[i, 0] :], spans[i, 1] - spans[i, 0]):
            return False
        if kind == SEARCH and not _is_visible(content, found[about, 0], found[about, 1]):
            return False
        events.times_ms[i] = np.int64(numbers[_TIME])
        if events.times_ms[i] - recorded_ms[i] > max_future_ms:
            return False
        for end in range(2):
            events.users[i, end] = found[_USER, end]
            events.subjects[i, end] = found[about, end]
            events.event_ids[i, end] = found[_EVENT, end]
        events.numbers[i] = _number(kind, found, numbers)
    return True


@inlined
def _number(kind: int, found: Array, numbers: Array) -> float:
    if kind == CLICK:
        return numbers[_VALUE] + 0.0 if found[_VALUE, 0] >= 0 else 0.0  # there is but one 0
    if kind == PURCHASE:
        quantity = numbers[_QUANTITY] if found[_QUANTITY, 0] >= 0 else 1.0
        return quantity * (numbers[_PRICE] if found[_PRICE, 0] >= 0 else 1.0) + 0.0
    return 0.0


@inlined
def _read_members(content: Array, begins: int, kind: int, found: Array, numbers: Array) -> bool:
    """Find the members of the object from `begins` to the end: their places, and numbers; whether it is plain."""
    at, last = begins + 1, len(content) - 1
    if not (1 <= last - begins < MAX_RECORD_BYTES and content[begins] == _OPEN and content[last] == _CLOSE):
        return False
    is_seen, name = 0, -1
    while True:
        begins, at = _text(content, _after_spaces(content, at, last), last)
        if at < 0:
            return False
        name = _name_of(content, begins, at - 1, kind, name + 1)
        at = _after_spaces(content, at, last)
        if content[at] != _COLON or (is_seen >> name) & 1 != 0:
            return False
        begins, ends, number, at = _member(content, _after_spaces(content, at + 1, last), last, name)
        if at < 0 or (name == _KIND and not _is_at(content, begins, ends, _KIND_BYTES[kind], _KIND_LENGTHS[kind])):
            return False
        if name != _OTHER:
            is_seen |= 1 << name
            found[name, 0], found[name, 1], numbers[name] = begins, ends, number
        at = _after_spaces(content, at, last)
        if at == last:
            return True
        if content[at] != _COMMA:
            return False
        at += 1


# Nothing of an object is looked for at or behind `last`, where it closes.


@inlined
def _member(content: Array, at: int, last: int, name: int) -> tuple[int, int, float, int]:
    """Where the text or number of the member of this name begins and ends, -1 for null, the number, and what follows.

    The last is -1 where it is not plain.
    """
    if content[at] == _QUOTE and not _IS_NUMBER[name]:
        begins, after = _text(content, at, last)
        length = after - 1 - begins
        return begins, after - 1, 0.0, after if not _IS_BOUNDED[name] or 1 <= length <= _MOST_BYTES[name] else -1
    if _is_at(content, at, min(at + 4, last), _NULL, 4) and not _IS_REQUIRED[name]:
        return -1, -1, 0.0, at + 4
    if _IS_NUMBER[name] or name == _OTHER:
        number, after = _value(content, at, last, name == _TIME)
        return at, after, number, after
    return -1, -1, 0.0, -1


@inlined
def _after_spaces(content: Array, at: int, last: int) -> int:
    while at < last and content[at] == _SPACE:
        at += 1
    return at


@inlined
def _text(content: Array, at: int, last: int) -> tuple[int, int]:
    """Where the text within quotes begins, and what follows the quotes; -1 and -1 where it is not plain."""
    if at >= last or content[at] != _QUOTE:
        return -1, -1
    end = at + 1
    while end < last:
        byte = content[end]
        if byte == _QUOTE:
            return at + 1, end + 1
        length = int(_IS_PLAIN[byte]) if byte <= _DELETE else _bytes_of_character(content, end, last)
        if length == 0:
            break
        end += length
    return -1, -1


@inlined
def _bytes_of_character(content: Array, at: int, last: int) -> int:
    """Of one beyond ASCII, 0 where it is not UTF-8: see table 3-7 of the Unicode standard."""
    lead = content[at]
    row = 0
    while row < len(_UTF8) and not _UTF8[row, 0] <= lead <= _UTF8[row, 1]:
        row += 1
    if row == len(_UTF8) or at + _UTF8[row, 4] > last:
        return 0
    if not _UTF8[row, 2] <= content[at + 1] <= _UTF8[row, 3]:
        return 0
    for behind in range(at + 2, at + _UTF8[row, 4]):
        if content[behind] >> 6 != 0b10:
            return 0
    return int(_UTF8[row, 4])


@inlined
def _is_visible(content: Array, begins: int, ends: int) -> bool:
    """Whether there is anything that is no space for sure, whatever alphabet it is of."""
    for at in range(begins, ends):
        if _BEGINS_VISIBLE[content[at]] or (content[at] == _KANA[0] and content[at + 1] >= _KANA[1]):
            return True
    return False


@inlined
def _name_of(content: Array, begins: int, ends: int, kind: int, guess: int) -> int:
    """Which of `_NAMES`, `_OTHER` where events of this kind have no such member; mostly they come in their order."""
    for i in range(_OTHER):
        name = (guess + i) % _OTHER
        if _is_at(content, begins, ends, _NAME_BYTES[name], _NAME_LENGTHS[name]):
            return name if _IS_MEMBER[kind, name] else _OTHER
    return _OTHER


@inlined
def _value(content: Array, at: int, last: int, is_whole: bool) -> tuple[float, int]:
    """A number, a whole one from 0 where asked for, and what follows it; -1 where it is not plain."""
    begins = at + (at < last and content[at] == _MINUS)
    whole, at = _digits(content, 0, begins, last)
    num_digits, num_decimals = at - begins, 0
    if at < last and content[at] == _POINT:
        point = at
        whole, at = _digits(content, whole, point + 1, last)
        num_decimals = at - point - 1
        num_digits = num_digits if num_decimals else 0
    is_plain = 0 < num_digits <= _MOST_DIGITS - num_decimals and (content[begins] != _0 or num_digits == 1)
    if is_whole:
        is_plain = is_plain and num_decimals == 0 and content[begins - 1] != _MINUS
    number = whole / _TENS[num_decimals] if is_plain else 0.0
    return -number if content[begins - 1] == _MINUS else number, at if is_plain else -1


@inlined
def _digits(content: Array, before: int, at: int, last: int) -> tuple[int, int]:
    """The number whose digits stand here, after those `before`, and what follows; wrong where they are too many."""
    while at < last and _0 <= content[at] <= _9:
        before = 10 * before + int(content[at]) - _0
        at += 1
    return before, at


@inlined
def _is_at(content: Array, begins: int, ends: int, text: Array, length: int) -> bool:
    """Whether from `begins` to `ends` stands what `text` begins with, `length` bytes."""
    if ends - begins != length:
        return False
    for i in range(length):  # noqa: SIM110 (numba knows no `all`)
        if content[begins + i] != text[i]:
            return False
    return True
