"""Which database a project uses, and which environment variable says where it is."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ephemera.deploy.scan.project import Database
from ephemera.deploy.scan.source import text_of, texts

_DRIVERS: dict[Database, frozenset[str]] = {
    "postgresql": frozenset(
        {"asyncpg", "pg8000", "psycopg", "psycopg-binary", "psycopg2", "psycopg2-binary"}
    ),
    "mysql": frozenset({"aiomysql", "asyncmy", "mysql-connector-python", "mysqlclient", "pymysql"}),
    "sqlite": frozenset({"aiosqlite"}),
}
#: What reads an environment variable: of the standard library, django-environ, python-decouple.
_READERS = frozenset({"os.environ.get", "os.getenv", "environ.get", "getenv", "config"})
_USUAL_VARIABLE = "DATABASE_URL"


def of_packages(names: frozenset[str]) -> Database | None:
    """Return the database whose driver is among the packages."""
    return next((kind for kind, drivers in _DRIVERS.items() if drivers & names), None)


def of_setting(databases: ast.expr | None) -> Database | None:
    """Return the database that Django's `DATABASES` names."""
    for text in texts(databases) if databases else ():
        for kind in _DRIVERS:
            if f".{kind}" in text or text.startswith(kind):
                return kind
    return None


def uses_sqlite(trees: Iterable[ast.AST]) -> bool:
    """Return whether any source opens a file of SQLite."""
    return any(_is_of_sqlite(node) for tree in trees for node in ast.walk(tree))


def _is_of_sqlite(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(name.name == "sqlite3" for name in names)
        case ast.ImportFrom(module="sqlite3"):
            return True
    return (text_of(node) or "").startswith(("sqlite:///", "sqlite+aiosqlite:///"))


def variable(trees: Iterable[ast.AST]) -> str:
    """Return the environment variable that these sources read for their database; else nothing.

    One with `DATABASE` or `DB` in its name is taken for it.
    """
    found = [name for tree in trees for name in _variables(tree)]
    if _USUAL_VARIABLE in found:
        return _USUAL_VARIABLE
    return next((name for name in found if "DATABASE" in name or name.startswith("DB_")), "")


def _variables(tree: ast.AST) -> Iterator[str]:
    """Yield the environment variables that a source reads."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=function, args=[first, *_]) if _reads(function):
                yield from filter(None, [text_of(first)])
            case ast.Call(func=ast.Attribute(value=ast.Name(id="dj_database_url"))):
                yield _USUAL_VARIABLE
            case ast.Subscript(value=held, slice=key) if _is_environment(held):
                yield from filter(None, [text_of(key)])


def _reads(function: ast.expr) -> bool:
    written = ast.unparse(function)
    return written in _READERS or written == "env" or written.startswith("env.")


def _is_environment(held: ast.expr) -> bool:
    return ast.unparse(held) in ("os.environ", "environ")
