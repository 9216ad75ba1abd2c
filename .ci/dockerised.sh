#!/usr/bin/env bash
# dockerised.sh: what users type with Docker: builds the image, runs the compose file, then the integration tests
# against its Kafka. Leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/engine.sh
. .ci/step.sh

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
step '  integration tests' env KAFKA_WAY=docker .venv/bin/python -m pytest tests/integration
