from __future__ import annotations

from pathlib import Path

from ephemera.platform.drivers.container.setup import hidden_from_machines, mounted_beside

_LINE = "{number} 1 0:{number} / {place} rw,relatime shared:1 - {kind} source rw"


def _mounts(*mounts: tuple[str, str]) -> list[str]:
    return [
        _LINE.format(number=number, place=place, kind=kind)
        for number, (place, kind) in enumerate(mounts, start=20)
    ]


def test_what_is_hidden_is_named_once_by_the_outermost(tmp_path: Path) -> None:
    home = str(tmp_path / ".ssh" / "state")
    hidden = hidden_from_machines(home, [str(tmp_path)], {})
    assert f"{tmp_path}/.ssh" in hidden
    assert home not in hidden  # it is below what is not there
    assert "/etc/shadow" in hidden
    assert hidden == sorted(set(hidden))


def test_secrets_that_the_environment_says_are_elsewhere_are_hidden_there(tmp_path: Path) -> None:
    environ = {"KUBECONFIG": f"{tmp_path}/kube", "DOCKER_CONFIG": "relative", "OTHER": "/other"}
    hidden = hidden_from_machines("/state", [], environ)
    assert f"{tmp_path}/kube" in hidden
    assert not any("relative" in one or one == "/other" for one in hidden)


def test_a_folder_that_is_a_link_is_hidden_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    hidden = hidden_from_machines("/state", [f"{tmp_path}/link"], {})
    assert f"{tmp_path}/real/.ssh" in hidden
    assert f"{tmp_path}/link/.ssh" not in hidden


def test_file_systems_of_this_computer_are_seen_and_no_others(tmp_path: Path) -> None:
    data, inside, state = tmp_path / "data", tmp_path / "data/inside", tmp_path / "state"
    spaced = tmp_path / "with space"
    for one in (data, inside, state, spaced):
        one.mkdir()
    mounts = _mounts(
        ("/", "ext4"),
        (str(inside), "xfs"),
        (str(data), "ext4"),
        (str(spaced).replace(" ", "\\040"), "btrfs"),
        (str(state), "ext4"),
        ("/proc", "proc"),
        ("/mnt", "ext4"),
        (f"{tmp_path}/gone", "ext4"),
        (str(data), "tmpfs"),
    )
    assert mounted_beside(str(state), mounts) == sorted(map(str, (data, inside, spaced)))
