"""A user who is not root, with a home folder and subordinate ids, for as long as a test needs one.

```python
with an_ordinary_user() as user:
    user.ephemera("up", "--driver", "container", "--detach")
```
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import needs

_ROOT = Path(__file__).parents[1]
#: Long enough for a slow computer, and never waited for where all is well.
TIMEOUT_S = 120.0
#: Has /dev/net/tun be one that everybody may use, as on a computer with `udev`, then is the user.
_BECOME = """
if [ -n "$1" ]; then mount --bind "$1" /dev/net/tun || exit; fi
user=$2; shift 2
exec setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"
"""
#: What users have of Debian.
_PATH = "/usr/local/bin:/usr/bin:/bin"
_TUN = os.makedev(10, 200)


def until(is_so: Callable[[], bool], seen: Callable[[], object]) -> None:
    """Return when something is so that nobody tells of.

    Raises:
        AssertionError: it never is; with what is seen instead.
    """
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, seen()
        time.sleep(0.02)


class User:
    """An ordinary user of this computer.

    Attributes:
        home: Its home folder.
        python: One that it may execute.
    """

    def __init__(self, name: str, python: str, tun: str) -> None:
        self.name = name
        self.home = Path(pwd.getpwnam(name).pw_dir)
        self.python = python
        self._tun = tun

    def popen(self, *words: str, path: str | None = None) -> subprocess.Popen[str]:
        """Start Python as the user, with these arguments; its output comes through pipes."""
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _BECOME, "sh", self._tun, self.name,
             self.python, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={
                "PATH": path or _PATH,
                "HOME": str(self.home),
                "EPHEMERA_HOME": str(self.home / "state"),
                "PYTHONPATH": os.pathsep.join((str(_ROOT / "src"), str(_ROOT), _packages())),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )  # fmt: skip

    def run(
        self, *words: str, path: str | None = None, timeout: float = TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run Python as the user, to its end, which has to come within `timeout` seconds."""
        with self.popen(*words, path=path) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def ephemera(self, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command `ephemera` as the user."""
        return self.run("-m", "ephemera", *words, path=path)

    def output(self, *words: str) -> str:
        """Return what the command `ephemera` prints, which has to end well."""
        done = self.ephemera(*words)
        assert done.returncode == 0, done
        return done.stdout.strip()

    def processes(self) -> list[str]:
        """Return the command lines of all processes of the user and of its subordinates."""
        found = []
        own = {pwd.getpwnam(self.name).pw_uid, *_subordinates(self.name)}
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and folder.stat().st_uid in own:
                    command = (folder / "cmdline").read_bytes()
                    found.append(f"{folder.name} {command[:100].decode(errors='replace')}")
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found


@contextmanager
def a_lingering_user() -> Iterator[User]:
    """Make a user who has a systemd without being logged in, and have no trace of it afterwards."""
    with an_ordinary_user() as user:
        uid = pwd.getpwnam(user.name).pw_uid
        subprocess.run(["loginctl", "enable-linger", user.name], check=True)
        # when it has started, its bus can be asked
        subprocess.run(["systemctl", "start", f"user@{uid}.service"], check=True)
        try:
            yield user
        finally:
            subprocess.run(["loginctl", "disable-linger", user.name], check=True)
            subprocess.run(["systemctl", "stop", f"user@{uid}.service"], check=True)


@contextmanager
def an_ordinary_user() -> Iterator[User]:
    """Make a user, and have no trace of it left afterwards."""
    name = f"eph{secrets.token_hex(4)}"
    made = subprocess.run(["useradd", "--create-home", name], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    try:
        assert _subordinates(name), "useradd gives no subordinate ids here"
        with tempfile.TemporaryDirectory() as folder, _tun(Path(folder)) as tun:
            user = User(name, _python_for(name), tun)
            yield user
    finally:
        subprocess.run(["pkill", "-KILL", "--uid", name], check=False)
        subprocess.run(["userdel", "--force", name], capture_output=True, check=True)
        shutil.rmtree(f"/home/{name}")


@contextmanager
def _tun(folder: Path) -> Iterator[str]:
    """Have the path of a /dev/net/tun that everybody may use; empty where it already is one."""
    if Path("/dev/net/tun").stat().st_mode & 0o006 == 0o006:
        yield ""
        return
    path = folder / "tun"
    os.mknod(path, stat.S_IFCHR, _TUN)
    path.chmod(0o666)
    yield str(path)


def _subordinates(name: str) -> range:
    for line in Path("/etc/subuid").read_text().splitlines():
        if line.startswith(f"{name}:"):
            start, count = map(int, line.split(":")[1:])
            return range(start, start + count)
    return range(0)


def _packages() -> str:
    return sysconfig.get_path("purelib")


def _python_for(name: str) -> str:
    """Return a Python like ours that the user may execute: ours may be in a folder of root's."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for one in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        become = f'exec setpriv --reuid {name} --regid {name} --clear-groups sh -c "{one} -c pass"'
        if subprocess.run(["sh", "-c", become], capture_output=True).returncode == 0:
            return one
    pytest.skip(f"no {version} here is for others than root: apt-get install {version}")


#: What tests need that run as such a user.
marks = [
    pytest.mark.root,
    pytest.mark.crun,
    needs.root,
    needs.crun,
    needs.nft,
    needs.registry,
    needs.busybox,
    needs.uidmap,
    needs.pasta,
    needs.tun,
    needs.user_namespaces,
]
