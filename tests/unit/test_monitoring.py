"""Alert rules, dashboard and runbook speak of metrics and alerts that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from stream.metrics import METRICS, Meters

ROOT = Path(__file__).parents[2]
RULES = ROOT / "compose/prometheus/interest-stream.rules.yaml"
DASHBOARD = ROOT / "compose/grafana/dashboards/interest-stream.json"
NAME = re.compile(r"\b(?:interest|process)_[a-z0-9_]+\b")


def scraped_names() -> set[str]:
    """Every sample's name that a scrape can hold."""
    meters = Meters()
    meters.read_from(lambda: [])
    text, _ = meters.exposition("text/plain")
    samples = {s.name for f in text_string_to_metric_families(text.decode()) for s in f.samples}
    read = {metric.full_name for metric in METRICS if metric.kind != "histogram"}
    return samples | read


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return json.loads(DASHBOARD.read_text())["panels"]


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def test_every_metric_of_a_rule_or_panel_is_scraped():
    unknown = {name for expr in expressions() for name in NAME.findall(expr)} - scraped_names()
    assert unknown == set()


def test_every_metric_is_on_the_dashboard_or_names_the_worker():
    shown = {name for panel in panels() for t in panel["targets"] for name in NAME.findall(t["expr"])}
    shown = {name.removesuffix("_bucket") for name in shown}
    unshown = {m.full_name for m in METRICS} - shown
    assert unshown == {
        "interest_records_total",  # the sum of those shown
        "interest_model_steps_total",
        "interest_replay_ratio",
        "interest_scored_total",
        "interest_worker_info",
    }


def test_every_alert_is_explained_with_a_command():
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", (ROOT / "docs/operations.md").read_text(), re.M | re.S))
    assert sections.keys() == {rule["alert"] for rule in rules()}
    assert all("\n    " in section for section in sections.values())


def test_every_alert_has_a_severity_and_a_summary():
    assert all(rule["labels"]["severity"] in ("page", "ticket") for rule in rules())
    assert all(rule["annotations"]["summary"] for rule in rules())
