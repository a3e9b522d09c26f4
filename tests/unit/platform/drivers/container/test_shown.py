from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.platform.drivers.container.shown import (
    hidden_from_machines,
    mounted_beside,
    shown_apart,
)


def _line(place: str, kind: str = "ext4") -> str:
    """Return a line of /proc/self/mountinfo."""
    printed = place.replace("\\", r"\134").replace(" ", r"\040")
    return f"36 35 98:0 / {printed} rw,noatime shared:1 - {kind} /dev/root rw,errors=continue"


class TestShownApart:
    def test_folders_with_nothing_mounted_below_are_shown_whole(self, tmp_path: Path) -> None:
        for name in ("a/inner", "b/mounted/inner", "b/beside", "b/state/images"):
            (tmp_path / name).mkdir(parents=True)
        (tmp_path / "link").symlink_to("a")
        lines = [_line("/"), _line(f"{tmp_path}/b/mounted"), _line(f"{tmp_path}/b/gone/x")]
        shown = shown_apart(f"{tmp_path}/b/state", lines)
        ours = [one for one in shown if one.startswith(str(tmp_path))]
        assert ours == [f"{tmp_path}/{name}" for name in ("a", "b/beside", "b/mounted")]

    def test_no_folder_is_shown_twice_or_with_something_mounted_below(self) -> None:
        shown = shown_apart("/home/eph", [_line("/"), _line("/usr/share")])
        assert "/usr" not in shown
        assert "/usr/share" in shown
        assert not [one for one in shown if any(one.startswith(f"{two}/") for two in shown)]

    @pytest.mark.parametrize("place", ["/proc", "/sys", "/dev", "/run", "/boot"])
    def test_places_of_the_kernel_and_of_the_boot_are_not(self, place: str) -> None:
        shown = shown_apart("/home/eph", [_line("/"), _line(place)])
        assert not [one for one in shown if f"{one}/".startswith(f"{place}/")]


class TestMountedBeside:
    def test_file_systems_with_files_are_shown_outermost_first(self, tmp_path: Path) -> None:
        for name in ("a", "a/inner", "b"):
            (tmp_path / name).mkdir()
        places = [f"{tmp_path}/{name}" for name in ("b", "a/inner", "a")]
        lines = [_line("/"), *(_line(place) for place in places)]
        assert mounted_beside("/home/eph", lines) == sorted(places)

    @pytest.mark.parametrize("kind", ["proc", "sysfs", "cgroup2", "nfs", "fuse.sshfs", "tmpfs"])
    def test_what_is_no_disk_of_this_computer_is_not(self, tmp_path: Path, kind: str) -> None:
        assert mounted_beside("/home/eph", [_line(str(tmp_path), kind)]) == []

    @pytest.mark.parametrize("place", ["/proc", "/proc/fs", "/sys/x", "/dev", "/run", "/boot/efi"])
    def test_places_of_the_kernel_and_of_the_boot_are_not(self, place: str) -> None:
        assert mounted_beside("/home/eph", [_line(place)]) == []

    def test_the_state_folder_and_what_is_below_it_are_not(self, tmp_path: Path) -> None:
        (tmp_path / "home" / "x").mkdir(parents=True)
        (tmp_path / "homestead").mkdir()
        lines = [_line(f"{tmp_path}/{name}") for name in ("home", "home/x", "homestead")]
        assert mounted_beside(f"{tmp_path}/home", lines) == [f"{tmp_path}/homestead"]

    def test_files_that_are_mounted_and_places_that_are_gone_are_not(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        lines = [_line(f"{tmp_path}/file"), _line(f"{tmp_path}/gone")]
        assert mounted_beside("/home/eph", lines) == []

    @pytest.mark.parametrize("name", ["a blank", "back\\slash", "Über-日本", "form\x0cfeed"])
    def test_names_are_read_as_they_are(self, tmp_path: Path, name: str) -> None:
        place = tmp_path / name
        place.mkdir()
        assert mounted_beside("/home/eph", [_line(str(place))]) == [str(place)]

    def test_one_that_is_mounted_twice_is_shown_once(self, tmp_path: Path) -> None:
        line = _line(str(tmp_path))
        assert mounted_beside("/home/eph", [line, line]) == [str(tmp_path)]


class TestHidden:
    def test_the_state_folder_and_the_users_secrets_are(self, tmp_path: Path) -> None:
        found = hidden_from_machines("/var/eph", [str(tmp_path)], {})
        assert {"/var/eph", f"{tmp_path}/.ssh", f"{tmp_path}/.aws", "/etc/shadow"} <= set(found)

    def test_secrets_that_are_elsewhere_are(self) -> None:
        environ = {
            "KUBECONFIG": "/k/one:/k/two:relative",
            "GOOGLE_APPLICATION_CREDENTIALS": "/g/key.json",
            "DOCKER_CONFIG": "relative",
            "OTHER": "/o",
        }
        found = set(hidden_from_machines("/var/eph", [], environ))
        assert {"/k/one", "/k/two", "/g/key.json"} <= found
        assert not {"/o", "relative"} & found

    def test_a_link_is_and_what_it_leads_to(self, tmp_path: Path) -> None:
        (tmp_path / "keys").mkdir()
        (tmp_path / ".ssh").symlink_to("keys")
        (tmp_path / "linked").symlink_to(tmp_path)
        found = set(hidden_from_machines(f"{tmp_path}/linked/eph", [f"{tmp_path}/linked"], {}))
        assert {f"{tmp_path}/.ssh", f"{tmp_path}/keys", f"{tmp_path}/eph"} <= found

    def test_of_others_only_what_is_there_is(self, tmp_path: Path) -> None:
        (tmp_path / ".netrc").touch()
        found = hidden_from_machines("/var/eph", [], {}, [str(tmp_path), "/nonexistent"])
        assert [one for one in found if one.startswith(str(tmp_path))] == [f"{tmp_path}/.netrc"]

    def test_what_is_below_something_hidden_is_not_named(self, tmp_path: Path) -> None:
        found = hidden_from_machines(str(tmp_path), [f"{tmp_path}/user"], {})
        assert [one for one in found if one.startswith(str(tmp_path))] == [str(tmp_path)]
