from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.platform.drivers.container.pins import Pins

_ARGS = ("m1", "version-1", "registry/app:latest")


def test_a_version_keeps_the_image_that_it_found_first(tmp_path: Path) -> None:
    pins = Pins(tmp_path)
    assert pins.read(*_ARGS) == ""
    pins.write(*_ARGS, "sha256:a")
    for again in (pins, Pins(tmp_path)):  # another server reads the same
        assert again.read(*_ARGS) == "sha256:a"
        assert again.digests() == {"sha256:a"}


def test_another_version_or_reference_has_none_yet(tmp_path: Path) -> None:
    pins = Pins(tmp_path)
    pins.write(*_ARGS, "sha256:a")
    assert pins.read("m1", "version-2", _ARGS[2]) == ""
    assert pins.read("m1", "version-1", "registry/other") == ""
    pins.write("m1", "version-2", _ARGS[2], "sha256:b")
    assert pins.read(*_ARGS) == ""
    assert Pins(tmp_path).digests() == {"sha256:b"}


def test_a_machine_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    pins = Pins(tmp_path)
    pins.write(*_ARGS, "sha256:a")
    (tmp_path / "m1" / "image.json").unlink()
    pins.forget("m1")
    pins.forget("unknown")
    assert pins.read(*_ARGS) == ""
    assert pins.digests() == set()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "v"}', "null"])
def test_a_pin_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "m1").mkdir()
    (tmp_path / "m1" / "image.json").write_text(text)
    assert Pins(tmp_path).read(*_ARGS) == ""
    assert Pins(tmp_path).digests() == set()


def test_files_beside_machines_and_no_folder_at_all_are_fine(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert Pins(tmp_path).digests() == set()
    assert Pins(tmp_path / "gone").digests() == set()
