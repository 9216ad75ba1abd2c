#!/usr/bin/env bash
# dockerised.sh: what users type with Docker: builds the image, runs the compose file, then those integration tests
# against its Kafka that could tell it from one in Java: each is the first of its kind. Leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/engine.sh
. .ci/step.sh

against_docker=(
    tests/integration/test_kafka_fixture.py # kill, stop, restart
    tests/integration/test_client.py
    tests/integration/test_topics.py
    tests/integration/test_lag_meter.py
    "tests/integration/test_worker.py::test_what_is_admitted_and_refused_adds_up_and_every_users_interest_comes_back"
    "tests/integration/test_worker.py::test_a_worker_that_ends_goes_on_where_its_state_ends[kill]"
    "tests/integration/test_worker_ends.py::test_offsets_that_retention_has_deleted_are_refused_until_the_gap_is_accepted"
)

log=$(mktemp)
trap 'stop_engine; rm -f "$log"' EXIT

build_worker() {
    local compose=(docker compose)
    docker compose version >/dev/null 2>&1 || compose=(docker-compose)
    "${compose[@]}" --file compose/compose.yaml build worker >"$log" 2>&1 || {
        tail -50 "$log"
        return 1
    }
}

step '  engine' start_engine
step '  public images, or what stands for them' bash .ci/stand-ins.sh
step '  image of the worker' build_worker
step '  compose file' .venv/bin/python -m pytest tests/compose
step '  integration tests' env KAFKA_WAY=docker .venv/bin/python -m pytest "${against_docker[@]}"
