"""What a machine with image `host` sees of this computer's files: most, and no secrets."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ephemera.platform.drivers.base import BootSpec, Executed
from ephemera.platform.drivers.container.driver import ContainerDriver
from tests import needs

pytestmark = needs.containers

_SECRET = "only for who runs the platform"
#: In the home folder, some of each kind: keys, tokens, passwords, histories.
_HIDDEN = (".ssh/id_ed25519", ".aws/credentials", ".netrc", ".config/gh/hosts.yml", ".bash_history")


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of somebody who has logged in everywhere."""
    user = tmp_path / "user"
    for name in (*_HIDDEN, "moved/kubeconfig"):
        (user / name).parent.mkdir(parents=True, exist_ok=True)
        (user / name).write_text(_SECRET)
    (user / "app.py").write_text("print('hello')\n")
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("KUBECONFIG", str(user / "moved/kubeconfig"))
    return user


def _told(home: Path, commands: Sequence[Sequence[str]]) -> list[Executed]:
    """Return how commands ended, one after the other, in one machine with image `host`."""

    async def main() -> list[Executed]:
        driver = ContainerDriver(home)
        await driver.open(lambda _: None)
        try:
            spec = BootSpec(
                "0123456789abcd", 1, "app", "host", "local", ("sleep", "1000"), {},
                log_folder=str(home / "logs"),
            )  # fmt: skip
            handle = await driver.start(spec, lambda *_: None)
            return [await driver.exec(handle, one, timeout=20) for one in commands]
        finally:
            await driver.destroy("0123456789abcd")
            await driver.close()

    (home / "logs").mkdir(parents=True)
    return asyncio.run(main())


def test_logins_and_the_state_folder_are_not_there(user: Path, tmp_path: Path) -> None:
    home = tmp_path / "state"
    hidden = [str(user / name) for name in (*_HIDDEN, "moved/kubeconfig")]
    commands = [("cat", path) for path in (*hidden, "/etc/shadow")]
    for found in _told(home, [*commands, ("ls", str(home))]):
        assert found.exit_code
        assert _SECRET.encode() not in found.stdout
        assert b"No such file" in found.stderr


def test_all_else_is_there_and_can_be_written_to_without_harm(user: Path, tmp_path: Path) -> None:
    program = user / "app.py"
    write = f"echo gone > {program}; rm -r {user}/moved; cat {program}"
    before, written = _told(tmp_path / "state", [("cat", str(program)), ("sh", "-c", write)])
    assert before.stdout == b"print('hello')\n"
    assert written.stdout == b"gone\n"
    assert program.read_text() == "print('hello')\n"
    assert (user / "moved/kubeconfig").read_text() == _SECRET


#: In a mount namespace of its own, in which something is mounted beside `/`.
_LEAVE_AND_LOOK = """
import asyncio, io, json, sys, tarfile
from pathlib import Path
from ephemera.platform.drivers.base import BootSpec
from ephemera.platform.drivers.container.driver import ContainerDriver

home, place = Path(sys.argv[1]), sys.argv[2]
leave = f"echo kept > {place}/written; echo kept > /written; chown 7:8 {place}/written"
look = f"cat /written {place}/written; ls {place}/bin | grep -cx env; ls /run | wc -l"

async def main() -> None:
    driver = ContainerDriver(home)
    await driver.open(lambda _: None)
    try:
        spec = BootSpec("m1", 1, "app", "host", "local", ("sh", "-ec", leave), {},
                        log_folder=str(home / "logs"))
        ended = await driver.wait(await driver.start(spec, lambda *_: None))
        assert ended.exit_code == 0, ended
        terminal = await driver.look(spec, ("sh", "-c", look), rows=9, columns=90)
        seen = b""
        while piece := await terminal.read():
            seen += piece
        packed = b"".join([block async for block in driver.export(spec)])
    finally:
        await driver.destroy("m1")
        await driver.close()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = archive.getmember(f"{place[1:]}/written")
        names = [one for one in archive.getnames() if one.startswith(f"{place[1:]}/")]
    print(json.dumps([seen.decode().split(), names, member.uid, member.gid]))

(home / "logs").mkdir(parents=True)
asyncio.run(main())
"""


def test_what_it_left_beside_the_root_is_there_to_be_looked_at(tmp_path: Path) -> None:
    home, place = tmp_path / "state", tmp_path / "beside"
    place.mkdir()
    # a folder of the computer's own file system: that of `tmp_path` may be one that is not shown
    script = 'mount --bind /usr "$1"; shift; exec "$@"'
    command = [sys.executable, "-c", _LEAVE_AND_LOOK, str(home), str(place)]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", str(place), *command],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    seen, names, uid, gid = json.loads(done.stdout)
    assert seen == ["kept", "kept", "1", "0"]
    assert names == [f"{place}/written"[1:]]
    assert (uid, gid) == (7, 8)
