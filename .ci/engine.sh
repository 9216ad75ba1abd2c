# shellcheck shell=bash
# To be sourced. start_engine: a Docker engine that answers, of our own where there is none; stop_engine ends our own.

engine_folder=''
engine_pid=''

start_engine() {
    if docker version >/dev/null 2>&1; then
        echo 'using the Docker engine that answers'
        return
    fi
    engine_folder=$(mktemp -d)
    export DOCKER_HOST="unix://$engine_folder/docker.sock" # of its own: nobody else's docker command changes
    dockerd --host "$DOCKER_HOST" --pidfile "$engine_folder/pid" --exec-root "$engine_folder/exec" \
        >"$engine_folder/log" 2>&1 &
    engine_pid=$!
    for _ in {1..150}; do
        docker version >/dev/null 2>&1 && return
        kill -0 "$engine_pid" 2>/dev/null || break
        sleep 0.2
    done
    echo 'dockerd does not answer; its log ends with:' >&2
    tail -20 "$engine_folder/log" >&2
    return 1
}

stop_engine() {
    [[ -n $engine_pid ]] || return 0
    remove_leftovers >/dev/null 2>&1 || true
    kill "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" 2>/dev/null || true
    rm -rf "$engine_folder"
}

# A test run that was killed could not remove its containers, and the next engine would start them again. Images of the
# last two days stay: they are what makes the next run quick.
remove_leftovers() {
    docker ps --all --quiet --filter name=interest-stream-test- | xargs -r docker rm --force --volumes
    docker volume ls --quiet --filter name=interest-stream-test- | xargs -r docker volume rm
    docker network ls --quiet --filter name=interest-stream-test- | xargs -r docker network rm
    docker image prune --force --filter until=48h
}
