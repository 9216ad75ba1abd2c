"""Prometheus with compose's configuration beside a real worker: it scrapes, judges, and fills the panels."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import unused_port

from tests.integration.test_worker import a_worker, send, settings, some_events
from tests.support.waiting import wait_until
from tests.unit.test_monitoring import ROOT, panels, rules

__all__ = ["settings"]  # a fixture

FOLDER = ROOT / "compose/prometheus"


@contextmanager
def prometheus(worker_port: int, data: Path) -> Iterator[str]:
    """The address of one that watches the worker; only addresses and folders of its configuration are ours."""
    found = shutil.which("prometheus")
    if found is None:
        pytest.fail("no prometheus on the path; on Debian: apt-get install prometheus", pytrace=False)
    config = (FOLDER / "prometheus.yaml").read_text().replace("worker:6066", f"127.0.0.1:{worker_port}")
    data.mkdir()
    (data / "prometheus.yaml").write_text(config.replace("/etc/prometheus", str(FOLDER)))
    address = f"127.0.0.1:{unused_port()}"
    arguments = [f"--config.file={data}/prometheus.yaml", f"--storage.tsdb.path={data}/tsdb"]
    with (data / "log").open("w") as log:
        process = subprocess.Popen([found, *arguments, f"--web.listen-address={address}"], stderr=log)
    try:
        yield f"http://{address}/api/v1"
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def telling(what: Callable[[], str]) -> Iterator[None]:
    """Adds `what()` to an error."""
    try:
        yield
    except Exception as error:
        error.add_note(what())
        raise


def ask(api: str, what: str, **query: str) -> dict[str, Any]:
    """The `data` of an answer; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"{api}/{what}?{urllib.parse.urlencode(query)}") as response:
            return json.load(response)["data"]
    except urllib.error.URLError:
        return {}


def health_of_rules(api: str) -> dict[str, str]:
    groups = ask(api, "rules").get("groups", [])
    return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}


def empty_panels(api: str) -> list[str]:
    return [panel["title"] for panel in panels() if not any(is_shown(api, t["expr"]) for t in panel["targets"])]


def is_shown(api: str, expression: str) -> bool:
    return bool(ask(api, "query", query=expression).get("result"))


def test_prometheus_scrapes_the_worker_judges_every_rule_and_fills_every_panel(settings, tmp_path):
    send(settings, some_events(600))
    port = unused_port()
    own = {
        "INTEREST_WEB_PORT": str(port),
        "INTEREST_CHECKPOINT_INTERVAL_S": "0.5",
        "INTEREST_SCORE_SAMPLE_RATIO": "1",  # a tenth may be none of these few
    }
    with a_worker(settings, tmp_path / "state", own) as worker, prometheus(port, tmp_path / "prometheus") as api:
        worker.wait_for(lambda s: s.records == 600, "all records are through")
        wait_until(lambda: set(health_of_rules(api).values()) == {"ok"}, 60, "every rule was evaluated")
        assert health_of_rules(api).keys() == {rule["alert"] for rule in rules()}
        wait_until(
            lambda: [target["health"] for target in ask(api, "targets")["activeTargets"]] == ["up"], 60, "scraped"
        )
        with telling(lambda: f"empty: {empty_panels(api)}; targets: {ask(api, 'targets')}"):
            wait_until(lambda: not empty_panels(api), 120, "every panel shows something")  # two scrapes at least
        assert [alert for alert in ask(api, "alerts")["alerts"] if alert["state"] == "firing"] == []
