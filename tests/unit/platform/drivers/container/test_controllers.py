from __future__ import annotations

from pathlib import Path

from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.container.controllers import usable


def group(folder: Path, *, available: str, enabled: str = "", procs: str = "") -> Tree:
    """Make a folder that looks like a group of version 2 below the root of all."""
    files = {
        "cgroup.controllers": available,
        "cgroup.subtree_control": enabled,
        "cgroup.procs": procs,
        "cgroup.type": "domain\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return Tree(2, {"": str(folder)})


def test_each_controller_of_version_1_has_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    roots = {"memory": f"{tmp_path}/memory", "cpu": f"{tmp_path}/gone"}
    assert usable(Tree(1, roots)) == {"memory": f"{tmp_path}/memory"}


def test_a_group_without_processes_can_pass_on_every_controller_it_has(tmp_path: Path) -> None:
    tree = group(tmp_path, available="cpuset cpu memory pids")
    assert set(usable(tree)) == {"memory", "cpu", "pids", "freezer"}


def test_a_group_with_processes_passes_on_only_what_it_did_before(tmp_path: Path) -> None:
    tree = group(tmp_path, available="cpu memory pids", enabled="memory", procs="12\n")
    assert set(usable(tree)) == {"memory", "freezer"}


def test_a_group_that_a_server_is_given_passes_on_all_that_it_has(tmp_path: Path) -> None:
    tree = group(tmp_path, available="memory pids", procs="12\n")
    assert set(usable(tree, is_given=True)) == {"memory", "pids", "freezer"}


def test_the_root_of_all_groups_may_have_processes(tmp_path: Path) -> None:
    tree = group(tmp_path, available="cpu memory pids", procs="1\n")
    (tmp_path / "cgroup.type").unlink()
    assert set(usable(tree)) == {"memory", "cpu", "pids", "freezer"}


def test_a_computer_without_control_groups_has_no_controllers() -> None:
    assert usable(Tree(0, {})) == {}
