"""What was found out about a project."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Manager = Literal["uv", "poetry", "pipenv", "pip", "pyproject"]
Framework = Literal["flask", "fastapi", "django", "starlette"]
Database = Literal["sqlite", "postgresql", "mysql"]
Server = Literal["gunicorn", "uvicorn"]


#: Requests at a time in the one process of gunicorn: most wait for something, and a small machine
#: has memory for one process only.
THREADS = 8


@dataclass(frozen=True)
class Packages:
    """Where the packages of a project are written down."""

    manager: Manager
    #: The files that say which packages, from the project's folder; the lock file is one of them.
    files: tuple[str, ...]
    #: The names of all of them, as PyPI normalises names. Those that only others need are here
    #: where there is a lock file.
    names: frozenset[str]
    #: Whether the project is a package that is installed itself.
    is_package: bool = False
    #: Whether installing them needs the whole source: one of them is a folder of it.
    need_source: bool = False


@dataclass(frozen=True)
class Application:
    """The object that a server serves."""

    framework: Framework
    #: The module and the object in it, as servers take them: `app:app`, `mysite.wsgi:application`.
    target: str
    #: The folder that `target` is imported from, from the project's folder: `.` in most.
    root: str = "."
    #: Whether the object is a function that makes the application.
    is_factory: bool = False
    interface: Literal["wsgi", "asgi"] = "wsgi"

    @property
    def server(self) -> Server:
        """What serves it."""
        return "gunicorn" if self.interface == "wsgi" else "uvicorn"

    @property
    def command(self) -> str:
        """The command that serves it, at the port that the environment says.

        gunicorn reads `PORT`, uvicorn `UVICORN_PORT` and `UVICORN_HOST`. Both listen only when the
        application is loaded, gunicorn because it is told to: one that cannot be is seen as that.
        """
        words: list[str] = [self.server]
        if self.server == "gunicorn":
            words += ["--preload", "--threads", str(THREADS)]
        if self.root != ".":
            words += ["--pythonpath" if self.interface == "wsgi" else "--app-dir", self.root]
        if self.is_factory and self.interface == "asgi":
            words.append("--factory")
        calls = "()" if self.is_factory and self.interface == "wsgi" else ""
        return shlex.join([*words, self.target + calls])


@dataclass(frozen=True)
class Static:
    """Files that are served as they are."""

    #: From the project's folder.
    folder: str
    #: Such as `/static/`.
    url: str


@dataclass(frozen=True)
class Project:
    """A project, as far as its files tell."""

    folder: Path
    application: Application
    packages: Packages
    #: `3.12`: major and minor.
    python: str
    #: Where that is said; empty where nothing says it, and it is the version that runs.
    python_from: str = ""
    database: Database | None = None
    #: The environment variable that says where the database is; empty where none is read.
    database_variable: str = ""
    #: What brings the database up to date; empty for nothing.
    migrate_command: str = ""
    #: What is run while the image is built, to collect static files; empty for nothing.
    collect_command: str = ""
    statics: tuple[Static, ...] = ()
    #: Whether Django's `ALLOWED_HOSTS` is empty.
    answers_no_host: bool = False

    @property
    def lacks_server(self) -> bool:
        """Whether the server that the application needs is not among its packages."""
        return self.application.server not in self.packages.names

    @property
    def release_command(self) -> str:
        """What is run once for a release, before its machines are started; empty for nothing.

        A file of SQLite is where the app runs, and no other machine can bring it up to date.
        """
        return "" if self.database == "sqlite" else self.migrate_command

    @property
    def command(self) -> str:
        """What the app's machines run."""
        serve = self.application.command
        if self.database == "sqlite" and self.migrate_command:
            return shlex.join(["sh", "-c", f"{self.migrate_command} && exec {serve}"])
        return serve
