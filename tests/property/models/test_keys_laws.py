"""Packed keys are what a dict of them would be."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from models.items.keys import MAX_KEY_BYTES, PackedKeys

END = 24
A_KEY = st.text(min_size=1, max_size=5) | st.integers(1, MAX_KEY_BYTES).map(lambda n: "x" * n)


class PackedBesideADict(RuleBasedStateMachine):
    """Strings come, go and are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = PackedKeys(END)
        self.slot_of: dict[str, int] = {}

    @rule(keys=st.lists(A_KEY, max_size=8, unique=True), slots=st.permutations(range(END)))
    def put(self, keys, slots):
        free = [slot for slot in slots if slot and slot not in self.slot_of.values()]
        new = dict(zip((key for key in keys if key not in self.slot_of), free, strict=False))
        self.packed.put([key.encode() for key in new], np.array(list(new.values()), np.int32))
        self.slot_of |= new

    @rule(data=st.data())
    def drop(self, data):
        gone = data.draw(st.lists(st.sampled_from(sorted(self.slot_of)), unique=True)) if self.slot_of else []
        self.packed.drop(np.array([self.slot_of.pop(key) for key in gone], np.int32))

    @rule(keys=st.lists(A_KEY | st.just(""), max_size=5))
    def find(self, keys):
        assert self.packed.find([*keys, *self.slot_of]).tolist() == [
            *(self.slot_of.get(key, 0) for key in keys),
            *self.slot_of.values(),
        ]

    @invariant()
    def all_are_there_and_no_others(self):
        slots = np.arange(END)
        key_of = {slot: key.encode() for key, slot in self.slot_of.items()}
        assert self.packed.encoded(slots) == [key_of.get(slot, b"") for slot in slots.tolist()]
        assert sorted(self.packed) == sorted(self.slot_of)
        assert len(self.packed) == len(self.slot_of)


TestPackedBesideADict = PackedBesideADict.TestCase
TestPackedBesideADict.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)
