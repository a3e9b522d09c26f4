"""A real PostgreSQL, at a socket of its own, for the length of a `with`.

```python
with running_postgresql() as server:
    store = SqlStore(server.new_database())  # postgresql+psycopg://app@/d1?host=/tmp/...
    server.restart()  # as an administrator would; all connections are lost
```

It runs as a user who is not root, which it insists on, and listens at no address.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests import needs

_USER = "app"
#: Nothing of it outlives the test: it need not be on disk.
_OPTIONS = ("-F", "-c", "listen_addresses=", "-c", "max_connections=50")


class PostgreSQL:
    """A server that runs. Made by `running_postgresql`."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._made = 0
        made = ["--pgdata", str(folder / "data"), "--username", _USER, "--auth", "trust"]
        self._run("initdb", *made, "--encoding", "UTF8", "--locale", "C", "--no-sync")
        self._control("start")

    def new_database(self) -> str:
        """Return the URL of a database that is empty."""
        self._made += 1
        name = f"d{self._made}"
        with psycopg.connect(self._told("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://{_USER}@/{name}?host={self._folder}"

    def restart(self) -> None:
        """End all connections, go away, and come back."""
        self._control("restart")

    def stop(self) -> None:
        """Go away at once."""
        self._control("stop", "--mode", "immediate")

    def _told(self, database: str) -> str:
        return f"host={self._folder} user={_USER} dbname={database}"

    def _control(self, do: str, *more: str) -> None:
        options = " ".join(f"'{one}'" for one in (*_OPTIONS, "-k", str(self._folder)))
        data, log = str(self._folder / "data"), str(self._folder / "log")
        self._run("pg_ctl", do, "--pgdata", data, "--log", log, "-w", "-o", options, *more)

    def _run(self, program: str, *arguments: str) -> None:
        """Run a program of it, as a user who is not root."""
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            account = pwd.getpwnam("nobody")
            os.chown(self._folder, account.pw_uid, account.pw_gid)
            numbers = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}"]
            command = ["setpriv", *numbers, "--clear-groups", "--", *command]
        # into a file: a server that it starts would keep a pipe open
        with (self._folder.parent / f"{self._folder.name}.said").open("w+") as said:
            ran = subprocess.run(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            said.seek(0)
            assert ran.returncode == 0, f"{program}: {said.read()}"


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Have a server, with nothing in it, within the block."""
    # not below a folder that only root may enter, and short: a socket's path has 107 bytes
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        server = PostgreSQL(folder, needs.POSTGRESQL[0])
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
        folder.with_name(f"{folder.name}.said").unlink()
