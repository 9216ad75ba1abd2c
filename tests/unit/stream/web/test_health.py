"""What the probes say, by the worker's condition."""

import pytest

from stream.web.health import Patience, judge_life, judge_readiness
from stream.web.view import Condition

PATIENCE = Patience(stalled_s=60)
READY = Condition(is_compiled=True, is_restored=True, is_assigned=True)


@pytest.mark.parametrize(
    ("condition", "alive"),
    [
        (Condition(), True),
        (Condition(failed="a topic is gone"), False),
        (Condition(model_busy_s=59), True),
        (Condition(model_busy_s=60), False),
        (Condition(stalled_s=59), True),
        (Condition(stalled_s=60), False),
    ],
)
def test_a_worker_is_not_alive_where_a_restart_would_help(condition: Condition, alive: bool):
    live = judge_life(condition, "running", PATIENCE)
    assert live.alive == alive
    assert bool(live.faults) == (not alive)


def test_a_full_disk_is_a_warning_since_a_restart_frees_nothing():
    live = judge_life(Condition(unsaved_s=300), "running", PATIENCE)
    assert live.alive
    assert "300 s" in live.warnings[0]


def test_a_long_compilation_is_no_fault():
    assert judge_life(Condition(model_busy_s=600), "compiling", PATIENCE).alive


def test_without_a_watchdog_nothing_is_too_long():
    assert judge_life(Condition(stalled_s=1e6, model_busy_s=1e6), "running", Patience(stalled_s=0)).alive


@pytest.mark.parametrize("missing", ["is_compiled", "is_restored", "is_assigned"])
def test_a_worker_is_ready_when_compiled_restored_and_assigned(missing: str):
    assert judge_readiness(READY, "running").ready
    assert not judge_readiness(Condition(**{**vars(READY), missing: False}), "running").ready


def test_a_standby_is_alive_and_not_ready():
    standing_by = Condition(is_compiled=True)
    assert judge_life(standing_by, "standby", PATIENCE).alive
    assert not judge_readiness(standing_by, "standby").ready
