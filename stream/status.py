"""What a worker says about itself once a second: the record that `worker --json` prints and `demo` reads."""

from typing import Literal

import msgspec

WorkerState = Literal["compiling", "standby", "joining", "running", "stopped"]


class WorkerStatus(msgspec.Struct, frozen=True):
    """Counts since the start of the state (restored ones included), rates over the last second.

    Attributes:
        state: what the worker is doing; `standby` while another owns the checkpoints.
        records: records read from the input topics.
        events: events admitted.
        refused: records that became dead letters.
        duplicates: records whose `event_id` had been seen.
        late: events older than the allowed lateness.
        erased: events of before their user's erasure.
        floods: events of one user and kind beyond `max_events_per_minute`.
        updates: interest updates sent.
        queued: decoded events that wait for their micro-batch.
        events_per_s: admitted events a second.
        learned: events that were learned, replay not counted.
        replayed: past events that were learned again.
        model_step: gradient updates.
        loss: mean loss of the last learning step, `None` before the first.
        step_ms: how long the last learning step took, scoring included.
        latency_p50_ms: from an event's time to its update being handed to the broker, over the last seconds.
        latency_p99_ms: the same, for the slowest hundredth.
        recall_at_20: mixture's prequential recall, as are the next two lines of their rankers; `None` until scored.
        recompiles: compilations since the worker was ready; anything but 0 is a bug.
    """

    state: WorkerState
    records: int = 0
    events: int = 0
    refused: int = 0
    duplicates: int = 0
    late: int = 0
    erased: int = 0
    floods: int = 0
    updates: int = 0
    queued: int = 0
    events_per_s: float = 0.0
    learned: int = 0
    replayed: int = 0
    model_step: int = 0
    loss: float | None = None
    step_ms: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    recall_at_20: float | None = None
    mrr_at_20: float | None = None
    vector_recall_at_20: float | None = None
    counting_recall_at_20: float | None = None
    popularity_recall_at_20: float | None = None
    recompiles: int = 0
