import pytest
from faust.types import TP

from models.inputs.features import CLICK
from stream.flow.agents import decode_chunk
from stream.flow.columns import EventColumns
from stream.records.dead_letters import MAX_KEPT_BYTES
from stream.records.events import encode_event
from tests.support.batches import fetched
from tests.support.builders import A_POLICY, NOW_MS, ARecord, a_click

TP0 = TP("clicks", 0)


def a_good_record(offset: int, time_ms: int = NOW_MS) -> ARecord:
    key, value = encode_event(a_click(time_ms=time_ms))
    return ARecord(value, key, offset=offset)


def decoded(*records: ARecord):
    return decode_chunk(TP0, CLICK, records, A_POLICY, NOW_MS + 1)


def test_a_record_that_cannot_be_used_does_not_stop_the_next():
    chunk = decoded(a_good_record(4), ARecord(b"{", offset=5), a_good_record(7))

    assert (len(chunk.events), len(chunk.hashes), len(chunk.dead_letters)) == (2, 2, 1)
    assert (chunk.num_records, chunk.next_offset) == (3, 8)


def test_a_dead_letter_says_what_was_wrong_and_where_it_came_from():
    (letter,) = decoded(ARecord(b"{", offset=5)).dead_letters

    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (b"u1", b"{")
    assert headers["error.reason"] == b"not_json"
    assert headers["error.detail"]
    assert (headers["source.topic"], headers["source.partition"], headers["source.offset"]) == (b"clicks", b"0", b"5")
    assert headers["failed_at_ms"] == str(NOW_MS + 1).encode()


def test_an_event_from_the_future_is_a_dead_letter():
    (letter,) = decoded(a_good_record(1, time_ms=NOW_MS + A_POLICY.max_future_ms + 1)).dead_letters

    assert dict(letter.headers)["error.reason"] == b"in_future"


def test_a_value_too_long_for_a_broker_is_cut_and_says_so():
    (letter,) = decoded(ARecord(b"x" * 1_000_000)).dead_letters

    assert len(letter.value) == MAX_KEPT_BYTES
    assert dict(letter.headers)["value.cut_from_bytes"] == b"1000000"


@pytest.mark.parametrize(
    "odd", [b'{"user_id":"u1","item_id":"\\u00e9","time_ms":1}', b"{", None], ids=["odd", "bad", "none"]
)
def test_records_in_columns_become_the_chunk_that_they_become_one_by_one(odd):
    plain = encode_event(a_click(event_id="e1"))
    for some in ([plain] * 3, [plain, (b"u1", odd), plain]):
        records = fetched(some, time_ms=NOW_MS)

        in_columns, by_one = decode_chunk(TP0, CLICK, records, A_POLICY, NOW_MS + 1), decoded(*records)

        assert (in_columns.next_offset, in_columns.num_records) == (by_one.next_offset, by_one.num_records) == (3, 3)
        assert in_columns.dead_letters == by_one.dead_letters
        assert in_columns.timestamp_ms == by_one.timestamp_ms == NOW_MS
        assert in_columns.times_ms(2) == by_one.times_ms(2)
        columns = [vars(EventColumns.of_chunks([chunk])) for chunk in (in_columns, by_one)]
        assert {name: column.tolist() for name, column in columns[0].items()} == {
            name: column.tolist() for name, column in columns[1].items()
        }


def test_micro_batches_may_have_chunks_of_both_sorts():
    click, other = encode_event(a_click("u1")), encode_event(a_click("u2"))
    in_columns = decode_chunk(TP0, CLICK, fetched([click, other], time_ms=NOW_MS), A_POLICY, NOW_MS)
    by_one = decoded(a_good_record(2))

    events = EventColumns.of_chunks([by_one, by_one, in_columns, by_one])

    assert events.user_ids.tolist() == ["u1", "u1", "u1", "u2", "u1"]
    assert events.hashes.tolist() == [
        int(chunk.hashes[at]) for chunk, at in [(by_one, 0), (by_one, 0), (in_columns, 0), (in_columns, 1), (by_one, 0)]
    ]


def test_a_clock_set_forward_changes_nothing_but_the_time_on_dead_letters():
    records = [ARecord(b'{"user_id":"u1","item_id":"i1","time_ms":1}'), ARecord(b"{")]
    a_year_ms = 365 * 86_400_000

    before, after = (decode_chunk(TP("clicks", 0), 0, records, A_POLICY, NOW_MS + ms) for ms in (0, a_year_ms))

    assert (after.events, after.next_offset, after.num_records) == (
        before.events,
        before.next_offset,
        before.num_records,
    )
    assert after.hashes.tolist() == before.hashes.tolist()
    (letter,), (later,) = before.dead_letters, after.dead_letters
    assert dict(later.headers) == dict(letter.headers) | {"failed_at_ms": str(NOW_MS + a_year_ms).encode()}
