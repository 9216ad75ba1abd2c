#!/usr/bin/env bash
# make-venv.sh FOLDER: a virtual environment of $PYTHON (python3 by default), unless FOLDER has one that works.
set -euo pipefail

folder=$1
python=${PYTHON:-python3}

stop() {
    echo "make: $*" >&2
    exit 2
}

if "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

command -v "$python" >/dev/null || stop "no $python; install Python 3.11 or newer, or name one: make install PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$("$python" --version 2>&1) is too old; name Python 3.11 or newer: make install PYTHON=python3.12"

# Debian and Ubuntu split venv's pip off into a package that carries the version in its name.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package="$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        stop "$python has no venv; install it (Debian and Ubuntu: sudo apt-get install $package) and run make again"
    fi
    echo "installing $package"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
fi

"$python" -m venv --clear "$folder"
