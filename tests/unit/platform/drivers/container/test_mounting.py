"""What a machine sees, as a list and without a kernel."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.drivers.container import bundle, syscalls
from ephemera.platform.drivers.container.bundle import Bind, Filter
from ephemera.platform.drivers.container.mounting import Mounting
from ephemera.platform.drivers.container.users import User
from tests import needs
from tests.written_calls import Call, Written

pytestmark = needs.linux

_MAIN = bundle.process(["true"], {}, User(0, 0, (), "/"), "/", tty=False)
#: All of this computer's paths, so that they are seen where they should not be.
_OUTSIDE = "/outside"
_BINDS = (
    Bind(f"{_OUTSIDE}/volume", "/data/deep", ("nosuid", "nodev")),
    Bind(f"{_OUTSIDE}/api", "/.fly", ("ro", "nosuid", "nodev")),
)
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8


def _config(version: int = 2) -> dict[str, Any]:
    return bundle.config(
        _MAIN, f"{_OUTSIDE}/root", "m1", {}, _BINDS, Filter("", {}),
        shm_mb=64, cgroup_version=version,
    )  # fmt: skip


def _mounted(version: int = 2, **linux: Any) -> Written:
    calls, config = Written(), _config(version)
    config["linux"].update(linux)
    mounting = Mounting(calls)
    mounting.make(config, mounting.make_early(unified=version == 2))
    return calls


def _attributes(call: Call) -> int:
    wanted = call.arguments[3]
    assert isinstance(wanted, bytes)
    set_, clear, propagation, userns = struct.unpack("=4Q", wanted)
    assert (clear, propagation, userns) == (0, 0, 0), "nothing is allowed that was not"
    return int(set_)


class TestTheRoot:
    def test_is_the_machines_before_anything_is_mounted_in_it(self) -> None:
        calls = _mounted()
        before = calls.made[: calls.place("pivot_root")]
        assert [one.arguments[1] for one in before if one.name == "mount"] == [
            "/", f"{_OUTSIDE}/root",
        ]  # fmt: skip
        written = {"move_mount", "mkdirat", "symlinkat"}
        assert not [one for one in before if one.name in written]
        assert not [one for one in before if one.name == "openat" and one.arguments[2] & os.O_CREAT]  # type: ignore[operator]

    def test_of_this_computer_is_gone_before_anything_else_is_done(self) -> None:
        calls = _mounted()
        root, rest = calls.place("pivot_root"), calls.after("pivot_root")
        assert calls.made[root].arguments == (".", ".")
        assert [one.name for one in rest[:2]] == ["umount2", "chdir"]
        assert rest[0].arguments == (".", syscalls.MNT_DETACH)
        assert rest[1].arguments == ("/",)
        assert not any(one.expected for one in (calls.made[root], *rest[:2]))

    def test_sees_nothing_by_a_path_of_this_computer(self) -> None:
        for call in _mounted().after("pivot_root"):
            assert not [one for one in call.paths if one.startswith(_OUTSIDE)], call

    def test_is_left_behind_as_nobody_elses_mount(self) -> None:
        calls = _mounted()
        private = calls.all("mount", None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        assert len(private) == 1
        assert calls.place("unshare", syscalls.CLONE_NEWNS) < calls.made.index(private[0])
        assert private[0].expected == ()


class TestMounts:
    def test_of_the_kernel_are_made_before_and_are_quiet(self) -> None:
        calls = Written()
        Mounting(calls).make_early(unified=True)
        kinds = [one.arguments[0] for one in calls.all("fsopen")]
        assert kinds == ["proc", "mqueue", "sysfs", "cgroup2"]
        quiet = [_attributes(one) for one in calls.all("mount_setattr")]
        assert quiet == [_NOSUID | _NODEV | _NOEXEC] * 4

    def test_show_cgroups_only_where_there_is_one_tree(self) -> None:
        for version, is_shown in ((1, False), (2, True)):
            calls = _mounted(version)
            assert bool(calls.all("fsopen", "cgroup2")) == is_shown
            targets = {one.says for one in calls.all("move_mount")}
            assert ("mount at /sys/fs/cgroup" in targets) == is_shown

    @pytest.mark.parametrize("version", [1, 2])
    def test_are_all_made_at_their_places_and_in_order(self, version: int) -> None:
        wanted = [one["destination"] for one in _config(version)["mounts"]]
        made = [one for one in _mounted(version).made if one.name in ("mount", "move_mount")]
        found = [one.says.removeprefix("mount at ") for one in made]
        assert [one for one in found if one in wanted] == wanted

    def test_of_the_kernel_are_at_no_link_and_others_where_one_of_the_image_leads(self) -> None:
        calls = _mounted()
        for call in calls.all("move_mount"):
            target = call.says.removeprefix("mount at ")
            if target in {one.target for one in _BINDS}:
                opened = calls.made[calls.made.index(call) - 1]
                assert (opened.name, opened.arguments[1]) == ("openat2", target)
                how = opened.arguments[2]
                assert isinstance(how, bytes)
                assert struct.unpack("=3Q", how)[2] == 2, "by no link of /proc"
                assert call.arguments[3:] == ("", 0x44)
            else:
                assert call.arguments[3:] == (target, 0x4)

    def test_are_as_restricted_as_they_are_asked_to_be(self) -> None:
        calls = _mounted()
        flags = {one.arguments[1]: one.arguments[3] for one in calls.all("mount")}
        quiet = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        assert flags["/dev/shm"] == quiet
        assert flags["/dev/pts"] == syscalls.MS_NOSUID | syscalls.MS_NOEXEC
        assert flags["/dev"] == syscalls.MS_NOSUID | syscalls.MS_STRICTATIME
        said = {one.says: _attributes(one) for one in calls.all("mount_setattr")}
        assert said["/sys"] == said["/sys/fs/cgroup"] == _RDONLY | _NOSUID | _NODEV | _NOEXEC
        assert said["/proc"] == _NOSUID | _NODEV | _NOEXEC

    def test_of_this_computer_are_restricted_before_they_are_anywhere(self) -> None:
        calls = _mounted()
        said = {one.says: _attributes(one) for one in calls.all("mount_setattr")}
        assert said[f"{_OUTSIDE}/volume"] == _NOSUID | _NODEV
        assert said[f"{_OUTSIDE}/api"] == _RDONLY | _NOSUID | _NODEV
        assert said["/dev/null"] == _RDONLY | _NOSUID | _NOEXEC
        assert calls.place("move_mount") > calls.last("open_tree")
        for opened in calls.all("open_tree"):
            following = calls.made[calls.made.index(opened) + 1]
            assert (following.name, following.expected) == ("mount_setattr", ())

    def test_have_other_words_as_options(self) -> None:
        calls = _mounted()
        (shm,) = calls.all("mount", "shm", "/dev/shm", "tmpfs")
        assert shm.arguments[4] == "mode=1777,size=64m"

    def test_have_folders_that_may_be_there_already(self) -> None:
        made = [
            one for one in _mounted().all("mkdirat") if one.arguments[1] in ("/data", "/data/deep")
        ]
        assert [one.arguments[1] for one in made] == ["/data", "/data/deep"]
        assert {one.expected for one in made} == {(errno.EEXIST,)}

    def test_that_fail_end_it(self) -> None:
        for call in _mounted(maskedPaths=[], readonlyPaths=[]).made:
            if call.name in ("mount", "move_mount", "mount_setattr", "fsmount", "open_tree"):
                assert call.expected == (), call


class TestDevices:
    def test_are_those_of_this_computer_that_do_no_harm(self) -> None:
        opened = [one.arguments[1] for one in _mounted().all("open_tree")]
        devices = [one for one in opened if not str(one).startswith(_OUTSIDE)]
        assert devices == [f"/dev/{one}" for one in
                           ("null", "zero", "full", "tty", "random", "urandom")]  # fmt: skip

    def test_are_put_on_new_files(self) -> None:
        """So an image's link is nothing that they are mounted at."""
        calls = _mounted()
        for name in ("null", "tty"):
            created = next(
                one for one in calls.after("pivot_root")
                if one.name == "openat" and one.arguments[1] == f"/dev/{name}"
            )  # fmt: skip
            flags = created.arguments[2]
            assert isinstance(flags, int)
            assert flags & os.O_EXCL
            assert created.expected == ()


class TestWhatIsMasked:
    def test_is_a_folder_of_nothing_or_a_file_of_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        folder, file, none = str(tmp_path), str(tmp_path / "file"), str(tmp_path / "none")
        calls = _mounted(maskedPaths=[folder, file, none], readonlyPaths=[])
        masks = {one.arguments[1]: one for one in calls.all("mount") if "mask" in one.says}
        assert set(masks) == {folder, file, none}
        later = [one for one in calls.all("mount") if one.arguments[1] == none]
        assert [one.arguments[0] for one in later] == ["tmpfs", "/dev/null", None]
        assert {one.expected for one in later} == {(errno.ENOENT, errno.ENOTDIR)}
        kept = calls.all("mount", "tmpfs", folder, "tmpfs")[0].arguments[3]
        assert isinstance(kept, int)
        assert kept & syscalls.MS_RDONLY
        assert calls.all("mount", "/dev/null", file)
        read_only = masks[file].arguments[3]
        assert isinstance(read_only, int)
        assert read_only & (syscalls.MS_REMOUNT | syscalls.MS_RDONLY)

    def test_may_be_missing_in_the_machine_and_nothing_else_may_go_wrong(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        calls = _mounted(maskedPaths=[str(tmp_path / "file")], readonlyPaths=[str(tmp_path)])
        for call in calls.all("mount"):
            assert set(call.expected) <= {errno.ENOENT, errno.ENOTDIR}, call

    def test_is_bound_to_itself_where_it_is_only_kept_read_only(self, tmp_path: Path) -> None:
        path = str(tmp_path)
        calls = _mounted(maskedPaths=[], readonlyPaths=[path, f"{path}/none"])
        bind, again = (one for one in calls.all("mount") if one.arguments[1] == path)
        assert bind.arguments[0] == path
        assert isinstance(again.arguments[3], int)
        wanted = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        assert again.arguments[3] & wanted == wanted

    def test_is_done_before_volumes_which_may_hold_what_it_is_mounted_from(self) -> None:
        calls = _mounted()
        said = [one.says for one in calls.made]
        masks = [place for place, one in enumerate(said) if one.startswith("mask of")]
        assert min(masks) > said.index("mount at /dev/urandom")
        assert max(masks) < said.index("mount at /data/deep")
