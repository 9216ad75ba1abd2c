#!/usr/bin/env bash
# lock.sh FILE: the versions that pip picks today for the project with its extras dev and plots, written to FILE.
# The extra cuda is left out on purpose: a constraint binds only what it names, so jax[cuda13] stays installable.
set -euo pipefail

file=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bash "$(dirname "$0")/make-venv.sh" "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check '.[dev,plots]'
{
    echo '# Exact versions of all that the project and its extras dev and plots bring in.'
    echo '# Written by "make lock"; read by "make install" and by compose/Dockerfile.'
    "$work/venv/bin/python" -m pip freeze --exclude interest-stream | grep -E '^[A-Za-z0-9._-]+=='
} >"$work/lock"
mv "$work/lock" "$file"
