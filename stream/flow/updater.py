"""The flow of one micro-batch, in order: judge, resolve, window, encode, emit. Runs on the model thread only.

It talks to the learner through two seams: where examples go (`Learner.add`), and where the model comes from
(`Learner.encode`, `item_vectors`).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from faust.types import TP

from models.inputs.features import KINDS, Examples, WindowBatch
from models.items.keys import PackedKeys
from models.items.vocabulary import SlotTable
from models.learner import OnlineLearner
from models.reports import Reading
from models.saving import Array, Saved, State, part_of, state_of
from models.serving.reader import Reader
from stream.flow.columns import EventColumns
from stream.flow.intake import Chunk
from stream.flow.ledger import TopicLedger, hash_sum
from stream.flow.onlooker import Onlooker
from stream.flow.outcome import Outcome
from stream.flow.record_encoder import RecordEncoder
from stream.flow.top_items import NO_TOP_ITEMS, TopItems, TopItemsPolicy, top_items
from stream.records.erasures import ERASURES
from stream.records.updates import EncodedRecord
from stream.users.admission import AdmissionPolicy, AdmissionState, Verdict
from stream.users.erasures import Erasures
from stream.users.interests import EmissionPolicy, Interests, InterestState
from stream.users.rows import UserRows
from stream.users.values import AS_THEY_ARE, ValueFilter, ValuePolicy, ValueSketch
from stream.users.windows import NewEvents, Windows


@dataclass(frozen=True)
class UpdaterPolicy:
    """The updater's slice of the settings."""

    window_size: int
    encoder_window: int
    max_users: int
    max_erasures: int
    admission: AdmissionPolicy
    emission: EmissionPolicy
    is_learning: bool = True
    top_items: TopItemsPolicy = NO_TOP_ITEMS
    values: ValuePolicy = AS_THEY_ARE
    value_filter: ValueFilter = "none"


class WindowEvent(NamedTuple):
    """One position of a window, for people to read.

    Attributes:
        kind: one of `KINDS`.
        subject: item id or normalised query; None once it has left the vocabulary.
        time_ms: event time.
    """

    kind: str
    subject: str | None
    time_ms: int


class Updater:
    """The state of all users, and what a micro-batch does to it.

    Args:
        policy: sizes and thresholds.
        learner: shared with the flow, which lets it learn between micro-batches.
        encoder: makes the records.
        first_version: versions of this process start above it.

    Attributes:
        learner: learns from the examples, encodes the windows.
        ledger: what became of every record, by topic.
        next_offsets: one past the last record that this state contains, by partition.
        version: of the last updates.
        onlooker: what people may ask about users.
    """

    def __init__(
        self, policy: UpdaterPolicy, learner: OnlineLearner, encoder: RecordEncoder, first_version: int = 0
    ) -> None:
        self._policy = policy
        self.learner = learner
        self._encoder = encoder
        self.version = first_version
        self._users = SlotTable(policy.max_users, keys=PackedKeys(1 + policy.max_users))
        rows = 1 + policy.max_users
        self._windows = Windows(policy.window_size, policy.value_filter, rows)
        self._values = ValueSketch()
        self._admission = AdmissionState(rows)
        self._interests = InterestState(learner.config.dim, rows)
        self._erasures = Erasures(policy.max_erasures)
        self.onlooker = Onlooker(self._users, self._windows, self._interests, learner.served, policy.emission)
        self._encoding: deque[tuple[Outcome, Callable[[], None]]] = deque()
        self.num_erasures = 0
        self.ledger: dict[str, TopicLedger] = {}
        self.next_offsets: dict[TP, int] = {}

    def compile(self) -> None:
        """Compile the loops over users and updates; needs no state, changes none."""
        policy, dim = self._policy, self.learner.config.dim
        users = SlotTable(1, keys=PackedKeys(2))
        users.resolve(["the first to come"])
        users.resolve(["who takes its place"])
        users.state()
        windows, admission = Windows(policy.window_size, rows=2), AdmissionState(rows=2)
        user, kind, now_ms = np.ones(1, np.int32), np.zeros(1, np.int8), np.ones(1, np.int64)
        admission.judge(user, kind, now_ms, np.ones(1, np.uint64), policy.admission)
        windows.push(NewEvents(user, user, kind, now_ms, np.zeros(1, np.float16)), policy.encoder_window)
        windows.newest(user, policy.encoder_window)
        windows.forget_slots(user)
        InterestState(dim, rows=2).advance(user, np.ones((1, dim), np.float32), now_ms, policy.emission)
        self._encoder.item_vectors([], 0, np.zeros((0, dim), np.float32))

    def process(self, chunks: Sequence[Chunk]) -> Outcome:
        """Let the records of `chunks`, consecutive by partition, change the state; what is to be sent."""
        outcome = self.begin(chunks)
        self.complete()
        return outcome

    def begin(self, chunks: Sequence[Chunk]) -> Outcome:
        """As `process`, but the device may still encode when it returns, and what is to be sent lack its updates.

        It has them after `complete`, or when later micro-batches make it necessary.
        """
        outcome = Outcome(dead_letters=[letter for chunk in chunks for letter in chunk.dead_letters])
        self._erase(chunks, outcome)
        arrived = EventColumns.of_chunks(chunks)
        users, verdicts = self._judge(arrived)
        self._enter_in_ledger(chunks, arrived, verdicts)
        admitted = np.flatnonzero(verdicts == Verdict.ADMITTED)
        arrived.values[admitted] = self._values.clean(
            arrived.kinds[admitted], arrived.values[admitted], self._policy.values
        )
        in_order = admitted[arrived.take(admitted).in_event_time_order()]
        emit = self._apply(arrived.take(in_order), users[in_order], outcome) if len(in_order) else lambda: None
        self._encoding.append((outcome, emit))
        if self._policy.top_items.count:  # which are of these windows
            self.complete()
        return outcome

    def complete(self, *, but: int = 0) -> None:
        """Wait for the device, and let outcomes have their updates, but for those of the newest micro-batches."""
        while len(self._encoding) > but:
            outcome, emit = self._encoding.popleft()
            emit()
            outcome.is_complete = True

    @property
    def num_users(self) -> int:
        """Users that have a window; may be asked from any thread."""
        return len(self._users)

    def window_of(self, user_id: str) -> list[WindowEvent]:
        """A user's window, oldest first; empty for one that is not known."""
        slots, kinds, times_ms = self._windows.of(self._users.get(user_id))
        return [
            WindowEvent(KINDS[kind], self._subject(slot), time_ms)
            for slot, kind, time_ms in zip(slots.tolist(), kinds.tolist(), times_ms.tolist(), strict=True)
        ]

    def look(self, user_id: str) -> tuple[Interests, int, int] | None:
        """A user's interest by today's model, event time of the newest event, and count of events; changes nothing."""
        users = np.array([self._users.get(user_id)], np.int32)
        num_events = int(self._windows.num_events(users)[0]) if users[0] else 0
        if not num_events:
            return None
        vectors = self.learner.served.encode(self._windows.newest(users, self._policy.encoder_window))
        newest_ms = self._windows.newest_ms(users)
        return self._interests.look(users, vectors, newest_ms, self._policy.emission), int(newest_ms[0]), num_events

    def recommend(self, user_id: str, policy: TopItemsPolicy) -> TopItems | None:
        """What the user is likely to want next, best first; None for one that is not known."""
        user = self._users.get(user_id)
        return self._top_items(self.learner.served, np.array([user]), policy)[0] if user else None

    def parts(self) -> dict[str, Saved]:
        """What it is saved as; the ledger and the next offsets are in the manifest."""
        return {"users": self._users, "erasures": self._erasures, "values": self._values, **self._user_rows}

    def state(self) -> dict[str, Any]:
        """Everything of the parts; copies. A long-lived worker takes the changes of its parts instead."""
        return state_of(self.parts())

    def restore(self, state: State) -> None:
        """Become what the parts' state came from; the ledger and the next offsets are the caller's."""
        self._users.restore(part_of(state, "users"))
        self._erasures.restore(part_of(state, "erasures"))
        self._values.restore(part_of(state, "values"))
        for name, rows in self._user_rows.items():
            rows.restore(part_of(state, name))

    @property
    def _user_rows(self) -> dict[str, UserRows]:
        return {"windows": self._windows.rows, "admission": self._admission.rows, "interests": self._interests.rows}

    def _top_items(self, reader: Reader, users: Array, policy: TopItemsPolicy) -> list[TopItems]:
        return top_items(reader, self._windows.newest(users, self._policy.window_size), policy)

    def _subject(self, slot: int) -> str | None:
        """The item id or normalised query in a slot; None for what has no slot of its own (any more)."""
        try:
            return self.learner.queries.query_of(-slot) if slot < 0 else self.learner.items.key_of(slot)
        except KeyError:
            return None

    def _erase(self, chunks: Sequence[Chunk], outcome: Outcome) -> None:
        """Let users go, with everything that is theirs; a tombstone each, for those too that had nothing."""
        if any(chunk.erasures for chunk in chunks):
            self.complete()
        for chunk in chunks:
            for erasure in chunk.erasures:
                self.num_erasures += 1
                self._erasures.put(erasure.user_id, erasure.erased_at_ms)
                if slot := self._users.remove(erasure.user_id):
                    for rows in self._user_rows.values():
                        rows.forget(np.array([slot]))
                outcome.tombstones.append((chunk.tp.partition, EncodedRecord(erasure.user_id.encode(), None)))

    def _judge(self, arrived: EventColumns) -> tuple[Array, Array]:
        """`[n]` rows of users, 0 for events of before an erasure, which leave no trace; `[n]` uint8 of `Verdict`."""
        users = np.zeros(len(arrived), np.int32)
        verdicts = np.full(len(arrived), Verdict.ERASED, np.uint8)
        at = np.flatnonzero(~self._erasures.cover(arrived.user_ids, arrived.times_ms))
        events = arrived.take(at)
        users[at] = self._resolve_users(events)
        verdicts[at] = self._admission.judge(
            users[at], events.kinds, events.times_ms, events.event_ids, self._policy.admission
        )
        return users, verdicts

    def _resolve_users(self, events: EventColumns) -> Array:
        resolved = self._users.resolve(events.user_ids.tolist())
        if len(resolved.evicted):
            self.complete()
        for rows in self._user_rows.values():
            rows.forget(resolved.evicted)
            rows.touch(resolved.slots)
        return resolved.slots

    def _resolve_subjects(self, events: EventColumns) -> Array:
        """`[n]` int32: item slots, and query slots negated."""
        is_search = events.is_search
        items = self.learner.resolve_items(events.subjects[~is_search].tolist())
        queries = self.learner.resolve_queries(events.subjects[is_search].tolist())
        self._windows.forget_slots(np.concatenate([items.evicted, -queries.evicted]))
        slots = np.empty(len(events), np.int32)
        slots[~is_search], slots[is_search] = items.slots, -queries.slots
        return slots

    def _enter_in_ledger(self, chunks: Sequence[Chunk], events: EventColumns, verdicts: Array) -> None:
        starts = np.cumsum([0, *(len(chunk.events) for chunk in chunks)])
        for chunk, start, stop in zip(chunks, starts, starts[1:], strict=False):
            self.next_offsets[chunk.tp] = chunk.next_offset
            if chunk.kind == ERASURES:
                continue
            of_chunk = verdicts[start:stop]
            counts = np.bincount(of_chunk, minlength=len(Verdict))
            entry = TopicLedger(
                records=chunk.num_records,
                admitted=int(counts[Verdict.ADMITTED]),
                refused=len(chunk.dead_letters),
                duplicates=int(counts[Verdict.DUPLICATE]),
                late=int(counts[Verdict.LATE]),
                erased=int(counts[Verdict.ERASED]),
                floods=int(counts[Verdict.FLOOD]),
                hash_sum=hash_sum(events.hashes[start:stop][of_chunk == Verdict.ADMITTED]),
            )
            self.ledger[chunk.tp.topic] = self.ledger.get(chunk.tp.topic, TopicLedger()).plus(entry)

    def _apply(self, events: EventColumns, users: Array, outcome: Outcome) -> Callable[[], None]:
        """Window and examples of admitted events in event-time order; what is returned emits their updates."""
        slots = self._resolve_subjects(events)
        new, length = NewEvents(users, slots, events.kinds, events.times_ms, events.values), self._policy.encoder_window
        before = self._windows.push(new, length)
        if self._policy.is_learning:
            self._teach(events, slots, before, outcome)
        return self._begin_to_emit(events, users, outcome)

    def _teach(self, events: EventColumns, slots: Array, before: WindowBatch, outcome: Outcome) -> None:
        """Hand the learner what can be predicted: items that have a slot."""
        is_target = ~events.is_search & self.learner.items.is_target(slots)
        self.learner.add(Examples(before.take(is_target), slots[is_target], events.kinds[is_target]))
        outcome.targets = events.take(is_target)

    def _begin_to_emit(self, events: EventColumns, users: Array, outcome: Outcome) -> Callable[[], None]:
        """One update for each user that has changed, to the partition its last event came from.

        The device begins to encode; what is returned waits for it.
        """
        self.version += 1
        changed, from_end = np.unique(users[::-1], return_index=True)
        last = len(users) - 1 - from_end
        reading = self.learner.begin_reading(self._windows.newest(changed, self._policy.encoder_window))
        version, model_step = self.version, self.learner.model_step
        times_ms, num_events = self._windows.newest_ms(changed), self._windows.num_events(changed)

        def emit() -> None:
            interests = self._advance(changed, reading(), times_ms)
            emitted, wanted = np.flatnonzero(interests.should_emit), self._policy.top_items
            emitted = emitted[np.argsort(events.partitions[last[emitted]], kind="stable")]
            outcome.partitions = events.partitions[last[emitted]]
            outcome.encode = partial(
                self._encoder.updates,
                user_ids=events.user_ids[last[emitted]],
                version=version,
                times_ms=times_ms[emitted],
                model_step=model_step,
                interests=interests.take(emitted),
                num_events=num_events[emitted],
                top_items=self._top_items(self.learner, changed[emitted], wanted) if wanted.count else None,
            )

        return emit

    def _advance(self, changed: Array, reading: Reading, times_ms: Array) -> Interests:
        interests = self._interests.advance(changed, reading.interests, times_ms, self._policy.emission)
        self.onlooker.note(changed)
        return replace(interests, uncertainty=reading.uncertainties)
