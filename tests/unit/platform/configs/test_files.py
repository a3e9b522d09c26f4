from __future__ import annotations

import base64
from typing import Any

import pytest

from ephemera.errors import BootFailed
from ephemera.platform import configs
from ephemera.platform.drivers.base import GuestFile
from ephemera.wire.config import MachineConfig

from .accepting import checked, refusal

HELLO = base64.b64encode(b"hello").decode()


def guest_files(*files: dict[str, Any], secrets: dict[str, str] | None = None) -> list[GuestFile]:
    config = MachineConfig.model_validate({"files": list(files)})
    return configs.guest_files(config, secrets or {})


def test_files_are_decoded() -> None:
    (file,) = guest_files({"guest_path": "/a/b", "raw_value": HELLO, "mode": 0o600})
    assert file == GuestFile("/a/b", b"hello", 0o600)


def test_a_file_is_the_base64_that_a_secret_holds() -> None:
    checked(files=[{"guest_path": "/a", "secret_name": "KEY"}])
    (file,) = guest_files({"guest_path": "/a", "secret_name": "KEY"}, secrets={"KEY": HELLO})
    assert file == GuestFile("/a", b"hello", 0o644)


def test_a_secret_that_is_not_there_fails_the_boot() -> None:
    with pytest.raises(BootFailed, match="there is no secret 'KEY'"):
        guest_files({"guest_path": "/a", "secret_name": "KEY"})


def test_a_secret_that_is_not_base64_fails_the_boot_and_is_not_shown() -> None:
    with pytest.raises(BootFailed, match="secret 'KEY' is not base64") as caught:
        guest_files({"guest_path": "/a", "secret_name": "KEY"}, secrets={"KEY": "pa$$word"})
    assert "pa$$" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ([{"guest_path": "a", "raw_value": ""}], "config.files[0].guest_path 'a'"),
        ([{"guest_path": "/", "raw_value": ""}], "guest_path '/'"),
        ([{"guest_path": "/a/", "raw_value": ""}], "guest_path '/a/'"),
        ([{"guest_path": "/../a", "raw_value": ""}], "guest_path '/../a'"),
        ([{"guest_path": "/a\0", "raw_value": ""}], "guest_path '/a\\x00'"),
        ([{"guest_path": "/a\nb", "raw_value": ""}], "guest_path '/a\\nb'"),
        ([{"guest_path": "/" + "x" * 256, "raw_value": ""}], "longer than a path can be"),
        ([{"guest_path": "/" + "x/" * 2048 + "x", "raw_value": ""}], "longer than a path can be"),
        ([{"guest_path": "/a", "raw_value": "%"}], "config.files[0].raw_value is not base64"),
        ([{"guest_path": "/a"}], "config.files[0] needs one of raw_value, secret_name"),
        ([{"guest_path": "/a", "raw_value": "", "secret_name": "b"}], "config.files[0] needs one"),
        ([{"guest_path": "/a", "secret_name": "b\n"}], "config.files[0].secret_name 'b\\n'"),
        ([{"guest_path": "/a", "raw_value": "", "mode": -1}], "config.files[0].mode -1"),
        ([{"guest_path": "/a", "raw_value": "", "mode": 0o10000}], "config.files[0].mode 4096"),
        ([{"guest_path": "/a", "raw_value": ""}] * 2, "config.files[1].guest_path '/a' is there"),
        (
            [{"guest_path": "/a", "raw_value": ""}, {"guest_path": "/a/b", "raw_value": ""}],
            "'/a' cannot be a file beside '/a/b'",
        ),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(files: list[dict[str, Any]], named: str) -> None:
    assert named in refusal(files=files)
