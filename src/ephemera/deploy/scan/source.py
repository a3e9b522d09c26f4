"""The Python files of a project, parsed; nothing of them is ever imported."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Folders that hold no source of the project.
_NOT_SOURCE = frozenset(
    {
        "__pycache__", "build", "dist", "docs", "env", "migrations", "node_modules",
        "site-packages", "static", "test", "tests", "venv",
    }
)  # fmt: skip
#: A project has its application near its top; deeper and longer looks would find those of others.
_DEPTH_MAX = 4
_FILES_MAX = 2000
_BYTES_MAX = 1_000_000


@dataclass(frozen=True)
class Module:
    """A Python file."""

    #: From the project's folder.
    path: Path
    tree: ast.Module


def files(folder: Path) -> list[Path]:
    """Return the Python files of a project, from its folder, those nearest to its top first."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        inner = Path(place).relative_to(folder)
        depth = len(inner.parts)
        folders[:] = [] if depth >= _DEPTH_MAX else sorted(filter(_may_hold_source, folders))
        found += [inner / name for name in names if name.endswith(".py")]
        if len(found) > _FILES_MAX:
            break
    return sorted(found, key=lambda path: (len(path.parts), path))


def _may_hold_source(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_SOURCE and not name.endswith(".egg-info")


def read(folder: Path, path: Path) -> Module | None:
    """Return a file parsed; None where it cannot be: another Python's, or not text."""
    place = folder / path
    try:
        if place.stat().st_size > _BYTES_MAX:
            return None
        return Module(path, ast.parse(place.read_bytes()))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def dotted(path: Path, root: str) -> str:
    """Return the name under which a file is imported from the folder `root` of the project."""
    inner = path.relative_to(root) if root != "." else path
    return ".".join(inner.with_suffix("").parts).removesuffix(".__init__")


def imported(node: ast.ImportFrom, file: Path, root: str) -> tuple[Path, ...]:
    """Return where a module may be from which `file` imports; nothing for a package as a whole.

    Args:
        root: The folder that absolute names are imported from, from the project's folder.
    """
    if node.module is None:
        return ()
    place = Path(*file.parts[: -node.level]) if node.level else Path(root)
    *folders, name = node.module.split(".")
    return place.joinpath(*folders, f"{name}.py"), place.joinpath(*folders, name, "__init__.py")


def assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a module assigns, also within `if` and `try`, and their values."""
    for node in _statements(tree.body):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        for inner in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _statements(getattr(node, inner, []))


def text_of(node: ast.AST | None) -> str | None:
    """Return the text of a literal; None of anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the literal texts within an expression, in the order in which they are written."""
    text = text_of(node)
    if text is not None:
        yield text
    for inner in ast.iter_child_nodes(node):
        yield from texts(inner)
