from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.drivers.base import BootSpec, GuestFile, GuestMount, Program
from ephemera.platform.drivers.container.starting import request
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.images import Image, ImageConfig

_FOLDER = BootFolder("/eph/machines/m1", 3)


def _spec(*command: str, **more: Any) -> BootSpec:
    return BootSpec("m1", 3, "app", "image", "local", command, **{"env": {}, **more})


def _image(**config: Any) -> Image:
    return Image("registry/app", "sha256:1", ("a", "b"), ImageConfig(**config))


def test_it_is_what_json_can_hold() -> None:
    spec = _spec(
        "true",
        files=[GuestFile("/f", b"\xff\0", 0o600)],
        mounts=[GuestMount("/data", "vol_1", "/eph/volumes/vol_1/data.img")],
        beside=[Program(["b"], {"B": "1"}, "me")],
    )
    found = json.loads(json.dumps(request(spec, _FOLDER, _image(), None)))
    assert found["do"] == "start"
    assert (found["machine"], found["boot"]) == _FOLDER
    assert found["layers"] == ["a", "b"]
    assert found["files"] == [{"guest_path": "/f", "content": "/wA=", "mode": 0o600}]
    assert found["mounts"][0]["volume"] == "vol_1"


@pytest.mark.parametrize(
    ("command", "after_entrypoint", "expected"),
    [
        ([], False, ["entry", "cmd"]),
        (["own"], False, ["own"]),
        (["own"], True, ["entry", "own"]),
    ],
)
def test_the_command_is_the_configs_or_the_images(
    command: list[str], after_entrypoint: bool, expected: list[str]
) -> None:
    image = _image(entrypoint=("entry",), cmd=("cmd",))
    spec = _spec(*command, after_entrypoint=after_entrypoint)
    assert request(spec, _FOLDER, image, None)["command"] == expected


def test_the_configs_variables_win_over_the_images() -> None:
    image = _image(env=("A=image", "B=image=with=more", "=nameless", "C"))
    env = request(_spec(env={"A": "config"}), _FOLDER, image, None)["env"]
    assert env == {"A": "config", "B": "image=with=more", "C": ""}


def test_of_the_servers_environment_only_what_finds_programs_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/here")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("FLY_API_TOKEN", "secret")
    found = request(_spec(), _FOLDER, None, None)
    assert found["host"]
    assert (found["env"]["PATH"], found["env"]["LC_ALL"]) == ("/here", "C")
    assert "secret" not in json.dumps(found)
    assert "PATH" not in request(_spec(), _FOLDER, _image(), None)["env"]


def test_users_and_folders_are_the_configs_or_the_images() -> None:
    image = _image(user="image", workdir="/image")
    beside = [Program(["b"], {}), Program(["c"], {}, "own")]
    found = request(_spec(beside=beside), _FOLDER, image, None)
    assert (found["user"], found["workdir"]) == ("image", "/image")
    assert [one["user"] for one in found["beside"]] == ["image", "own"]
    spec = _spec(beside=beside, user="config", env={"EPHEMERA_WORKDIR": "/config"})
    found = request(spec, _FOLDER, image, None)
    assert (found["user"], found["workdir"]) == ("config", "/config")
    assert [one["user"] for one in found["beside"]] == ["config", "own"]


def test_a_machine_without_a_network_is_told_of_none() -> None:
    found = request(_spec(), _FOLDER, _image(), None)
    assert (found["plug"], found["nameserver"]) == (None, "")
    found = request(_spec(api_socket=str(Path("/s/m1/api"))), _FOLDER, _image(), None)
    assert found["api_folder"] == "/s/m1"
