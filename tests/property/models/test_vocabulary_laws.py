"""Whatever is resolved in whatever order, keys and slots stay one to one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.items.keys import FewKeys, PackedKeys
from models.items.queries import normalise
from models.items.vocabulary import SlotTable

KEYS = st.lists(st.text(min_size=1, max_size=3) | st.sampled_from("abcdefghij"), max_size=6)
MANY = pytest.mark.parametrize("are_many", [False, True])


def a_table(are_many: bool, first: int = 1) -> SlotTable:
    """Eight slots."""
    return SlotTable(8, first, PackedKeys(first + 8) if are_many else FewKeys())


@MANY
@given(calls=st.lists(KEYS, max_size=12))
def test_keys_and_slots_are_one_to_one_and_within_the_pool(are_many, calls):
    table = a_table(are_many, first=2)
    for keys in calls:
        slots = table.resolve(keys).slots
        assert [table.key_of(int(slot)) for slot in slots] == list(keys)
        assert ((slots >= 2) & (slots < 10)).all()
        assert len(table) <= 8


@MANY
@given(calls=st.lists(KEYS, max_size=12))
def test_a_key_keeps_its_slot_until_told_otherwise(are_many, calls):
    table = a_table(are_many)
    slot_of: dict[str, int] = {}
    for keys in calls:
        resolved = table.resolve(keys)
        gone = set(resolved.evicted.tolist())
        slot_of = {key: slot for key, slot in slot_of.items() if slot not in gone}
        for key, slot in zip(keys, resolved.slots.tolist(), strict=True):
            assert slot_of.setdefault(key, slot) == slot
    assert all(table.get(key) == slot for key, slot in slot_of.items())


@MANY
@given(before=st.lists(KEYS, max_size=6), after=st.lists(KEYS, max_size=6))
def test_restored_table_gives_the_same_slots_ever_after(are_many, before, after):
    table, other = a_table(are_many), a_table(not are_many)
    for keys in before:
        table.resolve(keys)
    other.restore(table.state())
    for keys in after:
        one, two = table.resolve(keys), other.resolve(keys)
        assert np.array_equal(one.slots, two.slots)
        assert np.array_equal(one.evicted, two.evicted)


@given(query=st.text())
def test_normal_form_of_a_normal_form_is_itself(query):
    assert normalise(normalise(query)) == normalise(query)
