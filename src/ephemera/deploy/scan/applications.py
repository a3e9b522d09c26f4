"""The application object of Flask, FastAPI and Starlette, found in the source.

It is what a module assigns from a call of the framework's class, or a function such as
`create_app` that makes one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ephemera.deploy.scan.project import Application, Framework
from ephemera.deploy.scan.source import Module, assigned, dotted, imported, read

#: The class of each framework, and the modules that have it.
CLASSES: dict[Framework, tuple[str, tuple[str, ...]]] = {
    "fastapi": ("FastAPI", ("fastapi", "fastapi.applications")),
    "flask": ("Flask", ("flask", "flask.app")),
    "starlette": ("Starlette", ("starlette.applications",)),
}
#: Where an application usually is, the likeliest first.
_USUAL = ("app", "main", "wsgi", "asgi", "application", "server", "api", "web", "__init__")
#: What an application is usually called, the likeliest first.
_NAMES = ("app", "application", "api", "server")
_MAKERS = ("create_app", "make_app", "build_app", "get_app")


def find(
    folder: Path, files: Sequence[Path], frameworks: Sequence[Framework]
) -> Application | None:
    """Return the likeliest application of any of these frameworks; None where there is none.

    An object goes before a function that makes one, a usual place before any other.
    """
    first_maker = None
    for path in sorted(files, key=_unlikeliness):
        module = read(folder, path)
        for framework in frameworks if module else ():
            assert module
            calls = _Calls(module.tree, framework)
            made = _made_elsewhere(folder, files, module, framework)
            name = _likeliest([*_objects(module, calls), *made], _NAMES)
            if name:
                return _application(framework, module, name)
            maker = _likeliest(_makers(module, calls), _MAKERS)
            if maker and first_maker is None:
                first_maker = _application(framework, module, maker, is_factory=True)
    return first_maker


def _unlikeliness(path: Path) -> tuple[int, int, Path]:
    depth = len(path.parts) - (_root(path) != ".")
    usual = _USUAL.index(path.stem) if path.stem in _USUAL else len(_USUAL)
    return depth, usual, path


def _root(path: Path) -> str:
    """Return the folder that a file is imported from."""
    return "src" if path.parts[0] == "src" and len(path.parts) > 1 else "."


def _likeliest(names: Iterable[str], usual: Sequence[str]) -> str | None:
    """Return a name that is usual, the first one first, else any."""
    found = list(names)
    return next((name for name in usual if name in found), found[0] if found else None)


class _Calls:
    """What a call of a framework's class looks like in one module, given its imports."""

    def __init__(self, tree: ast.Module, framework: Framework) -> None:
        self._class, self._modules = CLASSES[framework]
        self._names: set[str] = set()
        for node in ast.walk(tree):
            match node:
                case ast.ImportFrom(module=str(module), names=names) if module in self._modules:
                    self._names |= {n.asname or n.name for n in names if n.name == self._class}
                case ast.Import(names=names):
                    self._names |= {
                        f"{n.asname or n.name}.{self._class}"
                        for n in names
                        if n.name in self._modules
                    }

    def has(self, node: ast.AST | None) -> bool:
        """Return whether it is one."""
        return isinstance(node, ast.Call) and ast.unparse(node.func) in self._names

    def are_within(self, node: ast.AST) -> bool:
        """Return whether it holds one."""
        return bool(self._names) and any(map(self.has, ast.walk(node)))


def _objects(module: Module, calls: _Calls) -> Iterator[str]:
    """Yield the names of a module's applications, also of those that its own function makes."""
    makers = set(_makers(module, calls))
    for name, value in assigned(module.tree):
        made_here = (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id in makers
        )
        if calls.has(value) or made_here:
            yield name


def _made_elsewhere(
    folder: Path, files: Sequence[Path], module: Module, framework: Framework
) -> Iterator[str]:
    """Yield the names of a module's applications that a function of another module makes."""
    makers = {
        one.asname or one.name
        for node in module.tree.body
        if isinstance(node, ast.ImportFrom)
        for one in node.names
        if one.name in _MAKERS
        for path in imported(node, module.path, _root(module.path))
        if path in files and _has_maker(read(folder, path), one.name, framework)
    }
    for name, value in assigned(module.tree):
        match value:
            case ast.Call(func=ast.Name(id=maker)) if maker in makers:
                yield name


def _has_maker(module: Module | None, name: str, framework: Framework) -> bool:
    """Return whether a module has a function of this name that makes an application."""
    return module is not None and any(
        isinstance(node, ast.FunctionDef)
        and node.name == name
        and _Calls(module.tree, framework).are_within(node)
        for node in module.tree.body
    )


def _makers(module: Module, calls: _Calls) -> Iterator[str]:
    """Yield the functions of a module that make an application and need no argument for it."""
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef) and calls.are_within(node):
            arguments = node.args
            positional = len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)
            if positional <= 0 and None not in [d or None for d in arguments.kw_defaults]:
                yield node.name


def _application(
    framework: Framework, module: Module, name: str, *, is_factory: bool = False
) -> Application:
    root = _root(module.path)
    return Application(
        framework=framework,
        target=f"{dotted(module.path, root)}:{name}",
        root=root,
        is_factory=is_factory,
        interface="wsgi" if framework == "flask" else "asgi",
    )
