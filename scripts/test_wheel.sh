#!/usr/bin/env bash
# Builds the wheel, installs it by itself, without the checkout, and runs the demo from it.
set -euo pipefail
source "$(dirname "$0")/again.sh"

python=$1
folder=$(mktemp -d)
trap 'again rm -rf "$folder"' EXIT # what the demo ran may end a moment later

"$python" -m hatchling build -t wheel -d "$folder" >"$folder/build.log" || { cat "$folder/build.log" >&2; exit 1; }
"$python" -m venv "$folder/venv"
pip() { "$folder/venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
# Most of it is never imported here, so that it is not compiled either.
export PIP_COMPILE=0
again pip install --no-deps --require-hashes --requirement requirements/run.lock
pip install --no-deps "$folder"/*.whl
pip check
cd "$folder"
NO_COLOR=1 venv/bin/ephemera demo >"$folder/demo.log" 2>&1 || { cat "$folder/demo.log" >&2; exit 1; }
echo "the wheel, installed by itself, ran the demo: $(tail -n 1 "$folder/demo.log")"
