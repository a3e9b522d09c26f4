"""What one boot of a machine is made of."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.drivers.base import BootSpec
from ephemera.platform.edge import networks
from ephemera.platform.machines import boots
from ephemera.platform.machines.boots import Reach
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.platform.states import State

APP = AppRecord("app0", "demo", "personal", "", 0.0)
SECRETS = {"TOKEN": "s3cret", "WHO": "a secret"}


def _spec(secrets: dict[str, str] = SECRETS, *, private: bool = False, **config: Any) -> BootSpec:
    whole = {"image": "host", "init": {}, "guest": {"cpus": 1, "memory_mb": 256}, **config}
    machine = MachineRecord(
        id="m0", app_id="app0", name="n", state=State.STARTING, generation=1, region="local",
        instance_id="01V", config=whole, launch=False, boot=3, handle="", stop_signal=None,
        stop_by=None, restarts=[], log_from="", created_at=0.0, updated_at=0.0,
    )  # fmt: skip
    reach = Reach(
        "http://here", "/home", lambda machine_id: f"/api/{machine_id}/api", lambda: private
    )
    return boots.spec(APP, machine, reach, "/logs", secrets)


def test_a_program_is_told_who_it_is() -> None:
    env = _spec(metadata={"fly_process_group": "web"}).env
    assert env["FLY_APP_NAME"] == "demo"
    assert env["FLY_MACHINE_ID"] == env["FLY_ALLOC_ID"] == "m0"
    assert env["FLY_MACHINE_VERSION"] == "01V"
    assert env["FLY_IMAGE_REF"] == "host"
    assert env["FLY_PROCESS_GROUP"] == "web"
    assert env["FLY_VM_MEMORY_MB"] == "256"
    assert env["FLY_REGION"] == env["PRIMARY_REGION"] == "local"
    assert env["FLY_PRIVATE_IP"] == boots.LOOPBACK


def test_a_program_without_a_private_network_finds_the_api_by_its_environment() -> None:
    spec = _spec()
    assert spec.env["FLY_FLAPS_BASE_URL"] == "http://here"
    assert spec.env["EPHEMERA_HOME"] == "/home"
    assert spec.env["EPHEMERA_API_SOCKET"] == spec.api_socket == "/api/m0/api"
    assert (spec.network, spec.address) == ("", "")


def test_a_program_with_a_private_network_finds_everything_as_on_fly() -> None:
    spec = _spec(private=True)
    address = networks.machine_address(APP, "m0")
    assert spec.env["FLY_PRIVATE_IP"] == spec.env["FLY_PUBLIC_IP"] == spec.address == address
    assert spec.env["FLY_FLAPS_BASE_URL"] == "http://_api.internal:4280"
    assert spec.env["EPHEMERA_API_SOCKET"] == "/.fly/api"
    assert "EPHEMERA_HOME" not in spec.env
    assert spec.network == str(networks.of_app(APP))
    assert spec.api_socket == "/api/m0/api"


def test_a_boot_may_reach_out_if_its_app_may() -> None:
    assert _spec().outside


def test_what_the_config_says_wins_over_secrets_and_these_over_the_platform() -> None:
    env = _spec({**SECRETS, "FLY_REGION": "of a secret"}, env={"WHO": "the config"}).env
    assert env["TOKEN"] == "s3cret"
    assert env["FLY_REGION"] == "of a secret"
    assert env["WHO"] == "the config"


def test_a_process_has_the_environment_of_the_machine_and_its_own_on_top() -> None:
    process = {
        "cmd": ["main"],
        "env": {"A": "of the process"},
        "env_from": [
            {"env_var": field.upper(), "field_ref": field}
            for field in ("id", "version", "app_name", "private_ip", "region", "image")
        ],
        "secrets": [{"env_var": "RENAMED", "name": "TOKEN"}],
    }
    env = _spec(env={"A": "of the machine", "B": "of the machine"}, processes=[process]).env
    assert (env["A"], env["B"]) == ("of the process", "of the machine")
    assert (env["RENAMED"], env["TOKEN"]) == ("s3cret", "s3cret")
    assert (env["ID"], env["VERSION"], env["APP_NAME"]) == ("m0", "01V", "demo")
    assert (env["REGION"], env["IMAGE"]) == ("local", "host")
    assert env["PRIVATE_IP"] == boots.LOOPBACK


def test_a_process_may_see_only_the_secrets_that_it_names() -> None:
    process = {"cmd": ["main"], "ignore_app_secrets": True, "secrets": [{"env_var": "TOKEN"}]}
    env = _spec(processes=[process]).env
    assert env["TOKEN"] == "s3cret"
    assert "WHO" not in env


def test_the_other_processes_run_beside_the_first_each_with_its_environment() -> None:
    spec = _spec(
        env={"A": "1"},
        processes=[
            {"cmd": ["main"], "env": {"ONLY": "main"}},
            {"entrypoint": ["b"], "cmd": ["c"], "env": {"A": "2"}},
            {"exec": ["d"], "ignore_app_secrets": True},
        ],
    )
    assert spec.command == ["main"]
    assert [program.command for program in spec.beside] == [["b", "c"], ["d"]]
    second, third = (program.env for program in spec.beside)
    assert (second["A"], second["TOKEN"], second.get("ONLY")) == ("2", "s3cret", None)
    assert (third["A"], third.get("TOKEN")) == ("1", None)


def test_a_machine_without_processes_runs_one_program() -> None:
    spec = _spec(init={"exec": ["a"]}, processes=[])
    assert (spec.command, list(spec.beside)) == (["a"], [])


def test_a_boot_without_the_secret_it_wants_fails_and_says_which() -> None:
    processes = [{"cmd": ["a"]}, {"cmd": ["b"], "secrets": [{"env_var": "X", "name": "GONE"}]}]
    with pytest.raises(BootFailed, match=r"config.processes\[1\].secrets\[0\].*'GONE'"):
        _spec(processes=processes)


def test_a_file_is_made_of_a_secret() -> None:
    secrets = {"KEY": base64.b64encode(b"pem").decode()}
    (file,) = _spec(secrets, files=[{"guest_path": "/k", "secret_name": "KEY", "mode": 256}]).files
    assert (file.content, file.mode) == (b"pem", 0o400)
