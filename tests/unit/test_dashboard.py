"""The dashboard, read by Grafana's own types and written again: what they do not know is lost on the way."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.unit.test_monitoring import DASHBOARD


def read_and_written(dashboard: dict[str, Any]) -> Any:
    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Paths that are in `before` and not, or not equal, in `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost(value, after[key], f"{path}.{key}") if key in after else [f"{path}.{key}"]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for n, (value, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(value, other, f"{path}[{n}]")
    elif before != after:
        yield path


@pytest.fixture
def dashboard() -> dict[str, Any]:
    return json.loads(DASHBOARD.read_text())


def test_grafana_knows_every_field_of_the_dashboard(dashboard):
    assert list(lost(dashboard, read_and_written(dashboard))) == []


@pytest.mark.parametrize("part", ["gridPos", "fieldConfig", "options"])
def test_a_mistyped_field_is_seen(dashboard, part):
    dashboard["panels"][0][part]["mistyped"] = 1
    assert list(lost(dashboard, read_and_written(dashboard))) == [f".panels[0].{part}.mistyped"]
