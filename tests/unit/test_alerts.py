"""Every alert fires when it should and keeps quiet just short of it, as Prometheus' own promtool judges."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_monitoring import RULES, rules

JOB = 'job="interest-stream"'
WORKER = {"job": "interest-stream", "instance": "w"}
BUCKET = "interest_latency_seconds_bucket"


@dataclass(frozen=True)
class Case:
    """What is scraped each minute, in promtool's notation, and which alert comes of it.

    Attributes:
        alert: its name.
        why: what the case is.
        minute: when it is looked at.
        fires: the labels with which it fires; None where it must not.
        series: values by series.
    """

    alert: str
    why: str
    minute: int
    fires: Mapping[str, str] | None
    series: Mapping[str, str]


def worker(**values: str) -> dict[str, str]:
    return {f'{name}{{{JOB},instance="w"}}': text for name, text in values.items()}


def by_topic(**values: str) -> dict[str, str]:
    return {f'{name}{{{JOB},instance="w",topic="clicks"}}': text for name, text in values.items()}


def latency(below_5_s: str) -> dict[str, str]:
    edges = {"5.0": below_5_s, "10.0": "0+10x20", "+Inf": "0+10x20"}
    return {f'{BUCKET}{{{JOB},instance="w",le="{le}"}}': text for le, text in edges.items()}


def quality(scored: str, mixture: str = "0.3x60") -> dict[str, str]:
    of_ranker = {"mixture": mixture, "counting": "0.31x60"}
    return worker(interest_scored_total=scored) | {
        f'interest_recall_at_20{{{JOB},instance="w",ranker="{ranker}"}}': text for ranker, text in of_ranker.items()
    }


def two_workers(first: str, second: str) -> dict[str, str]:
    return {f'interest_ready{{{JOB},instance="{name}"}}': text for name, text in (("a", first), ("b", second))}


CASES = [
    Case("InterestWorkerDown", "no answer for two minutes", 2, WORKER, worker(up="1 0 0 0")),
    Case("InterestWorkerDown", "one scrape failed", 2, None, worker(up="1 0 1 1")),
    Case("InterestNobodyWorks", "two stand by", 6, {}, two_workers("0x10", "0x10")),
    Case("InterestNobodyWorks", "one works", 6, None, two_workers("0x10", "1x10")),
    Case("InterestLagGrows", "more by the minute", 20, {}, by_topic(interest_lag_records="0+2000x30")),
    Case("InterestLagGrows", "much, but less by the minute", 20, None, by_topic(interest_lag_records="90000-2000x30")),
    Case("InterestLagGrows", "more, but still few", 20, None, by_topic(interest_lag_records="0+400x30")),
    Case(
        "InterestNoProgress",
        "nothing is read while records wait",
        12,
        {},
        by_topic(interest_lag_records="1x20", interest_records_total="500x20"),
    ),
    Case(
        "InterestNoProgress",
        "one record a minute is read",
        12,
        None,
        by_topic(interest_lag_records="1x20", interest_records_total="0+1x20"),
    ),
    Case("InterestNoProgress", "nothing waits", 12, None, by_topic(interest_lag_records="0x20")),
    Case(
        "InterestCheckpointsFail", "the disk refuses", 9, WORKER, worker(interest_checkpoint_failures_total="0x5 1x5")
    ),
    Case(
        "InterestCheckpointsFail", "the last one is old", 8, WORKER, worker(interest_checkpoint_age_seconds="0+60x20")
    ),
    Case(
        "InterestCheckpointsFail",
        "one failed long ago, and the last is new",
        30,
        None,
        worker(interest_checkpoint_failures_total="0 1x40", interest_checkpoint_age_seconds="10x40"),
    ),
    Case(
        "InterestDeadLetters",
        "six of a hundred",
        12,
        {"topic": "clicks"},
        by_topic(interest_dead_letters_total="0+6x20", interest_records_total="0+100x20"),
    ),
    Case(
        "InterestDeadLetters",
        "four of a hundred",
        12,
        None,
        by_topic(interest_dead_letters_total="0+4x20", interest_records_total="0+100x20"),
    ),
    Case("InterestSlow", "a tenth takes longer than five seconds", 16, {}, latency("0+9x20")),
    Case("InterestSlow", "none takes longer than five seconds", 16, None, latency("0+10x20")),
    Case("InterestQualityBelowCounting", "for an hour", 40, WORKER, quality("5001x60")),
    Case("InterestQualityBelowCounting", "too few predictions", 40, None, quality("5000x60")),
    Case("InterestQualityBelowCounting", "as good", 40, None, quality("5001x60", mixture="0.31x60")),
    Case("InterestDrift", "an alarm", 5, WORKER, worker(interest_drift_alarms_total="0 0 1 1 1 1")),
    Case("InterestDrift", "none", 5, None, worker(interest_drift_alarms_total="1 1 1 1 1 1")),
    Case("InterestLossNotFinite", "no number for two minutes", 3, WORKER, worker(interest_loss="1 NaN NaN NaN")),
    Case("InterestLossNotFinite", "a number again", 3, None, worker(interest_loss="1 NaN 1 1")),
    Case("InterestRecompiles", "once", 1, WORKER, worker(interest_recompilations_total="0 1")),
    Case("InterestRecompiles", "never", 1, None, worker(interest_recompilations_total="0 0")),
]


def as_promtool_reads(case: Case) -> dict[str, Any]:
    (rule,) = (rule for rule in rules() if rule["alert"] == case.alert)
    summary = rule["annotations"]["summary"].replace("{{ $labels.topic }}", "clicks")
    fired = {"exp_labels": {**(case.fires or {}), **rule["labels"]}, "exp_annotations": {"summary": summary}}
    expected = {"alertname": case.alert, "eval_time": f"{case.minute}m"}
    return {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "alert_rule_test": [{**expected, "exp_alerts": [] if case.fires is None else [fired]}],
            }
        ],
    }


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.fail("no promtool on the path; on Debian: apt-get install prometheus", pytrace=False)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}, {case.why}")
def test_an_alert_fires_when_it_should_and_not_before(promtool: str, case: Case, tmp_path: Path):
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(as_promtool_reads(case)))
    command = [promtool, "test", "rules", str(tmp_path / "test.yaml")]
    judged = subprocess.run(command, check=False, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_every_alert_has_a_case_that_fires_and_one_that_does_not():
    for alert in (rule["alert"] for rule in rules()):
        assert {case.fires is not None for case in CASES if case.alert == alert} == {True, False}, alert
