"""Whatever is resolved in whatever order, keys and slots stay one to one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.queries import normalise
from models.vocabulary import SlotTable

KEYS = st.lists(st.text(max_size=3) | st.sampled_from("abcdefghij"), max_size=6)


@given(calls=st.lists(KEYS, max_size=12))
def test_keys_and_slots_are_one_to_one_and_within_the_pool(calls):
    table = SlotTable(8, first=2)
    for keys in calls:
        slots = table.resolve(keys).slots
        assert [table.key_of(int(slot)) for slot in slots] == list(keys)
        assert ((slots >= 2) & (slots < 10)).all()
        assert len(table) <= 8


@given(calls=st.lists(KEYS, max_size=12))
def test_a_key_keeps_its_slot_until_told_otherwise(calls):
    table = SlotTable(8)
    slot_of: dict[str, int] = {}
    for keys in calls:
        resolved = table.resolve(keys)
        gone = set(resolved.evicted.tolist())
        slot_of = {key: slot for key, slot in slot_of.items() if slot not in gone}
        for key, slot in zip(keys, resolved.slots.tolist(), strict=True):
            assert slot_of.setdefault(key, slot) == slot
    assert all(table.get(key) == slot for key, slot in slot_of.items())


@given(before=st.lists(KEYS, max_size=6), after=st.lists(KEYS, max_size=6))
def test_restored_table_gives_the_same_slots_ever_after(before, after):
    table, other = SlotTable(8), SlotTable(8)
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
