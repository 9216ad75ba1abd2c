#!/usr/bin/env bash
# stand-ins.sh: pulls the public images that compose/ names; builds one that stands for each that cannot be pulled.
# Shown with a stand-in is that compose/ starts, and how; that the public image behaves alike is not.
set -euo pipefail

base=interest-stream-ci/debian
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
    kafka_image=$(sed -n 's/^ *image: \(apache\/kafka:.*\)/\1/p' compose/compose.yaml)
    redis_image=$(sed -n 's/^ *image: \(redis:.*\)/\1/p' compose/compose.yaml)
    pulled "$kafka_image" || build_kafka
    pulled "$redis_image" || build_redis
    for image in $(sed -n 's/^FROM \([^ ]*\).*/\1/p' compose/Dockerfile); do
        pulled "$image" || build_python "$image"
    done
}

pulled() {
    timeout 300 docker pull --quiet "$1" 2>/dev/null || {
        echo "$1 cannot be pulled: building what stands for it"
        return 1
    }
}

build_kafka() {
    ensure_base
    cp -r .ci/stand-ins/kafka "$work/kafka"
    cp -r "$(.venv/bin/python -c 'from tests.support.java_kafka import fetch_jars; print(fetch_jars())')" "$work/kafka/libs"
    build "$kafka_image" "$work/kafka"
}

build_redis() {
    ensure_base
    mkdir "$work/redis"
    echo "FROM $base" >"$work/redis/Dockerfile"
    build "$redis_image" "$work/redis"
}

# Certificates that this machine trusts beyond the public ones are what its way to the package index may need.
build_python() {
    ensure_base
    cp -rT .ci/stand-ins/python "$work/python"
    cp /etc/ssl/certs/ca-certificates.crt "$work/python/"
    build "$1" "$work/python"
}

build() {
    DOCKER_BUILDKIT=0 docker build --quiet --tag "$1" "$2" 2>/dev/null
}

# Debian with what the stand-ins need: 20 s, so an earlier run's is used while this file stays as it is.
ensure_base() {
    local tag
    tag="$base:$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12)"
    if ! docker image inspect "$tag" >/dev/null 2>&1; then
        # The JRE's package links its manual pages and fails where their folder is missing.
        # shellcheck disable=SC2016 # mmdebstrap's shell expands $1
        mmdebstrap --quiet --variant=minbase --include=binutils,ca-certificates,default-jre-headless,python3,python3-venv,redis-server \
            --setup-hook='mkdir -p "$1/usr/share/man/man1"' "$(. /etc/os-release && echo "$VERSION_CODENAME")" - |
            docker import - "$tag" >/dev/null
    fi
    docker tag "$tag" "$base"
}

main
