"""The HTTP server of a real worker on a real Kafka, from its first moment to its last."""

import json
import urllib.error
import urllib.request
from collections import defaultdict
from typing import Any

from aiohttp.test_utils import unused_port
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.test_worker import a_worker, send, settings, some_events
from tests.support.waiting import wait_until

__all__ = ["settings"]  # a fixture


OFTEN = {"INTEREST_CHECKPOINT_INTERVAL_S": "0.5"}


class Http:
    """What a port answers: `get(path)` is status and decoded body, status 0 while nobody listens."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def metrics(self) -> dict[str, float]:
        """The sum over all series of each sample's name."""
        with urllib.request.urlopen(self._address + "/metrics", timeout=10) as response:
            families = text_string_to_metric_families(response.read().decode())
        sums: defaultdict[str, float] = defaultdict(float)
        for sample in (sample for family in families for sample in family.samples):
            sums[sample.name] += sample.value
        return sums

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(self._address + path, timeout=10) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())
        except urllib.error.URLError:
            return 0, None


def assert_metrics_add_up(metrics: dict[str, float]) -> None:
    assert metrics["interest_records_total"] == metrics["interest_events_total"] == 600
    assert metrics["interest_lag_records"] == metrics["interest_queue_records"] == 0
    assert metrics["interest_users"] == 40
    assert metrics["interest_ready"] == metrics["interest_worker_info"] == 1
    assert metrics["interest_recompilations_total"] == metrics["interest_checkpoint_failures_total"] == 0
    assert 0 < metrics["interest_latency_seconds_count"] <= metrics["interest_micro_batch_seconds_count"] * 600
    assert metrics["interest_learn_seconds_count"] > 0
    assert metrics["interest_delivery_seconds_count"] > 0
    assert metrics["interest_loss"] > 0
    assert metrics["process_resident_memory_bytes"] > 1e8


def test_probes_and_metrics_answer_from_the_first_moment_and_the_port_closes_with_the_worker(settings, tmp_path):
    send(settings, some_events(600))
    port = unused_port()
    http = Http(port)
    with a_worker(settings, tmp_path, {"INTEREST_WEB_PORT": str(port), **OFTEN}) as worker:
        wait_until(lambda: http.get("/livez")[0], 60, "it listens")
        status, ready = http.get("/readyz")
        assert (status, ready["state"], ready["compiled"]) == (503, "compiling", False)
        assert http.metrics()["interest_ready"] == 0

        worker.wait_for(lambda s: s.records == 600, "all records are through")
        assert http.get("/livez") == (200, {"alive": True, "state": "running", "faults": [], "warnings": []})
        assert http.get("/readyz")[0] == 200

        wait_until(lambda: http.metrics()["interest_checkpoint_bytes"], 30, "a checkpoint")
        wait_until(lambda: http.metrics().get("interest_lag_records") == 0, 10, "a look at the lag since then")
        wait_until(lambda: http.metrics()["interest_loss"], 30, "a step has ended, so that its loss is known")
        assert_metrics_add_up(http.metrics())
        assert http.get("/users/u1/interest")[1]["num_events"] > 0
        wait_until(lambda: len(http.get("/users/u1/recommendations?k=5")[1]["items"]) == 5, 10, "items are published")
        assert http.get("/users/nobody/interest")[0] == 404

        assert worker.stop() == 0
    assert http.get("/livez")[0] == 0
