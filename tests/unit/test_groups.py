"""Tests of a group run one after the other in one process: pytest-xdist has been seen to forget groups in silence."""

import os

import pytest

alone = pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process runs them all")


@alone
@pytest.mark.xdist_group("grouped")
def test_a_group_is_seen(request: pytest.FixtureRequest):
    assert request.node.nodeid.endswith("@grouped")


@alone
@pytest.mark.timely
def test_tests_that_measure_time_are_a_group(request: pytest.FixtureRequest):
    assert request.node.nodeid.endswith("@timely")
