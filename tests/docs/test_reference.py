"""The pages of the reference that are written by hand leave nothing out and make nothing up."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ephemera
from ephemera import errors
from ephemera.jobs.options import Options
from ephemera.jobs.outcome import Cause
from ephemera.jobs.runtime import configure
from ephemera.platform import app, configs, logfile, logs, orgs, requests
from ephemera.platform.drivers.monitoring import asking
from ephemera.platform.drivers.monitoring.beside import OUTPUT_BYTES_MAX
from ephemera.platform.edge import addresses, chains
from ephemera.platform.faults.presets import PRESETS
from ephemera.platform.machines import leases, waiting
from ephemera.platform.routes import inside, testing
from ephemera.platform.secrets import appsecrets
from tests.docs.markdown import DOCS, ROOT, page

SETTINGS = page(DOCS / "reference" / "settings.md")
MACHINES_API = page(DOCS / "reference" / "machines-api.md")
ERRORS = page(DOCS / "reference" / "errors.md")
GLOSSARY = page(DOCS / "glossary.md")

_VARIABLE = re.compile(r"(?:EPHEMERA|FLY|XDG|PRIMARY)_[A-Z_]+|NO_COLOR|VIRTUAL_ENV")


def _variables_of_the_code() -> set[str]:
    """Return the environment variables that the code names, as whole texts."""
    root = Path(ephemera.__file__).parent
    sources = [path for path in root.rglob("*.py") if "demos" not in path.parts]
    return {
        node.value
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _VARIABLE.fullmatch(node.value)
    }


def test_every_environment_variable_is_on_the_settings_page_and_no_other() -> None:
    on_the_page = {code for code in SETTINGS.code() if _VARIABLE.fullmatch(code)}
    assert on_the_page == _variables_of_the_code()


def test_what_the_process_driver_passes_on_is_on_the_settings_page() -> None:
    theirs = {name for name in asking._KEPT if not name.startswith("__")}
    assert theirs <= set(SETTINGS.code())


def test_every_argument_of_configure_is_on_the_settings_page() -> None:
    documented = SETTINGS.first_column("### ephemera.jobs.configure")
    assert documented == set(inspect.signature(configure).parameters)


def test_every_option_of_a_task_is_on_the_settings_page() -> None:
    assert SETTINGS.first_column("### Options of a task") == set(Options.__annotations__)


def test_every_endpoint_is_on_the_page_of_the_api_and_no_other() -> None:
    served = {
        f"{method} {route.path}"
        for route in app.ROUTES
        for method in (route.methods or set()) - {"HEAD"}
    }
    documented = MACHINES_API.first_column("## Endpoints")
    assert documented == served


def test_every_endpoint_for_tests_is_on_the_page_of_the_api_and_no_other() -> None:
    served = {
        f"{method} {route.path}"
        for route in testing.ROUTES
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert MACHINES_API.first_column("## For tests") == served


def test_every_error_that_tests_can_ask_for_by_name_is_on_the_page_of_the_api() -> None:
    assert MACHINES_API.first_column("### Errors by name") == set(PRESETS)


def test_the_limits_on_the_page_of_the_api_are_those_of_the_code() -> None:
    limits = MACHINES_API.section("## Limits")
    assert f"{requests.BODY_BYTES_MAX:,} bytes" in limits
    assert f"`wait` | 1 to {waiting.TIMEOUT_MAX_S} s" in limits
    assert f"`exec` | 1 to {inside._EXEC_TIMEOUT_MAX_S} s" in limits
    assert f"default {inside._EXEC_TIMEOUT_S} s" in limits
    assert f"`stderr` of `exec`, each | {OUTPUT_BYTES_MAX:,} bytes" in limits
    assert f"{configs.STOP_TIMEOUT_MAX_S:.0f} s" in limits
    assert f"1 to {leases.TTL_MAX_S:,} s" in limits
    assert f"{logs.PAGE_LINES} lines" in limits
    assert f"Addresses of an app | {addresses.ADDRESSES_MAX} |" in limits
    chain, key = chains.CHAIN_CHARS_MAX, chains.KEY_CHARS_MAX
    assert f"{chain:,} and {key:,} characters" in limits
    assert f"{orgs.PAGE_ROWS_MAX:,} rows" in limits
    assert f"value of a secret | {appsecrets.VALUE_BYTES_MAX:,} bytes" in limits
    assert f"together | {appsecrets.ENVIRONMENT_BYTES_MAX:,} bytes" in limits
    megabytes = logfile.SEGMENT_BYTES // 1024**2
    assert f"{logfile.SEGMENTS_KEPT} files of {megabytes} MiB" in limits


def test_every_error_is_on_the_page_of_errors() -> None:
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    documented = ERRORS.anchors()
    assert [kind for kind in kinds if kind.__name__.lower() not in documented] == []


def test_every_cause_is_in_the_glossary() -> None:
    row = next(line for line in GLOSSARY.text.splitlines() if line.startswith("| **cause**"))
    assert [cause for cause in Cause if f"`{cause}`" not in row] == []


@pytest.mark.parametrize(
    "script", sorted((ROOT / "scripts").glob("generate_*_*.py")), ids=lambda path: path.stem
)
def test_a_page_that_a_script_writes_is_current(script: Path) -> None:
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"`make docs` writes it anew\n{done.stdout}{done.stderr}"
