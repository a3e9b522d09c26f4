"""Scripts that need the network bear with a hiccup of it, and with no more than that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_AGAIN = Path(__file__).parents[2] / "scripts" / "again.sh"
_SCRIPT = """
set -euo pipefail
source "$1"
sleep() { :; }
left=$2
fetch() {
    echo "fetching $1"
    ((left-- <= 0))
}
again fetch it
echo "done"
"""


def _run(failures: int) -> subprocess.CompletedProcess[str]:
    """Fetch something that fails so often."""
    command = ["bash", "-c", _SCRIPT, "bash", str(_AGAIN), str(failures)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_what_fails_once_or_twice_is_done_again(failures: int) -> None:
    ran = _run(failures)
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == ["fetching it"] * (failures + 1) + ["done"]
    assert ran.stderr.count("again in") == failures


def test_what_goes_on_failing_is_an_error() -> None:
    ran = _run(3)
    assert ran.returncode != 0
    assert ran.stdout.splitlines() == ["fetching it"] * 3
