from dataclasses import replace

import pytest
from faust.types import TP

from stream.flow.ledger import TopicLedger, hash_sum
from stream.flow.updater import Outcome, Updater
from stream.records.updates import InterestUpdate, decode_update
from tests.support.builders import NOW_MS, a_chunk, a_click, a_purchase, a_search
from tests.support.small import SMALL_POLICY, a_small_updater


def sent(outcome: Outcome) -> list[InterestUpdate]:
    records = [record for partition in sorted(outcome.updates) for record in outcome.updates[partition]]
    return [decode_update(record.key or b"", record.value or b"", record.headers) for record in records]


def test_each_user_of_a_micro_batch_gets_one_update_in_the_partition_its_events_came_from():
    updater = a_small_updater()

    outcome = updater.process(
        [a_chunk([a_click("ann"), a_click("bob"), a_click("ann")], partition=2), a_chunk([a_search("cy")], partition=3)]
    )

    assert {p: {r.key for r in records} for p, records in outcome.updates.items()} == {
        2: {b"ann", b"bob"},
        3: {b"cy"},
    }
    assert {update.user_id: update.num_events for update in sent(outcome)} == {"ann": 2, "bob": 1, "cy": 1}


def test_versions_grow_with_every_micro_batch_from_the_first_version():
    updater = a_small_updater(first_version=1_000)

    versions = [sent(updater.process([a_chunk([a_click()], first_offset=i)]))[0].version for i in range(3)]

    assert versions == [1_001, 1_002, 1_003]


def test_an_update_carries_the_newest_event_time_and_unit_vectors():
    (update,) = sent(a_small_updater().process([a_chunk([a_click(time_ms=NOW_MS + 5), a_click(time_ms=NOW_MS)])]))

    assert update.time_ms == NOW_MS + 5
    for vector in (update.interest, update.long_term):
        assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)


def test_examples_are_what_was_clicked_and_bought_and_never_what_was_searched():
    updater = a_small_updater()

    updater.process([a_chunk([a_search(), a_search()]), a_chunk([a_click()]), a_chunk([a_purchase()])])

    assert updater.learner.num_pending == 2


def test_the_ledger_accounts_for_every_record():
    updater = a_small_updater()
    chunk = a_chunk([a_click(event_id="a"), a_click(event_id="a"), a_click(time_ms=NOW_MS - 1_001)])

    updater.process([chunk])

    first = hash_sum(chunk.hashes[:1])
    assert updater.ledger == {
        "clicks": TopicLedger(records=3, admitted=1, refused=0, duplicates=1, late=1, hash_sum=first)
    }
    assert updater.next_offsets == {TP("clicks", 0): 3}


def test_a_record_seen_twice_leaves_the_state_as_once():
    once, twice = a_small_updater(), a_small_updater()
    for updater, chunks in ((once, 1), (twice, 2)):
        for offset in range(chunks):
            updater.process([a_chunk([a_click(event_id="a")], first_offset=offset)])

    assert windows_of(once) == windows_of(twice)


def test_a_chunk_of_nothing_but_dead_letters_moves_the_offset_on():
    updater = a_small_updater()
    empty = replace(a_chunk([a_click()]), events=[], hashes=a_chunk([a_click()]).hashes[:0])

    assert updater.process([empty]).num_updates == 0
    assert updater.next_offsets == {TP("clicks", 0): 1}


def test_the_least_recently_active_user_leaves_and_comes_back_as_a_new_one():
    updater = a_small_updater(policy=replace(SMALL_POLICY, max_users=2))
    for user in ("ann", "bob", "cy"):
        updater.process([a_chunk([a_click(user), a_click(user)])])

    (update,) = sent(updater.process([a_chunk([a_click("ann")])]))

    assert update.num_events == 1


def test_stop_restore_go_on_is_as_if_never_stopped():
    before, after = (
        [a_chunk([a_click("ann", "i1"), a_click("bob", "i2")])],
        [a_chunk([a_click("ann", "i3")], first_offset=2)],
    )
    undisturbed, first, second = a_small_updater(), a_small_updater(), a_small_updater()
    undisturbed.process(before)
    first.process(before)

    second.learner.restore(first.learner.state())
    second.restore(first.state())

    expected, (update,) = sent(undisturbed.process(after)), sent(second.process(after))
    assert [update] == [replace_version(expected[0], update.version)]
    assert windows_of(second) == windows_of(undisturbed)


def replace_version(update: InterestUpdate, version: int) -> InterestUpdate:
    update.version = version
    return update


def windows_of(updater: Updater) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in updater.state().items() if name.startswith("windows/")}
