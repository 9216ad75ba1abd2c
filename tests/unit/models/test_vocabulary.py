"""Keys find their slots; the least recently used leave in bulk; items are admitted at their k-th occurrence."""

import numpy as np
import pytest

from models.items.vocabulary import ItemVocabulary, SlotTable
from models.saving import state_of
from tests.unit.models.builders import a_config


def test_new_keys_take_ascending_slots_and_keep_them():
    table = SlotTable(4, first=3)
    assert table.resolve(["a", "b", "a"]).slots.tolist() == [3, 4, 3]
    assert table.resolve(["b"]).slots.tolist() == [4]
    assert table.key_of(4) == "b"


def test_unknown_key_has_no_slot_and_asking_admits_nothing():
    table = SlotTable(4)
    assert table.get("a") == 0
    assert len(table) == 0


def test_slot_without_a_key_raises():
    with pytest.raises(KeyError, match="slot 1 holds no key"):
        SlotTable(4).key_of(1)


def test_the_last_free_slot_evicts_nobody_and_the_next_key_does():
    table = SlotTable(2)
    assert table.resolve(["a", "b"]).evicted.tolist() == []
    assert table.resolve(["c"]).evicted.tolist() == [1]


def test_least_recently_used_leaves():
    table = SlotTable(3)
    table.resolve(["a", "b", "c"])
    table.resolve(["a"])
    resolved = table.resolve(["d"])
    assert resolved.evicted.tolist() == [2]
    assert table.get("b") == 0
    assert table.get("a") == 1


def test_a_sixty_fourth_of_the_pool_leaves_at_once():
    table = SlotTable(128)
    table.resolve([str(n) for n in range(128)])
    assert table.resolve(["new"]).evicted.tolist() == [1, 2]


def test_no_key_of_the_call_is_evicted_by_it():
    table = SlotTable(2)
    table.resolve(["a", "b"])
    resolved = table.resolve(["a", "c"])
    assert resolved.slots.tolist() == [1, 2]
    assert resolved.evicted.tolist() == [2]


def test_more_new_keys_than_the_pool_holds_raise():
    with pytest.raises(ValueError, match="resolve fewer at a time"):
        SlotTable(2).resolve(["a", "b", "c"])


def test_removed_key_leaves_its_slot_to_the_next():
    table = SlotTable(2)
    table.resolve(["a", "b"])
    assert table.remove("a") == 1
    assert table.remove("a") == 0
    resolved = table.resolve(["c"])
    assert (resolved.slots.tolist(), resolved.evicted.tolist()) == ([1], [])


def test_restored_table_goes_on_as_if_never_stopped():
    table, other = SlotTable(3), SlotTable(3)
    table.resolve(["ä", "b", "", "ä"])
    table.remove("b")
    other.restore(table.state())
    for keys in (["ä"], ["x", "y"], ["", "z"]):
        one, two = table.resolve(keys), other.resolve(keys)
        assert one.slots.tolist() == two.slots.tolist()
        assert one.evicted.tolist() == two.evicted.tolist()


def test_item_is_admitted_at_its_kth_occurrence_and_shares_a_row_before():
    items = ItemVocabulary(a_config(item_admission_count=3))
    slots = items.resolve(["a", "a", "a", "b"]).slots
    assert items.is_target(slots).tolist() == [False, False, True, False]
    assert slots[0] == slots[1] in {1, 2}
    assert slots[2] == items.first == 3


def test_candidate_counts_are_bounded_and_the_first_counted_are_forgotten():
    items = ItemVocabulary(a_config(item_admission_count=2, max_items=4))
    items.resolve(["old", "b", "c", "d", "e"])
    assert not items.is_target(items.resolve(["old"]).slots).any()
    assert items.is_target(items.resolve(["e"]).slots).all()


def test_an_item_expires_once_it_is_not_among_the_last_occurrences_and_its_slot_is_told():
    items = ItemVocabulary(a_config(item_expiry_events=16))
    old = items.resolve(["old", "kept"]).slots[0]
    for number in range(20):
        evicted = items.resolve(["kept"]).evicted
        assert (evicted.tolist(), items.get("old")) == (([old], 0) if number == 14 else ([], old * (number < 14)))
    assert items.get("kept")


def test_a_call_longer_than_the_expiry_keeps_its_own_items():
    items = ItemVocabulary(a_config(item_expiry_events=4))
    resolved = items.resolve([f"i{n}" for n in range(12)])
    assert (resolved.evicted.tolist(), len(items)) == ([], 12)


def test_restored_vocabulary_remembers_who_was_about_to_be_admitted():
    items, other = (ItemVocabulary(a_config(item_admission_count=2)) for _ in range(2))
    items.resolve(["a", "b", "b"])
    other.restore(state_of(items.parts()))
    assert np.array_equal(items.resolve(["a", "c"]).slots, other.resolve(["a", "c"]).slots)
