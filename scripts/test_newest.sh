#!/usr/bin/env bash
# Runs the tests that need no running platform on the newest Python that is supported.
#
#   scripts/test_newest.sh VERSION FOLDER WORKERS
set -euo pipefail

version=$1
folder=$2
workers=$3

find_python() {
    local candidate
    for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version"*/bin/python; do
        if "$candidate" -c '' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

if ! python=$(find_python); then
    echo "SKIPPED: the tests on Python $version, which is not on this computer"
    exit 0
fi
if [[ ! -e "$folder/ready" || requirements/dev.lock -nt "$folder/ready" ]]; then
    # Most of it is never imported here, so that it is not compiled either.
    PIP_COMPILE=0 PYTHON=$python scripts/setup.sh "$folder" requirements/dev.lock
    touch "$folder/ready"
fi
# Left out: the tables of what the client sends and is answered, which are long, and are looked up
# in the same way by every Python; and what is about the tree of files, or about tests.
"$folder/bin/python" -m pytest --quiet --numprocesses "$workers" --ignore tests/unit/client \
    --ignore tests/unit/test_imports.py --ignore tests/unit/test_skips_in_ci.py \
    tests/unit tests/contract/test_drivers.py::test_the_driver tests/contract/test_job_stores.py \
    tests/integration/test_scripts.py
