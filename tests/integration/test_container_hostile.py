"""Machines with image `host`, and images made to do harm: nothing of this computer is changed."""

from __future__ import annotations

import os
import pwd
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.drivers.base import GuestFile, GuestMount
from tests import needs
from tests.container_machines import Machines
from tests.images import busybox, layer, symlink
from tests.registry import Registry

pytestmark = [
    *needs.containers,
    needs.registry,
    needs.busybox,
]

_CREDENTIALS = (
    ".ssh/id_rsa", ".aws/credentials", ".docker/config.json", ".netrc", ".fly/config.yml",
    ".config/gcloud/key.json", ".bash_history",
)  # fmt: skip


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home folder of whoever runs the platform, and more that is theirs."""
    folder = tmp_path_factory.mktemp("user")
    for name in (*_CREDENTIALS, "code/app.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'{{"content of": "{name}"}}')
    linked = folder / "elsewhere"
    linked.mkdir()
    (linked / "token").write_text("content of a token")
    (folder / ".kube").symlink_to(linked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(linked / "google.json"))
        (linked / "google.json").write_text("content of a key")
        yield folder


@pytest.fixture(scope="module")
def machines(
    user: Path, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machines]:
    with Machines.opened(tmp_path_factory.mktemp("platform")) as opened:
        yield opened


class TestThisComputersFiles:
    def test_can_be_read(self, machines: Machines, user: Path) -> None:
        said = machines.output(f"cat {user}/code/app.py; echo; cat /etc/hostname")
        assert said[0] == '{"content of": "code/app.py"}'

    def test_are_as_they_were_whatever_a_machine_does(self, machines: Machines, user: Path) -> None:
        file = user / "code" / "app.py"
        before = file.stat()
        script = f"""
            cd {user}/code; echo other > app.py; cat app.py; chmod 777 app.py; chown 5:5 app.py
            ln app.py linked; ln -s / out; echo x > new; mkdir folder; rm -rf {user}/.profile
            rm app.py; cd ..; rm -rf code; ls; touch /etc/here /usr/here /root/here /tmp/here /here
        """
        assert machines.output(script)[0] == "other"
        after = file.stat()
        assert "code/app.py" in file.read_text()
        assert (after.st_mode, after.st_uid, after.st_nlink) == (
            before.st_mode, before.st_uid, before.st_nlink,
        )  # fmt: skip
        assert after.st_mtime_ns == before.st_mtime_ns
        assert [one.name for one in (user / "code").iterdir()] == ["app.py"]
        outside = ("/etc/here", "/usr/here", "/root/here", "/tmp/here", "/here")
        assert not any(Path(one).exists() for one in outside)

    def test_belong_to_whom_they_belong(self, machines: Machines) -> None:
        assert machines.output("stat -c '%u:%g' / /etc/passwd /bin/sh") == ["0:0"] * 3

    @pytest.mark.parametrize("name", _CREDENTIALS)
    def test_are_hidden_where_they_are_secrets(
        self, machines: Machines, user: Path, name: str
    ) -> None:
        found = machines.run("sh", "-c", f"cat {user}/{name}; cat {user}/code/../{name}")
        assert found.exit.exit_code != 0
        assert not [line for line in found.lines if "content" in line]

    @pytest.mark.parametrize("name", [".kube/token", "elsewhere/token", "elsewhere/google.json"])
    def test_are_hidden_behind_a_link_and_where_the_environment_says(
        self, machines: Machines, user: Path, name: str
    ) -> None:
        assert machines.run("cat", f"{user}/{name}").exit.exit_code != 0

    @pytest.mark.parametrize("place", ["/etc/shadow", "/etc/gshadow", "/var/lib/docker/x"])
    def test_are_hidden_where_they_are_the_computers(self, machines: Machines, place: str) -> None:
        assert machines.run("cat", place).exit.exit_code != 0

    def test_are_hidden_where_they_are_the_platforms(self, machines: Machines) -> None:
        home = machines.world.home
        script = f"ls {home}; ls {home}/machines; cat {home}/../{home.name}/platform.db"
        assert machines.run("sh", "-c", script).exit.exit_code != 0
        assert machines.output(f"ls -a {home.parent}").count(home.name) == 0

    def test_stay_hidden_when_a_machine_makes_files_of_their_names(
        self, machines: Machines, user: Path
    ) -> None:
        script = (
            f"mkdir {user}/.ssh; ls -A {user}/.ssh; echo mine > {user}/.netrc; cat {user}/.netrc"
        )
        assert machines.output(script) == ["mine"]
        assert "content of" in (user / ".netrc").read_text()

    def test_of_others_who_live_here_are_hidden_too(self, machines: Machines) -> None:
        homes = {one.pw_dir for one in pwd.getpwall() if Path(one.pw_dir, ".ssh").exists()}
        for one in homes:
            assert machines.run("ls", f"{one}/.ssh").exit.exit_code != 0

    def test_do_not_lead_to_what_runs_here(self, machines: Machines, tmp_path: Path) -> None:
        said = machines.output("ls /run /dev /mnt 2>&1; ls /proc | grep -c '^[0-9]'")
        assert "docker.sock" not in said
        assert int(said[-1]) < 10


def _tried(machines: Machines, script: str, **more: Any) -> str:
    """Return what a machine prints, or why it cannot be: both are right for a hostile image."""
    try:
        return "\n".join(machines.run("sh", "-c", script, **more).lines)
    except BootFailed as error:
        return str(error)


class TestLinks:
    @pytest.mark.parametrize("target", ["/outside", "../../../../outside", "/proc/1/root/outside"])
    @pytest.mark.parametrize("path", ["/etc/ssl/secret", "/app/config.json"])
    def test_files_of_the_config_stay_inside(
        self, machines: Machines, registry: Registry, tmp_path: Path, target: str, path: str
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        target = target.replace("/outside", str(outside))
        hostile = layer(symlink("etc", target), symlink("app", target))
        image = registry.push("hostile", busybox(hostile))
        files = [GuestFile(path, b"secret")]
        script = f"cat {path}; echo; ls /etc/ | head -3"
        said = _tried(machines, script, image=image, files=files)
        assert said.startswith("secret") or "cannot be written" in said
        assert list(outside.iterdir()) == []

    @pytest.mark.parametrize("link", ["etc/passwd", "etc/hosts", "etc/hostname", "etc/resolv.conf"])
    def test_files_of_the_platform_stay_inside(
        self, machines: Machines, registry: Registry, tmp_path: Path, link: str
    ) -> None:
        outside = tmp_path / "outside"
        outside.write_text("untouched")
        hostile = layer(symlink(link, f"../../../../..{outside}"), symlink("var/x", str(outside)))
        image = registry.push(f"hostile-{Path(link).name}", busybox(hostile))
        files = [GuestFile(f"/{link}", b"mine"), GuestFile("/var/x", b"mine")]
        assert machines.output(f"cat /{link}", image=image, files=files) == ["mine"]
        machines.output("true", image=image)
        assert outside.read_text() == "untouched"

    @pytest.mark.parametrize("folder", ["proc", "sys", "dev", "tmp", "work"])
    def test_folders_that_are_links_are_made_inside(
        self, machines: Machines, registry: Registry, tmp_path: Path, folder: str
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        image = registry.push(f"linked-{folder}", busybox(layer(symlink(folder, str(outside)))))
        env = {"EPHEMERA_WORKDIR": "/work/inner"}
        assert _tried(machines, "pwd; ls /proc /sys /dev", image=image, env=env)
        assert list(outside.iterdir()) == []

    def test_a_mount_stays_inside(
        self, machines: Machines, registry: Registry, tmp_path: Path
    ) -> None:
        outside, volume = tmp_path / "outside", tmp_path / "volume"
        for one in (outside, volume):
            one.mkdir()
        image = registry.push("linked-mount", busybox(layer(symlink("data", str(outside)))))
        mounts = [GuestMount("/data", "vol_1", str(volume))]
        assert _tried(machines, "echo x > /data/file; echo done", image=image, mounts=mounts)
        assert list(outside.iterdir()) == []

    def test_an_archive_of_a_hostile_machine_has_its_links_and_not_what_they_lead_to(
        self, machines: Machines, tmp_path: Path
    ) -> None:
        spec = machines.world.spec(
            "sh", "-c", "ln -s /etc/passwd /l; ln -s ../../../.. /up", machine_id="archived"
        )
        machines.await_(machines.world.ended(machines.driver, spec))
        packed = machines.await_(_packed(machines, spec))
        assert b"root:x:0:0" not in packed
        assert b"/etc/passwd" in packed


class TestWhatTheFirstProcessSees:
    """The process that becomes a program may follow links to it, before it gives up its rights."""

    @pytest.mark.parametrize("folder", ["/proc/1/root", "/proc/1/cwd", "/linked"])
    def test_is_no_working_folder(
        self, machines: Machines, registry: Registry, folder: str
    ) -> None:
        linked = busybox(layer(symlink("linked", "/proc/1/root")), WorkingDir=folder)
        image = registry.push(f"working-{Path(folder).name}", linked)
        with pytest.raises(BootFailed, match=f"the working folder '{folder}'"):
            machines.start("ls", "../../..", image=image)

    def test_has_nothing_above_it(self, machines: Machines) -> None:
        handle = machines.start("sleep", "60")
        root = Path(f"/proc/{machines.world.init(handle.partition('/')[0])}/root")
        assert (root / "..").samefile(root)
        assert list(root.iterdir()) == []
        machines.ended_by_kill(handle)


def test_programs_that_come_into_machines_can_be_changed_by_nobody(machines: Machines) -> None:
    handle = machines.start("sleep", "60")
    monitor = machines.world.monitor(handle.partition("/")[0])
    for name in ("init", "caller"):
        with pytest.raises(OSError, match="Read-only file system"):
            Path(f"/proc/{monitor}/root/run/ephemera/{name}").touch()
    machines.ended_by_kill(handle)


async def _packed(machines: Machines, spec: Any) -> bytes:
    return b"".join([block async for block in machines.driver.export(spec)])


class TestVolumes:
    def test_belong_to_the_machines_users(self, machines: Machines, tmp_path: Path) -> None:
        (tmp_path / "there").write_text("before")
        mounts = [GuestMount("/data", "vol_1", str(tmp_path))]
        script = """
            stat -c %u /data /data/there; touch /data/root; touch /data/given
            chown 1000:1001 /data/given; cat /data/there
        """
        assert machines.output(script, mounts=mounts) == ["0", "0", "before"]
        owners = {one.name: (one.stat().st_uid, one.stat().st_gid) for one in tmp_path.iterdir()}
        assert owners == {"there": (0, 0), "root": (0, 0), "given": (1000, 1001)}

    def test_no_program_of_them_becomes_root_and_no_device_works(
        self, machines: Machines, tmp_path: Path
    ) -> None:
        os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        mounts = [GuestMount("/data", "vol_1", str(tmp_path))]
        script = "grep ' /data ' /proc/mounts; head -c 1 /data/null 2>/dev/null; echo $?"
        line, denied = machines.output(script, mounts=mounts)
        assert "nosuid" in line
        assert "nodev" in line
        assert denied != "0"

    def test_one_that_is_not_there_is_a_clear_error(
        self, machines: Machines, tmp_path: Path
    ) -> None:
        mounts = [GuestMount("/data", "vol_1", str(tmp_path / "gone"))]
        with pytest.raises(BootFailed, match="volume for '/data' is not there"):
            machines.start("true", mounts=mounts)


def test_the_socket_of_the_api_can_be_reached_and_not_be_replaced(
    machines: Machines, tmp_path: Path
) -> None:
    (tmp_path / "api").touch()
    tmp_path.chmod(0o755)
    script = "ls /.fly; touch /.fly/x; rm /.fly/api; grep ' /.fly ' /proc/mounts"
    said = machines.output(f"({script}) 2>/dev/null", api_socket=str(tmp_path / "api"))
    assert said[0] == "api"
    assert {"ro", "nosuid", "nodev"} <= set(said[1].split()[3].split(","))
    assert [one.name for one in tmp_path.iterdir()] == ["api"]


def test_a_socket_of_this_computer_cannot_be_reached(machines: Machines, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(1)
        (tmp_path / "s").chmod(0o777)
        path = str(tmp_path / "s")
        program = f"""
import errno, os, socket
print(os.path.exists({path!r}))
try:
    socket.socket(socket.AF_UNIX).connect({path!r})
except OSError as error:
    print(errno.errorcode[error.errno])
"""
        assert machines.python(program) == ["True", "ECONNREFUSED"]
