"""Cgroups of both versions, on files that stand in for the kernel's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ephemera.platform.drivers.container.cgroups import PIDS_MAX, Cgroup, Limits, Tree
from ephemera.platform.drivers.monitoring import kernel

# as /proc/self/mountinfo has them
_OTHERS = ["22 27 0:21 / /proc rw,relatime - proc proc rw", "27 1 254:0 / / rw - ext4 /dev/vda rw"]
_V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
_V1 = [
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct",
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    "37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer",
    "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids",
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd",
]
_UNIFIED = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
_PLACES = {
    "cpu": "/sys/fs/cgroup/cpu,cpuacct",
    "memory": "/sys/fs/cgroup/memory",
    "freezer": "/sys/fs/cgroup/freezer",
    "pids": "/sys/fs/cgroup/pids",
}


class TestFinding:
    def test_version_2_is_one_tree(self) -> None:
        assert Tree.find([*_OTHERS, _V2]) == Tree(2, {"": "/sys/fs/cgroup"})

    def test_version_1_is_a_tree_for_each_controller(self) -> None:
        assert Tree.find([*_OTHERS, *_V1]) == Tree(1, _PLACES)

    def test_an_empty_version_2_beside_version_1_is_told_of(self) -> None:
        found = Tree.find([*_OTHERS, *_V1, _UNIFIED])
        assert found == Tree(1, _PLACES, "/sys/fs/cgroup/unified")

    def test_version_2_is_used_where_version_1_has_no_memory(self) -> None:
        assert Tree.find([_V1[0], _UNIFIED]) == Tree(2, {"": "/sys/fs/cgroup/unified"})

    def test_machines_are_beside_the_leaf_that_a_platform_was_put_into(self) -> None:
        found = Tree.find([_V2], "/user.slice/a.scope/ephemera-platform")
        assert found == Tree(2, {"": "/sys/fs/cgroup/user.slice/a.scope"})

    def test_the_first_mount_of_a_controller_counts(self) -> None:
        again = "90 1 0:32 / /elsewhere rw - cgroup cgroup rw,memory"
        assert Tree.find([*_V1, again]).roots["memory"] == "/sys/fs/cgroup/memory"

    def test_what_an_earlier_server_removes_just_then_is_made_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        really_make = os.makedirs

        def find_it_there_and_then_not(path: str, **_: object) -> None:
            monkeypatch.setattr(os, "makedirs", really_make)
            raise FileExistsError(path)

        monkeypatch.setattr(os, "makedirs", find_it_there_and_then_not)
        Tree(1, {"memory": str(tmp_path)}).prepare("eph")
        assert (tmp_path / "eph").is_dir()

    def test_what_cannot_be_made_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "eph").touch()
        with pytest.raises(FileExistsError):
            Tree(1, {"memory": str(tmp_path)}).prepare("eph")

    def test_there_may_be_none(self) -> None:
        assert Tree.find(_OTHERS) == Tree(0, {})

    def test_a_place_may_have_blanks(self) -> None:
        line = "31 23 0:28 / /a\\040b rw - cgroup2 cgroup2 rw"
        assert Tree.find([line]).roots == {"": "/a b"}


class Unified:
    """Files that stand in for a cgroup of version 2, which the test's computer need not have.

    They take whatever is written, and never change by themselves.
    """

    def __init__(self, folder: Path, controllers: str = "cpu memory pids") -> None:
        self.folder = folder
        self.controllers = controllers
        self._look_like_one(folder)
        self._look_like_one(folder / "eph")
        self.tree = Tree(2, {"": str(folder)}).prepare("eph")

    def boot(self) -> Cgroup:
        cgroup = self.tree.of("1-1")
        cgroup.make()
        for name, text in self._files().items():
            (self.folder / "eph" / "1-1" / name).write_text(text)
        return cgroup

    def _files(self) -> dict[str, str]:
        files = {"cgroup.freeze": "0", "cgroup.events": "populated 1\nfrozen 1\n"}
        if "memory" in self.controllers:
            files |= {"memory.max": "max", "memory.current": "5000000", "memory.reclaim": ""}
            files |= {"memory.stat": "anon 1\ninactive_file 1000000\n", "memory.swap.max": "max"}
            files |= {"memory.events": "low 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 7\n"}
        if "cpu" in self.controllers:
            files |= {"cpu.max": "max 100000", "cpu.weight": "100"}
        return files | ({"pids.max": "max"} if "pids" in self.controllers else {})

    def read(self, name: str) -> str:
        return (self.folder / "eph" / "1-1" / name).read_text()

    def write(self, name: str, text: str) -> None:
        (self.folder / "eph" / "1-1" / name).write_text(text)

    def _look_like_one(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.controllers").write_text(self.controllers)
        (folder / "cgroup.subtree_control").write_text("")


@pytest.fixture
def unified(tmp_path: Path) -> Unified:
    return Unified(tmp_path / "root")


class TestVersion2:
    def test_controllers_are_passed_on_by_the_root_and_by_ours(self, unified: Unified) -> None:
        for folder in (unified.folder, unified.folder / "eph"):
            # each is written by itself, and plain files keep the last
            assert (folder / "cgroup.subtree_control").read_text()[:5] in ("+pids", "+cpu", "+memo")

    def test_controllers_are_passed_on_again_by_the_root_when_ours_is_made_again(
        self, unified: Unified
    ) -> None:
        (unified.folder / "cgroup.subtree_control").write_text("")  # as systemd does
        unified.tree.make()
        assert (unified.folder / "cgroup.subtree_control").read_text()

    def test_controllers_that_are_not_there_are_not_asked_for(self, tmp_path: Path) -> None:
        unified = Unified(tmp_path / "root", "memory")
        assert (unified.folder / "cgroup.subtree_control").read_text() == "+memory"

    def test_limits_are_written_in_its_words(self, unified: Unified) -> None:
        unified.boot().limit(Limits(cpus=2, memory_mb=256, swap_mb=64))
        assert unified.read("cpu.max").startswith("200000 100000")
        assert unified.read("cpu.weight") == "200"
        assert unified.read("memory.max") == str(256 << 20)
        assert unified.read("memory.swap.max") == str(64 << 20)
        assert unified.read("pids.max") == str(PIDS_MAX)

    def test_what_cannot_be_limited_here_is_not(self, tmp_path: Path) -> None:
        unified = Unified(tmp_path / "root", "memory")
        unified.boot().limit(Limits(cpus=1, memory_mb=64, swap_mb=0))
        assert unified.read("memory.max") == str(64 << 20)
        assert not (unified.folder / "eph" / "1-1" / "cpu.max").exists()

    def test_a_limit_below_what_is_in_use_is_refused_instead_of_killing(
        self, unified: Unified
    ) -> None:
        cgroup = unified.boot()
        cgroup.memory.limit(4, 0)
        with pytest.raises(OSError, match="4 MB are in use") as caught:
            cgroup.memory.limit(3, 0)
        assert caught.value.errno == errno.EBUSY
        assert unified.read("memory.max") == str(4 << 20)

    def test_memory_that_can_be_had_back_is_not_in_use(self, unified: Unified) -> None:
        cgroup = unified.boot()
        assert cgroup.memory.use() == (1 << 62, 4_000_000)
        unified.write("memory.max", "8000000\n")
        assert cgroup.memory.use() == (8_000_000, 4_000_000)

    def test_what_was_killed_for_want_of_memory_is_counted(self, unified: Unified) -> None:
        assert unified.boot().memory.oom_kills() == 1

    def test_freezing_and_thawing(self, unified: Unified) -> None:
        cgroup = unified.boot()
        assert cgroup.freeze()
        assert unified.read("cgroup.freeze") == "1"
        cgroup.thaw()
        assert unified.read("cgroup.freeze") == "0"

    def test_one_that_does_not_freeze_is_given_up(
        self, unified: Unified, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ephemera.platform.drivers.container.cgroups._FROZEN_WITHIN_S", 0.005)
        cgroup = unified.boot()
        unified.write("cgroup.events", "populated 1\nfrozen 0\n")
        assert not cgroup.freeze()

    def test_reclaiming_says_what_was_had(self, unified: Unified) -> None:
        cgroup = unified.boot()
        assert cgroup.memory.reclaim(123) == 0  # the files do not change by themselves
        assert unified.read("memory.reclaim") == "123"


class TestGoing:
    def test_the_one_that_all_are_below_comes_back_when_it_is_needed(self, tmp_path: Path) -> None:
        (tmp_path / "memory").mkdir()
        tree = Tree(1, {"memory": str(tmp_path / "memory")}).prepare("eph")
        tree.remove()
        assert not (tmp_path / "memory" / "eph").exists()
        cgroup = tree.of("1-1")
        cgroup.make()
        assert tree.left() == {"1-1"}
        tree.remove()
        assert tree.left() == {"1-1"}, "it is not removed while one is below it"
        assert cgroup.remove()
        assert cgroup.remove(), "repeating is safe"
        tree.remove()
        tree.remove()
        assert tree.left() == set()

    def test_one_that_is_there_is_not_made_again(self, tmp_path: Path) -> None:
        (tmp_path / "memory").mkdir()
        tree = Tree(1, {"memory": str(tmp_path / "memory")}).prepare("eph")
        tree.of("1-1").make()
        with pytest.raises(FileExistsError):
            tree.of("1-1").make()

    def test_its_processes_are_known_whatever_controllers_there_are(self, tmp_path: Path) -> None:
        cgroup = Tree(1, {"memory": str(tmp_path)}).of("1-1")
        cgroup.make()
        (tmp_path / "1-1" / "cgroup.procs").write_text("12\n34\n")
        assert cgroup.pids() == [12, 34]

    def test_what_is_not_there_has_nothing(self, tmp_path: Path) -> None:
        cgroup = Tree(1, {"memory": str(tmp_path)}).of("gone")
        assert cgroup.pids() == []
        assert cgroup.memory.oom_kills() == 0
        cgroup.thaw()
        cgroup.end()
        assert cgroup.remove()

    def test_without_cgroups_nothing_is_limited(self) -> None:
        cgroup = Tree(0, {}).of("1-1")
        cgroup.make()
        cgroup.limit(Limits(1, 256, 0))
        assert cgroup.pids() == []
        assert cgroup.remove()
        with pytest.raises(FileNotFoundError):
            cgroup.freeze()


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("/plain", "/plain"),
        (r"/a\040b", "/a b"),
        (r"\134n\012", "\\n\n"),
        ("/ü-日\udcff", "/ü-日\udcff"),
    ],
)
def test_names_in_the_list_of_mounts_are_read_as_they_are(printed: str, name: str) -> None:
    assert kernel.unescaped(printed) == name
