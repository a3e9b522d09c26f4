from __future__ import annotations

import base64
from typing import Any

import pytest

from ephemera.platform import configs
from ephemera.platform.drivers.base import Capabilities
from ephemera.platform.refusals import Refusal
from ephemera.wire.models import MachineConfig

HOST_ONLY = Capabilities(
    images=frozenset({"host"}),
    enforces_limits=False,
    private_network=False,
    suspends=False,
    mounts=False,
)


def _checked(**config: Any) -> dict[str, Any]:
    return configs.checked(MachineConfig.model_validate(config), HOST_ONLY, "process")


def test_defaults_are_filled_in_and_the_rest_is_kept() -> None:
    assert _checked(image="host", env={"A": "1"}, new_in_2030=True) == {
        "image": "host",
        "env": {"A": "1"},
        "new_in_2030": True,
        "init": {},
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
    }


def test_memory_follows_the_cpus_when_it_is_not_given() -> None:
    assert _checked(image="host", guest={"cpus": 4})["guest"]["memory_mb"] == 1024
    guest = {"cpu_kind": "performance", "cpus": 2}
    assert _checked(image="host", guest=guest)["guest"]["memory_mb"] == 4096


def test_a_named_size_is_understood() -> None:
    guest = _checked(image="host", size="performance-2x")["guest"]
    assert guest == {"cpu_kind": "performance", "cpus": 2, "memory_mb": 4096}


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({}, "config.image"),
        ({"image": "ubuntu"}, "'ubuntu'"),
        ({"image": "host", "guest": {"cpus": 3}}, "guest.cpus 3"),
        ({"image": "host", "guest": {"cpu_kind": "tiny"}}, "guest.cpu_kind 'tiny'"),
        ({"image": "host", "guest": {"memory_mb": 300}}, "guest.memory_mb 300"),
        ({"image": "host", "guest": {"memory_mb": 4096}}, "guest.memory_mb 4096"),
        ({"image": "host", "size": "huge"}, "config.size 'huge'"),
        ({"image": "host", "env": {"A=B": "1"}}, "'A=B'"),
        ({"image": "host", "env": {"A": "\0"}}, "'A'"),
        ({"image": "host", "init": {"cmd": ["a\0b"]}}, "NUL"),
        ({"image": "host", "schedule": "hourly"}, "config.schedule"),
        ({"image": "host", "mounts": [{"volume": "v"}]}, "config.mounts"),
        ({"image": "host", "processes": [{"cmd": ["a"]}]}, "config.processes"),
        ({"image": "host", "containers": [{"name": "a"}]}, "config.containers"),
        ({"image": "host", "init": {"tty": True}}, "config.init.tty"),
        ({"image": "host", "restart": {"policy": "spot-price"}}, "spot-price"),
        ({"image": "host", "stop_config": {"timeout": "301s"}}, "cannot exceed 5 minutes"),
        ({"image": "host", "files": [{"guest_path": "a", "raw_value": ""}]}, "'a'"),
        ({"image": "host", "files": [{"guest_path": "/../a", "raw_value": ""}]}, "'/../a'"),
        ({"image": "host", "files": [{"guest_path": "/a", "raw_value": "%"}]}, "base64"),
        ({"image": "host", "files": [{"guest_path": "/a"}]}, "raw_value"),
        ({"image": "host", "files": [{"guest_path": "/a", "secret_name": "s"}]}, "secret_name"),
    ],
)
def test_a_config_that_cannot_be_honoured_is_refused_by_name(
    config: dict[str, Any], named: str
) -> None:
    with pytest.raises(Refusal) as caught:
        _checked(**config)
    assert caught.value.status == 400
    assert named in caught.value.error


def test_empty_values_of_what_is_not_there_yet_are_accepted() -> None:
    stored = _checked(image="host", mounts=[], processes=[], schedule="", standbys=None)
    assert stored["mounts"] == []


def test_files_are_decoded() -> None:
    raw = base64.b64encode(b"hello").decode()
    config = MachineConfig.model_validate(
        {"files": [{"guest_path": "/a/b", "raw_value": raw, "mode": 0o600}]}
    )
    (file,) = configs.guest_files(config)
    assert (file.guest_path, file.content, file.mode) == ("/a/b", b"hello", 0o600)


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        (None, []),
        ({}, []),
        ({"cmd": ["b"]}, ["b"]),
        ({"entrypoint": ["a"], "cmd": ["b"]}, ["a", "b"]),
        ({"exec": ["x", "y"], "entrypoint": ["a"], "cmd": ["b"]}, ["x", "y"]),
    ],
)
def test_exec_overrides_everything(init: dict[str, Any] | None, expected: list[str]) -> None:
    assert configs.command(MachineConfig.model_validate({"init": init})) == expected


@pytest.mark.parametrize(
    ("image", "registry", "repository", "tag", "digest"),
    [
        ("host", "", "host", "", ""),
        ("ubuntu:24.04", "", "ubuntu", "24.04", ""),
        ("library/ubuntu", "", "library/ubuntu", "", ""),
        ("registry.fly.io/app:d-1", "registry.fly.io", "app", "d-1", ""),
        ("localhost:5000/a/b", "localhost:5000", "a/b", "", ""),
        ("ghcr.io/a@sha256:ab", "ghcr.io", "a", "", "sha256:ab"),
    ],
)
def test_an_image_reference_is_taken_apart(
    image: str, registry: str, repository: str, tag: str, digest: str
) -> None:
    assert configs.image_ref(image) == {
        "registry": registry,
        "repository": repository,
        "tag": tag,
        "digest": digest,
    }
