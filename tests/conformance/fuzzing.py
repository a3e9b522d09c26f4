"""schemathesis, run as a program of its own against a platform.

As a program, because all of its phases are only there: examples, coverage, fuzzing, stateful.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.conformance.amendments import amended
from tests.conformance.document import load, operations
from tests.conformance.plausible import BODIES, with_bodies
from tests.conformance.world import World

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
_HOOKS = Path(__file__).with_name("hooks.py")
#: How often a parameter is the name of something that there is.
_FOUND = 0.85


@dataclass(frozen=True)
class Effort:
    """How long schemathesis tries."""

    phases: tuple[str, ...] = ("examples", "coverage", "fuzzing", "stateful")
    #: Of each operation, in each phase that has a choice.
    examples: int = 10
    #: None for another one each time.
    seed: int | None = 1
    #: Which operations: a regular expression for their paths.
    paths: str = ""
    #: Operations of which the phase `coverage` does not try every form of a body.
    uncovered: Sequence[str] = ()


@dataclass(frozen=True)
class Run:
    """What came of it."""

    #: None if every check of every answer passed.
    found: str | None
    #: The statuses that each operation answered; requests that are none of the document's are not
    #: here.
    answered: dict[str, set[int]]


def run(world: World, folder: Path, effort: Effort) -> Run:
    """Fuzz a platform, with its files in `folder`."""
    schema, config, traffic = (folder / name for name in ("document.json", "st.toml", "st.har"))
    schema.write_text(json.dumps(with_bodies(amended(load()), BODIES | world.bodies)))
    config.write_text("\n".join(_config(world, effort.uncovered)) + "\n")
    program = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [program, "--config-file", config, "run", schema, *_options(world, effort, traffic)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = f"{done.stdout}\n{done.stderr}" if done.returncode else None
    return Run(found, _answered(traffic))


def _answered(traffic: Path) -> dict[str, set[int]]:
    if not traffic.exists():
        return {}
    patterns = [(re.compile(one.pattern), one) for one in operations(load())]
    seen: dict[str, set[int]] = {}
    for entry in json.loads(traffic.read_text())["log"]["entries"]:
        method, path = entry["request"]["method"], urlsplit(entry["request"]["url"]).path
        for pattern, operation in patterns:
            if operation.method.upper() == method and pattern.fullmatch(path):
                seen.setdefault(operation.name, set()).add(entry["response"]["status"])
                break
    return seen


def _options(world: World, effort: Effort, traffic: Path) -> list[str]:
    seed = [] if effort.seed is None else ["--seed", str(effort.seed)]
    paths = ["--include-path-regex", effort.paths] if effort.paths else []
    return [
        *("--url", world.server.endpoint.url),
        *("--checks", ",".join(CHECKS), "--phases", ",".join(effort.phases)),
        *("--max-examples", str(effort.examples), "--continue-on-failure"),
        *("--generation-database", "none", "--request-timeout", "70", "--no-color"),
        *("--report", "har", "--report-har-path", str(traffic)),
        *("--warnings", "off", "--suppress-health-check", "all"),
        *seed,
        *paths,
    ]


def _config(world: World, uncovered: Sequence[str]) -> list[str]:
    """Return a configuration file that names what there is on the platform."""
    dictionaries, operations = list[str](), list[str]()
    token = json.dumps(f"Bearer {world.server.token}")
    lines = [f"hooks = {json.dumps(str(_HOOKS))}", f"headers = {{ Authorization = {token} }}"]
    lines.append("[parameters]")
    for name, values in world.names.items():
        dictionaries += _dictionary(name, values)
        lines.append(f'"{name}" = {_binding(name, _FOUND)}')
    for number, operation in enumerate(dict.fromkeys((*world.own, *uncovered))):
        own = world.own.get(operation, {})
        operations += ["[[operations]]", f"include-name = {json.dumps(operation)}"]
        if operation in uncovered:
            operations.append("phases.coverage.enabled = false")
        operations.append("[operations.parameters]")
        for name, values in own.items():
            dictionaries += _dictionary(f"{name}-{number}", values)
            operations.append(f'"{name}" = {_binding(f"{name}-{number}", 1.0)}')
    return [*lines, *dictionaries, *_ONLY_OUR_NAMES, *operations]


#: Names out of earlier answers are not used: they would be those that other operations depend on.
_ONLY_OUR_NAMES = [
    line
    for phase in ("examples", "coverage", "fuzzing")
    for line in (f"[phases.{phase}.extra-data-sources]", "responses = false")
]


def _dictionary(name: str, values: Sequence[str]) -> list[str]:
    return [f'[dictionaries."{name}"]', f"values = {json.dumps(values)}"]


def _binding(name: str, probability: float) -> str:
    return f'{{ dictionary = "{name}", probability = {probability} }}'
