import numpy as np
import pytest
from faust.types import TP

from models.saving import state_of
from stream.errors import EventError
from stream.flow.agents import decode_erasures
from stream.flow.intake import Chunk
from stream.flow.ledger import TopicLedger
from stream.flow.updater import Updater
from stream.records.erasures import Erasure, decode_erasure, encode_erasure
from stream.users.erasures import Erasures
from tests.support.builders import A_POLICY, NOW_MS, ARecord, a_chunk, a_click, column
from tests.support.small import a_small_updater


def users(*user_ids: str) -> np.ndarray:
    return np.array(user_ids, object)


def an_erasure(user: str = "ann", at_ms: int = NOW_MS, partition: int = 0) -> Chunk:
    key, value = encode_erasure(Erasure(user, at_ms))
    record = ARecord(value, key, "erasures", partition)
    return decode_erasures(TP("erasures", partition), [record], A_POLICY, NOW_MS)


def everything(updater: Updater) -> bytes:
    """All of the state as bytes, to look for a name in; the list of erased users left out."""
    state = state_of({name: part for name, part in updater.parts().items() if name != "erasures"})
    return repr([value.tolist() if hasattr(value, "tolist") else value for value in state.values()]).encode()


def test_an_event_at_the_time_of_the_erasure_is_of_before_and_one_a_millisecond_later_is_not():
    erasures = Erasures(10)
    erasures.put("ann", 5)

    assert erasures.cover(users("ann", "ann", "bob"), column(5, 6, 1)).tolist() == [True, False, False]


@pytest.mark.parametrize("times_ms", [(5, 9), (9, 5)])
def test_of_two_erasures_the_later_holds_in_whatever_order_they_come(times_ms):
    erasures = Erasures(10)
    for time_ms in times_ms:
        erasures.put("ann", time_ms)

    assert erasures.cover(users("ann", "ann"), column(9, 10)).tolist() == [True, False]


def test_only_the_newest_erasures_are_kept():
    erasures = Erasures(2)
    for user in ("ann", "bob", "cy"):
        erasures.put(user, 5)

    assert erasures.cover(users("ann", "bob", "cy"), column(1, 1, 1)).tolist() == [False, True, True]


@pytest.mark.parametrize("capacity", [2, 3])
def test_restored_erasures_are_equal_and_forget_the_same_one_next(capacity):
    before, after = Erasures(2), Erasures(capacity)
    for user in ("ann", "bob", "cy"):
        before.put(user, 5)

    after.restore(before.state())
    after.put("di", 5)
    after.put("ed", 5)

    kept = after.cover(users("bob", "cy", "di", "ed"), column(1, 1, 1, 1)).tolist()
    assert kept == [False, capacity == 3, True, True]


def test_nothing_of_an_erased_user_is_left_in_the_state_and_a_tombstone_goes_where_the_updates_went():
    updater = a_small_updater()
    updater.process([a_chunk([a_click("ann", event_id="a"), a_click("bob")], partition=2)])
    assert b"ann" in everything(updater)

    outcome = updater.process([an_erasure("ann", partition=2)])

    assert [(r.key, r.value) for r in outcome.updates[2]] == [(b"ann", None)]
    assert b"ann" not in everything(updater)
    assert updater.window_of("ann") == []
    assert len(updater.window_of("bob")) == 1


def test_replayed_and_late_events_of_before_do_not_bring_the_user_back_and_are_counted():
    updater = a_small_updater()
    updater.process([an_erasure("ann")])

    outcome = updater.process([a_chunk([a_click("ann"), a_click("ann", time_ms=NOW_MS - 500)])])

    assert outcome.num_updates == 0
    assert updater.window_of("ann") == []
    assert updater.ledger == {"clicks": TopicLedger(records=2, erased=2)}


def test_an_erased_user_who_comes_back_is_a_new_one():
    updater = a_small_updater()
    updater.process([a_chunk([a_click("ann", event_id="a"), a_click("ann")])])
    updater.process([an_erasure("ann")])

    updater.process([a_chunk([a_click("ann", time_ms=NOW_MS + 1, event_id="a")], first_offset=2)])

    assert len(updater.window_of("ann")) == 1


def test_an_erasure_is_applied_before_the_events_of_its_micro_batch_whatever_their_order():
    updater = a_small_updater()

    updater.process([a_chunk([a_click("ann")]), an_erasure("ann")])

    assert updater.window_of("ann") == []


def test_erasures_and_offsets_survive_a_restore():
    before, after = a_small_updater(), a_small_updater()
    before.process([an_erasure("ann")])

    after.restore(before.state())
    after.process([a_chunk([a_click("ann")])])

    assert before.next_offsets == {TP("erasures", 0): 1}
    assert after.window_of("ann") == []


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"ann", None, "no_value"),
        (b"ann", b"{", "not_an_erasure"),
        (b"bob", b'{"user_id": "ann", "erased_at_ms": 1}', "wrong_key"),
        (b"ann", b'{"user_id": "ann", "erased_at_ms": 1101}', "in_future"),
    ],
)
def test_a_record_that_is_no_erasure_is_refused_with_its_reason(key, value, reason):
    with pytest.raises(EventError) as refused:
        decode_erasure(key, value, recorded_ms=1_000, max_future_ms=100)

    assert refused.value.reason == reason


def test_a_record_that_is_no_erasure_becomes_a_dead_letter():
    chunk = decode_erasures(TP("erasures", 0), [ARecord(b"{")], A_POLICY, NOW_MS)

    assert (chunk.erasures, len(chunk.dead_letters), chunk.next_offset) == ([], 1, 1)
