from __future__ import annotations

from ephemera.platform.drivers.process.environment import environment


def test_only_what_programs_need_comes_from_the_server() -> None:
    server = {"PATH": "/bin", "LC_ALL": "C", "FLY_API_TOKEN": "secret", "PYTHONPATH": "/x"}
    assert environment(server, {}, "/f") == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "EPHEMERA_FILES": "/f",
    }


def test_the_machine_wins() -> None:
    assert environment({"PATH": "/bin"}, {"PATH": "/mine", "X": "1"}, "/f") == {
        "PATH": "/mine",
        "X": "1",
        "EPHEMERA_FILES": "/f",
    }


def test_the_mark_of_the_boot_cannot_be_forged() -> None:
    assert environment({}, {"EPHEMERA_FILES": "/other"}, "/f") == {"EPHEMERA_FILES": "/f"}
