"""What the page draws over time: one sample a second, thinned with age so that memory and page stay small. Pure."""

from collections import deque
from collections.abc import Iterator

import msgspec

from stream.status import WorkerState

THINNING = (1, 10, 12)  # every sample, then one in 10, then one in 120
KEPT = 600  # samples of each density: 10 minutes, 100 minutes, 20 hours at one a second


class Quality(msgspec.Struct, frozen=True):
    """How well one ranker predicted of late, in [0, 1]."""

    recall: float
    mrr: float


class TopicFlow(msgspec.Struct, frozen=True):
    """One input topic.

    Attributes:
        records: read so far.
        records_per_s: since the sample before.
        lag: records that wait at the broker or in the queue; None while the broker does not say.
    """

    records: int
    records_per_s: float
    lag: int | None


class Alarm(msgspec.Struct, frozen=True):
    """A mark on the axis of time."""

    at_ms: int
    what: str


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """The worker at one moment.

    Attributes:
        at_ms: by the worker's clock.
        state: what the worker is doing.
        topics: by the topic's name.
        quality: by ranker, over the recent past; empty before the first prediction.
        events: events admitted.
        users: users known.
        items: items known.
        latency_p50_ms: from an event's time to its update being handed to the broker, over the last seconds.
        latency_p99_ms: the same.
        loss: mean loss of the last learning step.
        learning_rate: Adam's, of the network.
        step_ms: a learning step, scoring included.
        model_step: gradient updates.
        checkpoint_age_s: since the last checkpoint was complete.
        updates: interest updates sent.
        refused: records that became dead letters.
        alarms: new since the sample before.
    """

    at_ms: int
    state: WorkerState
    topics: dict[str, TopicFlow] = {}
    quality: dict[str, Quality] = {}
    events: int = 0
    users: int = 0
    items: int = 0
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    loss: float | None = None
    learning_rate: float | None = None
    step_ms: float | None = None
    model_step: int = 0
    checkpoint_age_s: float | None = None
    updates: int = 0
    refused: int = 0
    alarms: list[Alarm] = []


class History:
    """Samples in the order of their time, dense where they are new."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._tiers: list[deque[Sample]] = [deque() for _ in THINNING]
        self._passed = [0] * len(THINNING)

    def __iter__(self) -> Iterator[Sample]:
        for tier in reversed(self._tiers):
            yield from tier

    def __len__(self) -> int:
        return sum(map(len, self._tiers))

    @property
    def newest(self) -> Sample | None:
        """The last one; None before the first."""
        return self._tiers[0][-1] if self._tiers[0] else None

    def add(self, sample: Sample) -> None:
        """Take in the newest; one that carries an alarm is never thinned out before the oldest end."""
        carried: Sample | None = sample
        for tier, (samples, one_in) in enumerate(zip(self._tiers, THINNING, strict=True)):
            if carried is None:
                return
            self._passed[tier] += 1
            if not carried.alarms and self._passed[tier] % one_in:
                return
            samples.append(carried)
            carried = samples.popleft() if len(samples) > self._kept else None
