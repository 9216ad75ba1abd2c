"""Every metric of a worker: its kind, unit, meaning and what to do when it rises; and the instruments behind them.

Knows nothing of what is measured. Counters of the state count from its beginning, restarts included.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

PREFIX = "interest_"
NOTHING = "nothing"

CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)  # seconds on the model thread
WAIT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)  # seconds for brokers and disks

Family = CounterMetricFamily | GaugeMetricFamily


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: without the prefix; a counter's ends in `_total`.
        kind: of Prometheus.
        unit: of its value.
        meaning: one sentence.
        when_it_rises: what to do then.
        labels: what tells its series apart.
        buckets: upper bounds of a histogram.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    when_it_rises: str = NOTHING
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As scraped."""
        return PREFIX + self.name


def _by_topic(name: str, meaning: str, when_it_rises: str = NOTHING) -> Metric:
    return Metric(name, "counter", "records", meaning, when_it_rises, ("topic",))


def _count(name: str, unit: str, meaning: str, when_it_rises: str = NOTHING) -> Metric:
    return Metric(name, "counter", unit, meaning, when_it_rises)


def _gauge(name: str, unit: str, meaning: str, when_it_rises: str = NOTHING, labels: tuple[str, ...] = ()) -> Metric:
    return Metric(name, "gauge", unit, meaning, when_it_rises, labels)


def _seconds(name: str, meaning: str, when_it_rises: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, "histogram", "seconds", meaning, when_it_rises, (), buckets)


METRICS = (
    # -- what became of the records
    _by_topic("records_total", "Records read; the sum of the next six."),
    _by_topic("events_total", "Events admitted: they changed windows and model."),
    _by_topic(
        "dead_letters_total", "Records that cannot be used.", "read the reasons: interest-stream dead-letters list"
    ),
    _by_topic(
        "duplicates_total", "Events whose event_id had been seen.", "a producer sends again: look at its retries"
    ),
    _by_topic("late_total", "Events later than allowed_lateness_ms.", "a source lags: mend it, or allow more lateness"),
    _by_topic("erased_total", "Events of before their user's erasure."),
    _by_topic("floods_total", "Events beyond max_events_per_minute.", "bots or a source that repeats itself: find who"),
    _count("updates_total", "records", "Interest updates sent since the process started."),
    # -- how far behind
    _gauge(
        "lag_records",
        "records",
        "Records in Kafka that this worker's state does not contain yet.",
        "the worker is too slow or stands: look at micro_batch_seconds, learn_seconds, the log; set replay_ratio lower",
        ("topic", "partition"),
    ),
    _gauge("queue_records", "records", "Decoded records that wait for their micro-batch.", "as lag_records"),
    _gauge(
        "pending_examples", "examples", "Examples that wait to be learned.", "learning is too slow: see learn_seconds"
    ),
    _seconds(
        "latency_seconds",
        "From a record's timestamp until its user's update is handed to the producer, oldest record of each run.",
        "see lag_records; a backfill of old records raises it without a fault",
        WAIT_BUCKETS,
    ),
    _seconds("delivery_seconds", "From sending a batch until the broker has it.", "look at the broker", WAIT_BUCKETS),
    # -- the model's work
    _seconds("micro_batch_seconds", "One micro-batch, without learning.", "the machine is short of CPU", CALL_BUCKETS),
    _seconds("learn_seconds", "One learning step on new events.", "the machine is short of CPU", CALL_BUCKETS),
    _count("learned_total", "events", "New events learned since the process started, those left out included."),
    _count(
        "left_out_total",
        "events",
        "Of them, those that only the counts learned while the worker was behind; see overload_learn_ratio.",
        "as lag_records",
    ),
    _gauge("learn_ratio", "ratio", "Share of the newest events that the network learned; below 1 under overload."),
    _count("replayed_total", "events", "Past events learned again since the process started."),
    _gauge("replay_ratio", "ratio", "Replayed for each new event, over the whole run; falls where time is short."),
    _count("model_steps_total", "steps", "Gradient steps in the state."),
    _count("recompilations_total", "compilations", "Compilations since the worker was ready.", "a bug: report it"),
    # -- the model's quality
    _gauge("loss", "nats", "The network's loss on the last learning step.", "see recall_at_20: the stream has changed"),
    _gauge("gate_loss", "nats", "The mixture's loss on the last learning step.", "as loss"),
    _gauge("recall_at_20", "ratio", "Recent share of next items among the first 20.", NOTHING, ("ranker",)),
    _gauge("mrr_at_20", "ratio", "Recent mean reciprocal rank of next items.", NOTHING, ("ranker",)),
    _count("scored_total", "predictions", "Predictions behind recall and MRR, in the state."),
    _count(
        "drift_alarms_total",
        "alarms",
        "Times that the loss rose beyond noise, in the state.",
        "the stream has changed: see recall_at_20, and look for the cause at its sources",
    ),
    # -- the state and its checkpoints
    _gauge("users", "users", "Users with a window.", "beyond max_users the least recently active leave"),
    _gauge(
        "items", "items", "Items with a slot of their own.", "beyond max_items the items not seen for longest leave"
    ),
    _gauge(
        "checkpoint_age_seconds",
        "seconds",
        "Since a checkpoint last held all there was.",
        "see the log; is the disk full?",
    ),
    _gauge("checkpoint_bytes", "bytes", "What the last checkpoint wrote.", "more changes: see checkpoint_interval_s"),
    _seconds("checkpoint_seconds", "Writing one checkpoint.", "look at the disk", WAIT_BUCKETS),
    _count("checkpoint_failures_total", "checkpoints", "Checkpoints not written.", "make room on the disk"),
    # -- the process
    _gauge("ready", "0 or 1", "Whether events are being worked on, as /readyz says."),
    _gauge("standby", "0 or 1", "Whether it stands by for another worker."),
    _gauge("device_memory_bytes", "bytes", "Memory in use on an accelerator.", "lower max_items or dim"),
    _gauge("worker_info", "1", "Which worker this is.", NOTHING, ("app_id", "device", "encoder", "dim")),
)

_METRIC_OF = {metric.name: metric for metric in METRICS}


class Reading(NamedTuple):
    """The value of one series at the moment of a scrape.

    Attributes:
        name: of a metric that is a counter or gauge.
        value: in its unit.
        labels: values of its labels, in their order.
    """

    name: str
    value: float
    labels: tuple[str, ...] = ()


class Meters:
    """The instruments of one worker, in a registry of their own. May be used from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, CPU, open files
        self.latency = self._histogram("latency_seconds")
        self.delivery = self._histogram("delivery_seconds")
        self.micro_batch = self._histogram("micro_batch_seconds")
        self.learn = self._histogram("learn_seconds")
        self.checkpoint = self._histogram("checkpoint_seconds")
        failures, num_bytes = _METRIC_OF["checkpoint_failures_total"], _METRIC_OF["checkpoint_bytes"]
        self.checkpoint_failures = Counter(failures.full_name, failures.meaning, registry=self.registry)
        self.checkpoint_bytes = Gauge(num_bytes.full_name, num_bytes.meaning, registry=self.registry)
        self._instruments = {
            *(metric.name for metric in METRICS if metric.kind == "histogram"),
            failures.name,
            num_bytes.name,
        }

    def read_from(self, read: Callable[[], Iterable[Reading]]) -> None:
        """Take all that is not counted by instruments from `read`, at each scrape."""
        self.registry.register(_Scrape(read, [m for m in METRICS if m.name not in self._instruments]))

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Everything as text, and its content type, in the format that an Accept header asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _histogram(self, name: str) -> Histogram:
        metric = _METRIC_OF[name]
        return Histogram(metric.full_name, metric.meaning, buckets=metric.buckets, registry=self.registry)


class _Scrape(Collector):
    """What is read at the moment of a scrape."""

    def __init__(self, read: Callable[[], Iterable[Reading]], metrics: Iterable[Metric]) -> None:
        self._read = read
        self._metrics = list(metrics)

    def describe(self) -> Iterator[Family]:
        yield from self._families().values()

    def collect(self) -> Iterator[Family]:
        families = self._families()
        for reading in self._read():
            families[reading.name].add_metric(reading.labels, reading.value)
        yield from families.values()

    def _families(self) -> dict[str, Family]:
        return {metric.name: _family(metric) for metric in self._metrics}


def _family(metric: Metric) -> Family:
    family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return family(metric.full_name, metric.meaning, labels=metric.labels)
