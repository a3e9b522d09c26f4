#!/usr/bin/env bash
# What is tried on the virtual computer. The last line says whether all of it was well.
#
# Arguments for pytest are in `vm-arguments`, one a line; without them it is what tests containers.
set -uo pipefail
cd /project
export HOME=/root PATH=/project/.venv/bin:$PATH LANG=C.UTF-8
TESTS=(
    tests/contract/test_drivers.py::TestTheContainerDriver
    tests/integration/test_container_*.py
    tests/integration/test_rootless_groups.py
    tests/acceptance/test_container_commands.py
)
mapfile -t ARGUMENTS < <(grep . vm-arguments)
if ((${#ARGUMENTS[@]})); then TESTS=("${ARGUMENTS[@]}"); fi

try() {
    echo "vm: $*"
    "$@" || failed=yes
}

failed=
uname -sr
crun --version | head -1
grep cgroup /proc/self/mountinfo
cat /proc/self/cgroup
python -m compileall -q src # which those who are not root may not write there, nor wait for
try ephemera doctor
export PYTHONPATH=scripts/vm_cgroup2
try python -m pytest -p patience -p no:cacheprovider --timeout 900 --color no -q -rs "${TESTS[@]}"
if [[ -z $failed ]]; then echo 'vm: all is well'; fi
