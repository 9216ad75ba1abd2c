# shellcheck shell=bash
# To be sourced. step NAME COMMAND...: runs it and says how long it took; the script's `set -e` ends at a failure.

step() {
    local name=$1 began=$SECONDS
    shift
    echo "==> $name"
    "$@"
    echo "==> $name: $((SECONDS - began)) s"
}
