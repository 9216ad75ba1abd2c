"""The demo's parts that need no broker."""

from pathlib import Path

import numpy as np
import pytest

from stream.demo.shopkeeper import MAX_AHEAD_EVENTS, Shopkeeper, ShopPlan
from stream.demo.showcase import _percentiles
from stream.demo.worker_process import as_environment
from stream.settings import Settings


class CountingProducer:
    """Counts; stands for `BulkProducer`."""

    def __init__(self) -> None:
        self.num_sent = 0

    def send(self, event_kind: int, key: bytes, value: bytes) -> None:
        self.num_sent += 1

    def poll(self) -> None:
        pass

    def flush(self) -> None:
        pass


def test_shop_sends_exactly_as_many_events_as_planned():
    producer = CountingProducer()
    shop = Shopkeeper(producer, ShopPlan(num_events=700, events_per_s=1e6))
    shop.start()
    shop.join(10)
    assert (producer.num_sent, shop.num_sent) == (700, 700)


def test_shop_waits_for_a_worker_that_is_far_behind():
    shop = Shopkeeper(CountingProducer(), ShopPlan(num_events=10**6, events_per_s=1e7))
    shop.start()
    shop.join(0.3)
    shop.close()
    assert shop.num_sent <= MAX_AHEAD_EVENTS


def test_latencies_have_percentiles_only_where_there_are_updates():
    assert _percentiles(np.zeros(0)).p50 is None
    assert _percentiles(np.arange(101.0)).p99 == pytest.approx(99.0)


def test_environment_of_a_worker_gives_it_the_same_settings(monkeypatch: pytest.MonkeyPatch):
    settings = Settings(window_size=20, gpu_preallocate=True, checkpoint_dir=Path("/tmp/x"), learning_rate=1e-4)
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == settings
