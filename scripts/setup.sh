#!/usr/bin/env bash
# Makes a virtual environment with what a lock file names, and this project in it, editable.
#
#   scripts/setup.sh FOLDER LOCK      PYTHON=... chooses the interpreter
set -euo pipefail
source "$(dirname "$0")/again.sh"

folder=$1
lock=$2
candidates=(python3.11 python3.12 python3.13 python3.14 python3 python)
if [[ -n "${PYTHON:-}" ]]; then candidates=("$PYTHON"); fi

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in "${candidates[@]}"; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "error: no Python 3.11 or newer was found (looked for: ${candidates[*]})" >&2
    echo "hint: install one, or name it: make setup PYTHON=/path/to/python3.11" >&2
    return 1
}

python=$(find_python)
echo "making $folder with $("$python" --version)"
if ! said=$("$python" -m venv "$folder" 2>&1); then
    echo "$said" >&2
    echo "error: $python cannot make a virtual environment" >&2
    echo "hint: on Debian and Ubuntu its venv module is a package of its own: python3-venv" >&2
    exit 1
fi
pip() { "$folder/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
# All that is needed is in the lock: nothing is to be resolved.
again pip install --no-deps --require-hashes --requirement "$lock"
# What it needs is there by now: nothing is looked up again, and it is built with what is there.
pip install --no-deps --no-build-isolation --editable .
