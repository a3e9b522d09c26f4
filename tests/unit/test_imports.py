"""Imports point one way, never in a circle, and the light modules stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ephemera

ROOT = Path(ephemera.__file__).parent
PACKAGE = ROOT.name

#: Anybody may import these.
LEAVES = {"", "errors", "home", "migrating"}
#: What each part may import besides itself and the leaves. The deepest name counts.
MAY_IMPORT = {
    "errors": set(),
    "home": set(),
    "migrating": set(),
    "wire": set(),
    "oci": set(),
    "runner": set(),
    "client": {"wire"},
    "jobs": {"client", "wire", "runner"},
    "integrations": {"jobs"},
    "deploy": {"client", "wire", "oci"},
    "platform.drivers": {
        "wire",
        "platform.logfile",
        "platform.images",
        "platform.network",
        "platform.spreading",
        "platform.tools",
    },
    "platform.images": {"oci", "platform.tools"},
    "platform.unpacker": set(),
    "platform.network": set(),
    "platform": {
        "wire",
        "oci",
        "platform.drivers",
        "platform.images",
        "platform.logfile",
        "platform.network",
        "platform.spreading",
        "platform.tools",
    },
    "platform.logfile": set(),
    "platform.spreading": set(),
    "platform.tools": set(),
    "demos": {"jobs"},
    "testing": {"wire", "client", "jobs", "platform", "platform.drivers", "platform.logfile"},
    "cli": {"wire", "client", "jobs", "deploy", "platform", "platform.drivers", "demos"},
    "__main__": {"cli"},
    "": {"client", "jobs"},
}


def name_of(path: Path) -> str:
    """Return the name under which a file is imported."""
    inner = path.relative_to(ROOT).with_suffix("").parts
    return ".".join((PACKAGE, *inner)).removesuffix(".__init__")


#: Without migrations: alembic runs them, nobody imports them.
MODULES = {name_of(path): path for path in ROOT.rglob("*.py") if "migrations" not in path.parts}


def part_of(module: str) -> str:
    """Return the deepest part of the table that a module belongs to."""
    inner = module.removeprefix(PACKAGE).removeprefix(".")
    while inner not in MAY_IMPORT:
        inner = inner.rpartition(".")[0]
    return inner


def home_of(name: str) -> str:
    """Return the module that `name` is, or is in."""
    return name if name in MODULES else name.rpartition(".")[0]


def imported(path: Path, *, at_once: bool = False) -> Iterator[str]:
    """Yield what a file imports of ours, anywhere in it, or only when it is imported itself."""
    for node in statements(ast.parse(path.read_text()), at_once=at_once):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found = [f"{module}.{alias.name}" for alias in names]
            case ast.ImportFrom():
                pytest.fail(f"{path} has a relative import")
            case _:
                continue
        yield from (name for name in found if name.split(".")[0] == PACKAGE)


def statements(tree: ast.AST, *, at_once: bool) -> Iterator[ast.AST]:
    """Yield every node; with `at_once` none of functions, and none that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        if not (at_once and later):
            yield node
            yield from statements(node, at_once=at_once)


def test_imports_only_point_one_way() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        for name in imported(path)
        if part_of(name) not in MAY_IMPORT[part_of(module)] | LEAVES | {part_of(module)}
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "module",
    [
        "runner.runner",
        "platform.logfile",
        "platform.drivers.monitoring.zygote",
        "platform.unpacker.main",
        "platform.network.wiring",
        "platform.drivers.container.holding",
    ],
)
def test_what_runs_beside_every_machine_needs_the_standard_library_only(module: str) -> None:
    loaded = loaded_by(f"import {PACKAGE}.{module}")
    assert loaded - sys.stdlib_module_names == {PACKAGE}


def test_imports_never_go_in_a_circle() -> None:
    """Without circles at import time, any module can be the first to be imported."""
    graph = {
        module: {home_of(name) for name in imported(path, at_once=True)}
        for module, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "statement",
    ["import ephemera", "from ephemera import task, command", "import ephemera.cli.main"],
)
def test_what_everybody_imports_stays_light(statement: str) -> None:
    heavy = {"alembic", "httpx2", "pydantic", "rich", "sqlalchemy", "starlette", "uvicorn"}
    assert not heavy & loaded_by(statement)


def test_a_platform_is_taken_down_without_loading_one() -> None:
    heavy = {"alembic", "httpx2", "pydantic", "sqlalchemy", "starlette", "uvicorn"}
    assert not heavy & loaded_by("import ephemera.cli.takedown")


def test_web_sockets_are_for_those_who_open_terminals() -> None:
    assert "websockets" not in loaded_by("import ephemera.client.own.machines")


def test_a_client_of_this_computer_is_made_without_the_library_for_others() -> None:
    made = "from ephemera import Client; Client('http://127.0.0.1:4280', 'token')"
    assert "httpx2" not in loaded_by(made)


def test_a_server_starts_without_what_few_need() -> None:
    few = {"alembic", "dns", "h2", "httpcore2", "httpx2", "jwt", "nacl", "websockets"}
    assert not few & loaded_by("import ephemera.platform.server")


@pytest.mark.parametrize("driver", ["container", "process"])
def test_monitors_have_no_memory_of_what_only_servers_need(driver: str) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT.parent)!r})\n"
        f"import ephemera.platform.drivers.{driver}.zygote\n"
        "print(*sys.modules)"
    )
    bare = [sys.executable, "-I", "-S", "-c", program]  # as zygotes are started
    loaded = subprocess.run(bare, capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncio", "datetime", "ipaddress", "pathlib", "subprocess"} & set(loaded)


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a statement loads, beside what Python starts with."""
    program = (
        f"import sys; before = set(sys.modules); {statement}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    return set(run(program).split())


def run(program: str, *arguments: str) -> str:
    """Return what a Python program prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
