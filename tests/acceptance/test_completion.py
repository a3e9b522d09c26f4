"""What the Tab key completes, as the shells ask for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.command_line import CommandLine
from tests.acceptance.inside import Inside
from tests.acceptance.shop import Shop

#: How each shell asks for what may come after some words.
ASKED = {
    "bash": lambda words: {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
    "zsh": lambda words: {"_TYPER_COMPLETE_ARGS": words},
    "fish": lambda words: {
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    },
}


def completed(inside: Inside, shell: str, words: str) -> str:
    """Return what a command offers; that it has nothing to offer is no error to anybody."""
    asked = {"_EPHEMERA_COMPLETE": f"complete_{shell}", **ASKED[shell](words)}
    inside.environment |= asked
    said = inside()
    assert said.stderr == ""
    for name in asked:
        del inside.environment[name]
    return said.stdout


@pytest.fixture
def inside(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """The command line, with the patience that it takes where others keep the computer busy."""
    monkeypatch.setattr("ephemera.cli.completing._ANSWER_TIMEOUT_S", 30.0)
    return Inside(shop.ephemera, tmp_path)


@pytest.mark.parametrize("shell", ASKED)
def test_apps_machines_and_volumes_are_completed(inside: Inside, shop: Shop, shell: str) -> None:
    config = {"image": "host", "init": {"exec": ["true"]}}
    machine = shop.client.machines.create(shop.app, config=config, skip_launch=True)
    volume = shop.client.volumes.create(shop.app, name="data", size_gb=1)
    assert shop.app in completed(inside, shell, f"ephemera logs -a {shop.app[:4]}")
    assert shop.app in completed(inside, shell, "ephemera apps destroy ")
    assert machine.id in completed(inside, shell, f"ephemera machine stop {machine.id[:3]}")
    assert machine.id not in completed(inside, shell, "ephemera machine stop -a other ")
    assert volume.id in completed(inside, shell, f"ephemera volumes show -a {shop.app} vol_")
    assert "secrets" in completed(inside, shell, "ephemera sec")


@pytest.mark.parametrize(
    "setting",
    [
        {"EPHEMERA_HOME": "/nowhere/at/all"},
        {"FLY_API_TOKEN": "FlyV1 fm2_nothing"},
        {"FLY_FLAPS_BASE_URL": "http://127.0.0.1:9"},
        {"FLY_FLAPS_BASE_URL": "nonsense"},
    ],
    ids=["no platform", "Fly.io", "nobody there", "nonsense"],
)
def test_where_nothing_is_known_nothing_is_offered_and_nothing_said(
    inside: Inside, setting: dict[str, str]
) -> None:
    inside.environment |= setting
    assert completed(inside, "bash", "ephemera logs -a ").strip() == ""


def test_bash_completes_with_what_we_print_for_it(shared: CommandLine, shop: Shop) -> None:
    bash = shutil.which("bash")
    assert bash
    script = f"""
        ephemera() {{ {sys.executable} -m ephemera "$@"; }}
        export -f ephemera
        eval "$(_EPHEMERA_COMPLETE=source_bash {Path(sys.executable).parent}/ephemera)"
        complete -p ephemera
        COMP_WORDS=(ephemera apps destroy {shop.app[:5]}); COMP_CWORD=3
        PATH={Path(sys.executable).parent}:$PATH; unset -f ephemera
        # whoever sees nothing on a computer that is too busy presses the key again
        for _ in 1 2 3 4 5 6 7 8; do
            _ephemera_completion ephemera
            [ -z "${{COMPREPLY[*]}}" ] || break
        done
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [bash, "-c", script],
        env=shared.environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stderr == ""
    assert "complete -o default -F _ephemera_completion ephemera" in done.stdout
    assert shop.app in done.stdout.splitlines()[-1].split()
