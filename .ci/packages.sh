#!/usr/bin/env bash
# packages.sh: Debian's packages for .ci/run, where a command is missing. One line for each command and its package.
set -euo pipefail

wanted=(
    make:make
    java:default-jre-headless
    mvn:maven
    docker:docker.io
    dockerd:docker.io
    iptables:iptables # dockerd publishes ports with it
    docker-compose:docker-compose
    mmdebstrap:mmdebstrap # the stand-ins' base
    awk:mawk
    chromium:chromium # tests/browser
    prometheus:prometheus # and its promtool
    redis-server:redis-server # tests/integration/test_sinks.py
)

missing=()
for pair in "${wanted[@]}"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)

if ((${#missing[@]})); then
    echo "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates "${missing[@]}" >/dev/null
fi
