from dataclasses import replace

import numpy as np
import pytest
from faust.types import TP

from models.saving import state_of
from stream.flow.intake import Chunk
from stream.flow.ledger import TopicLedger, hash_sum
from stream.flow.outcome import Outcome
from stream.flow.updater import Updater
from stream.records.updates import EncodedRecord, InterestUpdate, decode_update
from tests.support.builders import NOW_MS, a_chunk, a_click, a_purchase, a_search
from tests.support.small import SMALL_POLICY, a_small_updater
from tests.unit.stream.test_erasures import an_erasure


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


@pytest.mark.parametrize("seed", range(6))
def test_micro_batches_that_begin_before_the_last_has_its_updates_change_and_send_the_same(seed):
    crowded = replace(SMALL_POLICY, max_users=5)  # so that users make room for others
    at_once, later = a_small_updater(policy=crowded), a_small_updater(policy=crowded)
    micro_batches = [some_chunks(np.random.default_rng([seed, number]), number) for number in range(12)]

    expected = [records_of(at_once.process(chunks)) for chunks in micro_batches]
    begun = []
    for chunks in micro_batches:
        begun.append(later.begin(chunks))
        later.complete(but=1)
        assert all(outcome.is_complete for outcome in begun[:-1])
    later.complete()

    assert [records_of(outcome) for outcome in begun] == expected
    left, right = state_of(at_once.parts()), state_of(later.parts())
    assert [name for name in left if not np.array_equal(left[name], right[name])] == []


def records_of(outcome: Outcome) -> dict[int, list[EncodedRecord]]:
    return {partition: list(records) for partition, records in outcome.updates.items()}


def some_chunks(random: np.random.Generator, number: int) -> list[Chunk]:
    """Events of some users, in every third micro-batch after the erasure of one."""
    users, items = random.integers(0, 7, 4).tolist(), random.integers(0, 9, 4).tolist()
    clicks = [a_click(f"u{user}", f"i{item}", NOW_MS + number) for user, item in zip(users, items, strict=True)]
    erasures = [an_erasure(f"u{number % 7}", NOW_MS)] if number % 3 == 2 else []
    return [*erasures, a_chunk(clicks, partition=number % 2, first_offset=4 * number)]
