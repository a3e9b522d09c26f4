"""Make `Client` and `AsyncClient` from the definitions in `ephemera.client.calls`.

    python scripts/generate_client.py           write src/ephemera/client/_sync.py and _async.py
    python scripts/generate_client.py --check   exit 1 with a diff if they are not current

Every function there that returns a `Call`, a `Stream` or a `Holding` becomes a method with the same
signature and docstring, so nothing is written twice by hand.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import difflib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CLIENT = Path(__file__).resolve().parent.parent / "src" / "ephemera" / "client"


@dataclass(frozen=True)
class Group:
    """What becomes `client.<name>`, and from which modules of `calls`."""

    name: str
    doc: str
    modules: tuple[str, ...]


GROUPS = (
    Group("apps", "The names that machines and private networks hang on.", ("apps",)),
    Group(
        "machines",
        "Everything that is done with machines.",
        ("creation", "machines", "lifecycle", "metadata"),
    ),
    Group("leases", "The right to be the only one who changes a machine.", ("leases",)),
    Group("logs", "What an app's machines printed, and what was done to them.", ("logs",)),
    Group("volumes", "Disks of their own that outlive machines.", ("volumes",)),
    Group("secrets", "What an app's machines find in their environment only.", ("secrets",)),
    Group("secret_keys", "Keys that the API keeps and uses for an app.", ("secret_keys",)),
    Group("certificates", "How an app's own host names are served with TLS.", ("certificates",)),
    Group("ips", "Where an app is reached, and its machines reach out from.", ("ips",)),
    Group("tokens", "Who may do what.", ("tokens",)),
    Group("platform", "Which regions there are, and where there is room.", ("platform",)),
    Group("orgs", "What there is in all apps of an organisation.", ("orgs",)),
)


@dataclass(frozen=True)
class Face:
    """What differs between the two clients."""

    file: str
    client: str
    link: str
    transport: str
    define: str
    wait: str
    iterator: str
    context: str
    enter: str
    leave: str
    a_with: str
    threads: str
    usage: str


SYNC = Face(
    file="_sync.py",
    client="Client",
    link="Link",
    transport="httpx2.BaseTransport",
    define="def",
    wait="",
    iterator="Iterator",
    context="AbstractContextManager",
    enter="__enter__",
    leave="__exit__",
    a_with="a `with`",
    threads="Safe to use from any thread",
    usage='machine = client.machines.create("jobs", config={"image": "host"})',
)
ASYNC = Face(
    file="_async.py",
    client="AsyncClient",
    link="AsyncLink",
    transport="httpx2.AsyncBaseTransport",
    define="async def",
    wait="await ",
    iterator="AsyncIterator",
    context="AbstractAsyncContextManager",
    enter="__aenter__",
    leave="__aexit__",
    a_with="an `async with`",
    threads="Belongs to the event loop that uses it first",
    usage='machine = await client.machines.create("jobs", config={"image": "host"})',
)

HEAD = '''"""The Machines API as methods. Made by scripts/generate_client.py; do not edit."""
# ruff: noqa: A002  # arguments have the API's own names, such as `type`

from __future__ import annotations

import builtins
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ephemera.client import calls
from ephemera.client.attempt import Pace
from ephemera.client.links import {link}
from ephemera.client.place import Place
{imports}

if TYPE_CHECKING:
    import httpx2


class {client}:
    """The Machines API of Fly.io, of the embedded platform, or of whatever speaks it.

    ```python
    {usage}
    ```

    {threads}.

    Making one starts nothing and connects nowhere. To give its connections back early, `close`
    it or use it in {a_with} statement.

    Args:
        url: The base URL. Else `FLY_FLAPS_BASE_URL` or `EPHEMERA_URL`; else, inside Fly.io or
            where there is a token, Fly.io; else the embedded platform of `EPHEMERA_HOME`, which
            the first request starts if need be.
        token: With or without a scheme in front. Else `FLY_API_TOKEN`; else, for an API on this
            computer, the embedded platform's own token; else none, inside a machine that has a
            socket of its own to the API.
        limits: Whether to keep Fly.io's rate limits on this side, by waiting a moment before a
            request that would be turned away. Else only where requests go to Fly.io.
        transport: How bytes travel, for tests: one of `httpx2`'s.
        pace: Clock and chance of the retries, for tests.

    Raises:
        ConfigError: an address or token is missing or malformed.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        limits: bool | None = None,
        transport: {transport} | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._link = {link}(Place(url, token), transport, pace, limits)
        {groups}

    @property
    def local(self) -> bool:
        """Whether the API is on this computer. Known without asking it."""
        return self._link.place.local

    @property
    def link(self) -> {link}:
        """What carries its calls out, for what only the embedded platform has."""
        return self._link

    {define} locate(self) -> str:
        """Return the base URL, starting the embedded platform if that is where this client goes.

        Raises:
            ConfigError: it cannot be started.
        """
        return {wait}self._link.locate()

    {define} close(self) -> None:
        """Close all connections. Repeating is safe."""
        {wait}self._link.close()

    {define} {enter}(self) -> Self:
        return self

    {define} {leave}(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        {wait}self.close()

    def __repr__(self) -> str:
        return f"{client}({{self._link.place!r}})"
'''

GROUP = '''

class {name}:
    """{doc}"""

    def __init__(self, link: {link}) -> None:
        self._link = link
'''


def functions(module: str) -> Iterator[ast.FunctionDef]:
    """Yield the endpoints that a module of `calls` defines."""
    for node in tree(module).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def tree(module: str) -> ast.Module:
    return ast.parse((CLIENT / "calls" / f"{module}.py").read_text())


class _Unhide(ast.NodeTransformer):
    """Writes `builtins.list` where a method `list` hides the builtin."""

    def __init__(self, methods: set[str]) -> None:
        self._hidden = {name for name in methods if hasattr(builtins, name)}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self._hidden:
            return node
        return ast.Attribute(ast.Name("builtins", ast.Load()), node.id, ast.Load())


def method(module: str, node: ast.FunctionDef, face: Face) -> str:
    """Return the source of the method for one endpoint, not indented."""
    arguments = ast.unparse(node.args)
    passed = [a.arg for a in node.args.args] + [f"{a.arg}={a.arg}" for a in node.args.kwonlyargs]
    call = f"calls.{module}.{node.name}({', '.join(passed)})"
    name = node.name.removesuffix("_")
    signature = f"{name}(self, {arguments})"
    assert node.returns is not None, f"{node.name} says what it returns"
    kind, *results = _result(node.returns)
    if kind == "Call":
        (result,) = results
        head = f"{face.define} {signature} -> {result}:"
        body = f"{'' if result == 'None' else 'return '}{face.wait}self._link.run({call})"
    elif kind == "Stream":
        head = f"def {signature} -> {face.iterator}[{results[-1]}]:"
        body = f"return self._link.stream({call})"
    else:
        head = f"def {signature} -> {face.context}[Lease]:"
        body = f"return self._link.hold({call})"
    docstring = f'"""{ast.get_docstring(node)}'
    docstring += '\n"""' if "\n" in docstring else '"""'
    return head + "\n" + textwrap.indent(f"{docstring}\n{body}", "    ")


def _result(returns: ast.expr) -> list[str]:
    """Return the kind of thing that a definition returns, and what that is made of."""
    if not isinstance(returns, ast.Subscript):
        return [ast.unparse(returns)]
    inner = returns.slice
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    return [ast.unparse(returns.value), *(ast.unparse(part) for part in parts)]


def group_class(group: Group, face: Face) -> str:
    """Return the source of the class of one group."""
    source = GROUP.format(name=class_name(group), doc=group.doc, link=face.link)
    found = [(module, node) for module in group.modules for node in functions(module)]
    unhide = _Unhide({node.name.removesuffix("_") for _, node in found})
    for module, node in found:
        visible = unhide.visit(node)
        source += "\n" + textwrap.indent(method(module, visible, face), "    ") + "\n"
    return source


def class_name(group: Group) -> str:
    """Return the name of the class of a group: `SecretKeys` for `secret_keys`."""
    return group.name.title().replace("_", "")


def imports(face: Face) -> str:
    """Return the imports that the signatures need."""
    modules = [module for group in GROUPS for module in group.modules]
    used = {face.iterator}
    for module in modules:
        for node in functions(module):
            used |= {n.id for n in ast.walk(node.args) if isinstance(n, ast.Name)}
            used |= {n.id for n in ast.walk(node.returns or node) if isinstance(n, ast.Name)}
    used -= {"Call", "Stream", "Holding"}
    lines = {
        f"from collections.abc import {face.iterator}",
        f"from contextlib import {face.context}",
    }
    for module in modules:
        for statement in tree(module).body:
            if isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
                names = [alias.name for alias in statement.names if alias.name in used]
                lines |= {f"from {statement.module} import {name}" for name in names}
    return "\n".join(sorted(lines))


def source(face: Face) -> str:
    """Return the whole file of one client, formatted."""
    head = HEAD.format(
        **vars(face),
        imports=imports(face),
        groups="\n        ".join(
            f"self.{group.name} = {class_name(group)}(self._link)" for group in GROUPS
        ),
    )
    raw = head + "".join(group_class(group, face) for group in GROUPS)
    return formatted(raw, face.file)


def formatted(text: str, file: str) -> str:
    """Return Python source as our linter wants it: imports sorted, lines broken."""
    path = str(CLIENT / file)
    for command in (
        ["check", "--quiet", "--select", "I,F401", "--fix", "--stdin-filename", path, "-"],
        ["format", "--quiet", "--stdin-filename", path, "-"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"ruff {command[0]} failed for {file}:\n{done.stdout}{done.stderr}")
        text = done.stdout
    return text


def stale(face: Face) -> str:
    """Return the difference between what is written and what should be; empty if none."""
    path = CLIENT / face.file
    written = path.read_text() if path.exists() else ""
    difference = difflib.unified_diff(
        written.splitlines(keepends=True),
        source(face).splitlines(keepends=True),
        f"{face.file} (written)",
        f"{face.file} (generated)",
    )
    return "".join(difference)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    if not parser.parse_args().check:
        for face in (SYNC, ASYNC):
            (CLIENT / face.file).write_text(source(face))
        return 0
    difference = stale(SYNC) + stale(ASYNC)
    print(difference, end="")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
