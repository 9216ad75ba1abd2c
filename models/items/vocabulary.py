"""String keys in a bounded pool of integer slots. Knows nothing of vectors."""

import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np

from models.config import ModelConfig
from models.items.keys import FewKeys, Keys, PackedKeys
from models.saving import Array, Column, Saved, State, part_of

EVICT_RATIO = 1 / 64  # of the pool leaves at a time: finding the least recently used costs a pass over the pool
LAST_USED = np.dtype(np.int64)  # how many keys had been resolved when this one was last
EXPIRY_LOOKS = 16  # for expired items, within the time after which they expire: a look costs a pass over the pool


class Resolved(NamedTuple):
    """Where the keys of one call are, and who had to leave for them.

    Attributes:
        slots: `[keys]` int32, in the order asked for.
        evicted: `[evicted]` int32, ascending slots whose former keys left; some may be among `slots` again.
    """

    slots: np.ndarray
    evicted: np.ndarray


class SlotTable(Saved):
    """Keys to slots `first .. first + capacity - 1`; slot 0 always means "none".

    New keys take never used slots in ascending order, then recycled ones. When there is no room, the keys that were not
    resolved for longest leave in bulk. The same calls give the same slots.

    Args:
        capacity: keys there is room for.
        first: the lowest slot.
        keys: an empty one that fits the number of keys; a dict unless another is given.

    Attributes:
        end: one past the highest slot ever given out.
    """

    def __init__(self, capacity: int, first: int = 1, keys: Keys | None = None) -> None:
        if capacity < 1 or first < 1:
            raise ValueError(f"capacity={capacity}, first={first}: both must be at least 1; slot 0 means none")
        super().__init__()
        self.capacity = capacity
        self.first = first
        self.end = first
        self._keys: Keys = FewKeys() if keys is None else keys
        self._free: deque[int] = deque()
        self._last_used = np.zeros(capacity, LAST_USED)
        self._tick = 1

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: str) -> bool:
        return self._keys.get(key) != 0

    def get(self, key: str) -> int:
        """The slot of a key, 0 if it has none; does not count as use."""
        return self._keys.get(key)

    def find(self, keys: Sequence[str]) -> Array:
        """The same for many keys at once, in much less time: `[keys]` int32."""
        return self._keys.find(keys)

    def key_of(self, slot: int) -> str:
        """The key in a slot; raises KeyError where there is none."""
        key = self._keys.key_of(slot)
        if key is None:
            raise KeyError(f"slot {slot} holds no key")
        return key

    def names_of(self, slots: Array) -> list[str]:
        """The keys in `[slots]`, empty where there is none."""
        return [key.decode() for key in self._keys.encoded(slots)]

    def keys(self) -> Iterator[str]:
        """All keys."""
        return iter(self._keys)

    def resolve(self, keys: Sequence[str]) -> Resolved:
        """The slots of keys, admitting new ones; no key of this call is evicted by it."""
        slots = self._keys.find(keys)
        missing = np.flatnonzero(slots == 0).tolist()
        start, self._tick = self._tick, self._tick + len(keys)
        ticks = np.arange(start, self._tick)
        self._last_used[slots[slots > 0] - self.first] = ticks[slots > 0]
        if not missing:
            self.tracker.mark(slots - self.first)
            return Resolved(slots, np.zeros(0, np.int32))
        new = list(dict.fromkeys(keys[i] for i in missing))
        evicted = self._make_room(len(new), start)
        slot_of = dict(zip(new, self._admit(new).tolist(), strict=True))
        slots[missing] = [slot_of[keys[i]] for i in missing]
        self._last_used[slots - self.first] = ticks
        self.tracker.mark(slots - self.first)
        return Resolved(slots, evicted)

    def expire(self, age: int) -> np.ndarray:
        """Let keys go that are not among the last `age` asked for; returns their slots: `[expired]` int32."""
        return self._evict(np.flatnonzero(self._is_taken() & (self._last_used_given < self._tick - age)))

    @property
    def tick(self) -> int:
        """Keys asked for so far."""
        return self._tick

    def remove(self, key: str) -> int:
        """Take a key out; returns the slot that it leaves, 0 if it had none."""
        slot = self._keys.get(key)
        if slot:
            self._keys.drop(np.array([slot], np.int32))
            self.tracker.mark(np.array([slot - self.first]))
            self._free.append(slot)
        return slot

    def _admit(self, new: Sequence[str]) -> Array:
        """The slots that new keys take: `[keys]` int32."""
        num_recycled = min(len(new), len(self._free))
        recycled = [self._free.popleft() for _ in range(num_recycled)]
        start, self.end = self.end, self.end + len(new) - num_recycled
        slots = np.array([*recycled, *range(start, self.end)], np.int32)
        self._keys.put([key.encode() for key in new], slots)
        return slots

    @property
    def _last_used_given(self) -> Array:
        """Of the slots ever given out."""
        return self._last_used[: self.end - self.first]

    def _is_taken(self) -> Array:
        """Which of them hold a key."""
        is_taken = np.ones(self.end - self.first, bool)
        is_taken[np.fromiter(self._free, np.int64, len(self._free)) - self.first] = False
        return is_taken

    def _slots_taken(self) -> Array:
        """`[keys]` int32, ascending."""
        return np.flatnonzero(self._is_taken()).astype(np.int32) + np.int32(self.first)

    def _make_room(self, num_new: int, start: int) -> np.ndarray:
        lacking = num_new - (self.capacity - len(self._keys))
        if lacking <= 0:
            return np.zeros(0, np.int32)
        old = np.flatnonzero(self._is_taken() & (self._last_used_given < start))
        if len(old) < lacking:
            raise ValueError(
                f"{num_new} new keys at once do not fit a pool of {self.capacity}; resolve fewer at a time"
            )
        num_evicted = min(len(old), max(lacking, int(self.capacity * EVICT_RATIO)))
        oldest = np.argpartition(self._last_used[old], num_evicted - 1)[:num_evicted]
        return self._evict(np.sort(old[oldest]))

    def _evict(self, rows: np.ndarray) -> np.ndarray:
        evicted = rows.astype(np.int32) + np.int32(self.first)
        self._keys.drop(evicted)
        self._free.extend(evicted.tolist())
        return evicted

    def tracked(self) -> Mapping[str, Column]:
        """Uses of the slots given out; their keys are saved with them."""
        return {"last_used": self._last_used_given}

    def rows_of(self, rows: Array) -> dict[str, Array | list[bytes]]:
        """Keys and uses; copies."""
        return {"keys": self._keys.encoded(rows + self.first), "last_used": self._last_used[rows]}

    def wholes(self) -> Mapping[str, Array]:
        """Free slots and the count of uses."""
        return {"free": np.array(self._free, np.int32), "tick": np.array(self._tick, np.int64)}

    def restore(self, state: State) -> None:
        """Become what `state` came from; the capacity may have grown since."""
        keys = state.get("keys", ())  # a table that never had a key has no rows
        if len(keys) > self.capacity:
            raise ValueError(f"{len(keys)} stored keys exceed the capacity of {self.capacity}")
        self._keys.drop(self._slots_taken())
        self.end, self._free = self.first + len(keys), deque(state["free"].tolist())
        slots = self._slots_taken()
        self._keys.put([keys[slot - self.first] for slot in slots.tolist()], slots)
        self._last_used[:] = 0
        self._last_used[: len(keys)] = state.get("last_used", 0)
        self._tick = int(state["tick"])
        self.tracker.clear()


class ItemVocabulary:
    """Item ids to item slots: 0 padding, then rows shared by hash, then one row for each admitted item.

    An item is admitted at its `item_admission_count`-th occurrence; until then it uses a shared row. Occurrences of as
    many items as there are slots are remembered; beyond, the first counted are forgotten. An item that is not among the
    last `item_expiry_events` occurrences leaves, within a sixteenth of them.
    """

    def __init__(self, config: ModelConfig) -> None:
        self._num_fallback = config.num_fallback_items
        self._admission_count = config.item_admission_count
        self._expiry = config.item_expiry_events
        first = 1 + config.num_fallback_items
        self._table = SlotTable(config.max_items, first, PackedKeys(first + config.max_items))
        self._num_seen: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._table)

    @property
    def first(self) -> int:
        """The lowest slot that an item can have for itself."""
        return self._table.first

    @property
    def end(self) -> int:
        """One past the highest slot ever given out."""
        return self._table.end

    @property
    def num_rows(self) -> int:
        """Rows that an array over all slots needs."""
        return self._table.first + self._table.capacity

    def is_target(self, slots: np.ndarray) -> np.ndarray:
        """Whether each slot is an item's own, so that it can be predicted: bool, the shape of `slots`."""
        return slots >= self._table.first

    def get(self, item_id: str) -> int:
        """The item's own slot, 0 if it has none; does not count as an occurrence."""
        return self._table.get(item_id)

    def key_of(self, slot: int) -> str:
        """The item in a slot; raises KeyError where there is none."""
        return self._table.key_of(slot)

    def names_of(self, slots: Array) -> list[str]:
        """The items in `[slots]`, empty where there is none."""
        return self._table.names_of(slots)

    def keys(self) -> Iterator[str]:
        """All items that have a slot of their own."""
        return self._table.keys()

    def resolve(self, item_ids: Sequence[str]) -> Resolved:
        """The slot of each occurrence, in order."""
        before = self._table.tick
        resolved = self._resolve(item_ids)
        step = max(1, self._expiry // EXPIRY_LOOKS)
        if not self._expiry or before // step == self._table.tick // step:
            return resolved
        expired = self._table.expire(max(self._expiry, len(item_ids)))
        return Resolved(resolved.slots, np.union1d(resolved.evicted, expired).astype(np.int32))

    def _resolve(self, item_ids: Sequence[str]) -> Resolved:
        if self._admission_count <= 1:
            return self._table.resolve(item_ids)
        is_admitted = np.fromiter(self._admissions(item_ids), bool, len(item_ids))
        own = self._table.resolve([item_ids[i] for i in np.flatnonzero(is_admitted).tolist()])
        slots = np.zeros(len(item_ids), np.int32)
        slots[is_admitted] = own.slots
        slots[~is_admitted] = [self._fallback(item_ids[i]) for i in np.flatnonzero(~is_admitted).tolist()]
        self._forget_candidates()
        return Resolved(slots, own.evicted)

    def _admissions(self, item_ids: Sequence[str]) -> list[bool]:
        admitted = []
        for item_id in item_ids:
            if item_id not in self._table:
                self._num_seen[item_id] = self._num_seen.get(item_id, 0) + 1
            admitted.append(item_id in self._table or self._num_seen[item_id] >= self._admission_count)
        return admitted

    def _fallback(self, item_id: str) -> int:
        return 1 + zlib.crc32(item_id.encode()) % self._num_fallback

    def _forget_candidates(self) -> None:
        done = [key for key, count in self._num_seen.items() if count >= self._admission_count]
        surplus = len(self._num_seen) - len(done) - self._table.capacity
        for key in done:
            del self._num_seen[key]
        for key in list(islice(self._num_seen, max(surplus, 0))):
            del self._num_seen[key]

    def parts(self) -> dict[str, Saved]:
        """What it is saved as."""
        return {"table": self._table, "candidates": _Candidates(self._num_seen)}

    def restore(self, state: State) -> None:
        """Become what the parts' state came from."""
        self._table.restore(part_of(state, "table"))
        offsets, blob = state["candidates/offsets"].tolist(), state["candidates/blob"].tobytes()
        keys = [blob[start:end].decode() for start, end in pairwise(offsets)]
        self._num_seen = dict(zip(keys, state["candidates/count"].tolist(), strict=True))


class _Candidates(Saved):
    """Occurrences of items that are not admitted yet; saved whole, since they are few."""

    def __init__(self, num_seen: Mapping[str, int]) -> None:
        super().__init__()
        self._num_seen = num_seen

    def wholes(self) -> Mapping[str, Array]:
        encoded = [key.encode() for key in self._num_seen]
        return {
            "blob": np.frombuffer(b"".join(encoded), np.uint8),
            "offsets": np.cumsum([0, *map(len, encoded)], dtype=np.int64),
            "count": np.fromiter(self._num_seen.values(), np.int32, len(encoded)),
        }
