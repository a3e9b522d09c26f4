from __future__ import annotations

from typing import Any

import pytest

from ephemera.platform import configs
from ephemera.wire.config import MachineConfig

from .accepting import checked, refusal


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
    process = {"processes": [init or {}], "init": {}}
    assert configs.command(MachineConfig.model_validate(process)) == expected


def test_the_first_process_is_the_main_program_and_the_others_run_beside_it() -> None:
    config = MachineConfig.model_validate(
        {
            "init": {"exec": ["init"]},
            "processes": [{"cmd": ["main"]}, {"entrypoint": ["b"], "cmd": ["c"]}],
        }
    )
    assert configs.command(config) == ["main"]
    assert [words for _, words in configs.commands_beside(config)] == [["b", "c"]]


def test_a_first_process_without_a_command_runs_what_init_says() -> None:
    config = {"init": {"exec": ["init"]}, "processes": [{"env": {"A": "1"}}]}
    checked(**config)
    assert configs.command(MachineConfig.model_validate(config)) == ["init"]


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"env": {"A=B": "1"}}, "config.env 'A=B'"),
        ({"env": {"": "1"}}, "config.env ''"),
        ({"env": {"A\n": "1"}}, "config.env 'A\\n'"),
        ({"env": {"A": "\0"}}, "config.env 'A'"),
        ({"env": {"A": "x" * 131_072}}, "config.env 'A' is longer"),
        ({"init": {"cmd": ["a\0b"]}}, "config.init.cmd[0] 'a\\x00b' holds a NUL"),
        ({"init": {"exec": ["a", "x" * 131_072]}}, "config.init.exec[1]"),
        ({"init": {"swap_size_mb": -1}}, "config.init.swap_size_mb -1 is not from 0"),
        ({"stop_config": {"timeout": "301s"}}, "cannot exceed 5 minutes"),
        ({"stop_config": {"timeout": 10**18}}, "cannot exceed 5 minutes"),
        ({"processes": [{"cmd": ["a"]}, {}]}, "config.processes[1] needs exec"),
        ({"processes": [{"cmd": ["a"]}] * 33}, "config.processes holds 33"),
        ({"processes": [{"env": {"=": "1"}}]}, "config.processes[0].env '='"),
        ({"processes": [{"env_from": [{"env_var": "A"}]}]}, "env_from[0].field_ref is required"),
        (
            {"processes": [{"env_from": [{"env_var": "A", "field_ref": "token"}]}]},
            "config.processes[0].env_from[0].field_ref 'token' is not one of id, version",
        ),
        ({"processes": [{"env_from": [{"field_ref": "id"}]}]}, "env_from[0].env_var is required"),
        ({"processes": [{"secrets": [{"env_var": "1A"}]}]}, "secrets[0].env_var '1A'"),
        ({"processes": [{"user": "a\nb"}]}, "config.processes[0].user 'a\\nb'"),
    ],
)
def test_what_cannot_be_run_is_refused(config: dict[str, Any], named: str) -> None:
    assert named in refusal(**config)
