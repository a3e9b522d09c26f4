"""The config of a machine: what comes back of it, what is refused, and what its programs see."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused

#: Parts that are kept wherever nothing is started, whatever runs the machines.
_KEPT: dict[str, Any] = {
    "env": {"A": "1"},
    "restart": {"policy": "on-failure", "max_retries": 3},
    "auto_destroy": True,
    "stop_config": {"signal": "SIGTERM", "timeout": "10s"},
    "metadata": {"k": "v"},
    "services": [
        {
            "protocol": "tcp",
            "internal_port": 8080,
            "autostart": True,
            "min_machines_running": 0,
            "concurrency": {"type": "requests", "soft_limit": 20, "hard_limit": 25},
            "ports": [{"port": 443, "handlers": ["tls", "http"]}],
        }
    ],
    "checks": {"alive": {"type": "tcp", "port": 8080, "interval": "15s", "timeout": "2s"}},
    "metrics": {"port": 9091, "path": "/metrics"},
}


class ConfigContract(Contract):
    """What is answered of a config, and which ones are refused."""

    def _resting(self, app: AppUnderTest, **config: Any) -> dict[str, Any]:
        """Return the config of a machine that was not started, as it is read."""
        whole = app.config(app.subject.programs.exits(0), **config)
        machine = app.post("/machines", json={"config": whole, "skip_launch": True})
        return dict(app.get(f"/machines/{machine['id']}")["config"])

    def test_what_was_sent_is_read_again(self, app: AppUnderTest) -> None:
        kept = self._resting(app, **_KEPT)
        for field, value in _KEPT.items():
            assert kept[field] == value, field

    def test_empty_parts_are_accepted(self, app: AppUnderTest) -> None:
        empty: dict[str, Any] = {"env": {}, "services": None, "checks": {}, "files": []}
        more: dict[str, Any] = {
            "mounts": [],
            "processes": [],
            "metadata": None,
            "dns": {},
            "guest": None,
        }
        assert self._resting(app, **empty, **more)["guest"]["memory_mb"] == 256

    def test_a_config_that_was_read_can_be_written_back(self, app: AppUnderTest) -> None:
        machine = app.ended(**{**_KEPT, "auto_destroy": False, "restart": {"policy": "no"}})
        config = app.get(f"/machines/{machine}")["config"]
        again = app.post(f"/machines/{machine}", json={"config": config, "skip_launch": True})
        assert again["config"] == config

    @pytest.mark.parametrize(
        ("sent", "known_as"),
        [("off", False), (False, False), ("stop", True), (True, True), ("suspend", "suspend")],
    )
    def test_autostop_is_read_in_both_forms(
        self, app: AppUnderTest, sent: object, known_as: object
    ) -> None:
        service = {"protocol": "tcp", "internal_port": 80, "autostop": sent}
        (kept,) = self._resting(app, services=[service])["services"]
        assert kept.get("autostop", False) == known_as

    @pytest.mark.parametrize("timeout", ["20s", "0m20s", 20_000_000_000])
    def test_durations_are_read_in_every_form(self, app: AppUnderTest, timeout: str | int) -> None:
        assert self._resting(app, stop_config={"timeout": timeout})["stop_config"]["timeout"]

    @pytest.mark.parametrize("schedule", ["hourly", "daily", "weekly", "monthly"])
    def test_a_schedule_is_kept(self, app: AppUnderTest, schedule: str) -> None:
        assert self._resting(app, schedule=schedule)["schedule"] == schedule

    @pytest.mark.parametrize("size", ["shared-cpu-1x", "shared-cpu-2x"])
    def test_a_named_size_is_understood(self, app: AppUnderTest, size: str) -> None:
        config = app.config(app.subject.programs.exits(0), guest=None, size=size)
        machine = app.post("/machines", json={"config": config, "skip_launch": True})
        assert machine["config"]["guest"]["cpus"] == int(size[-2])

    @pytest.mark.parametrize(
        "config",
        [
            {"schedule": "fortnightly"},
            {"schedule": 5},
            {"env": {"A": 1}},
            {"env": ["A=1"]},
            {"init": {"exec": "a text"}},
            {"init": []},
            {"guest": {"cpu_kind": "tiny"}},
            {"guest": {"cpus": "2"}},
            {"guest": {"cpus": 3, "memory_mb": 768}},
            {"guest": {"cpus": 1, "memory_mb": 128}},
            {"guest": {"cpus": 1, "memory_mb": 300}},
            {"guest": {"cpu_kind": "performance", "cpus": 8, "memory_mb": 8192}},
            {"size": "enormous"},
            {"restart": {"policy": "maybe"}},
            {"restart": {"max_retries": "many"}},
            {"stop_config": {"signal": "SIGNOTHING"}},
            {"stop_config": {"timeout": "-1s"}},
            {"metadata": {"k": 1}},
            {"mounts": [{"volume": "a", "path": "/a"}, {"volume": "b", "path": "/b"}]},
            {"mounts": {}},
            {"services": [{"internal_port": 70_000, "protocol": "tcp"}]},
            {"services": [{"internal_port": "http", "protocol": "tcp"}]},
            {"services": [{"internal_port": 80, "protocol": "smoke"}]},
            {
                "services": [
                    {
                        "internal_port": 80,
                        "protocol": "tcp",
                        "ports": [{"port": 99_999, "handlers": ["http"]}],
                    }
                ]
            },
            {"checks": {"a": {"type": "sniff", "port": 80}}},
            {"checks": {"a": {"type": "tcp", "port": 80, "interval": "often"}}},
            {"checks": []},
            {"standbys": ["0" * 14]},
            {"standbys": "0" * 14},
            {"processes": [{"cmd": "a text"}]},
            {"files": [{"raw_value": "aGk="}]},
            {"files": [{"guest_path": "/a", "raw_value": "aGk=", "mode": "rw"}]},
        ],
    )
    def test_a_config_that_cannot_be_is_refused_and_makes_nothing(
        self, app: AppUnderTest, config: dict[str, Any]
    ) -> None:
        whole = {**app.config(app.subject.programs.runs), **config}
        refused(app.ask("POST", "/machines", json={"config": whole}), 400, 422)
        assert app.get("/machines") == []

    def test_a_wrong_update_leaves_the_machine_as_it_was(self, app: AppUnderTest) -> None:
        machine = app.running()
        before = app.get(f"/machines/{machine}")
        wrong = app.config(app.subject.programs.runs, guest={"cpus": 3})
        refused(app.ask("POST", f"/machines/{machine}", json={"config": wrong}), 400, 422)
        after = app.get(f"/machines/{machine}")
        assert after["instance_id"] == before["instance_id"]
        assert after["config"] == before["config"]
        assert after["state"] == "started"


class ChecksContract(Contract):
    """The results of checks in the machine."""

    def test_a_machine_without_checks_has_no_results(self, app: AppUnderTest) -> None:
        assert not app.get(f"/machines/{app.running()}").get("checks")

    def test_each_check_has_a_result_with_its_name(self, app: AppUnderTest) -> None:
        machine = app.running(
            checks={"alive": {"type": "tcp", "port": 1, "interval": "15s", "timeout": "1s"}},
            services=[
                {
                    "protocol": "tcp",
                    "internal_port": 1,
                    "checks": [{"type": "http", "interval": "15s", "timeout": "1s"}],
                }
            ],
        )
        results = app.get(f"/machines/{machine}")["checks"]
        named = {one["name"]: one for one in results}
        assert {"alive", "servicecheck-00-http-1"} <= set(named)
        for one in named.values():
            assert one["status"] in ("critical", "warning")
            assert isinstance(one.get("output", ""), str)
            assert one["updated_at"]

    def test_a_summary_has_no_results(self, app: AppUnderTest) -> None:
        app.running(checks={"alive": {"type": "tcp", "port": 1}})
        (machine,) = app.get("/machines", params={"summary": "true"})
        assert not machine.get("checks")


class StandbysContract(Contract):
    """Machines that stand by for others."""

    def test_a_standby_is_created_at_rest(self, app: AppUnderTest) -> None:
        watched = app.running()
        standby = app.created_and("stopped", app.subject.programs.runs, standbys=[watched])
        read = app.get(f"/machines/{standby}")
        assert read["config"]["standbys"] == [watched]
        assert [(one["type"], one["status"]) for one in read["events"]] == [("launch", "created")]

    def test_a_standby_can_be_started_by_hand(self, app: AppUnderTest) -> None:
        standby = app.created_and("stopped", app.subject.programs.runs, standbys=[app.running()])
        app.post(f"/machines/{standby}/start")
        app.reaches(standby, "started")

    def test_a_standby_has_no_services(self, app: AppUnderTest) -> None:
        services = [{"protocol": "tcp", "internal_port": 80}]
        config = app.config(app.subject.programs.runs, standbys=[app.running()], services=services)
        refused(app.ask("POST", "/machines", json={"config": config}), 400, 422)

    def test_nobody_stands_by_for_a_machine_of_another_app(self, app: AppUnderTest) -> None:
        with AppUnderTest.made(app.subject, app.http) as other:
            config = app.config(app.subject.programs.runs, standbys=[other.running()])
            refused(app.ask("POST", "/machines", json={"config": config}), 400, 404, 422)
        assert app.get("/machines") == []


class ConfigProgramsContract(Contract):
    """What programs find of their config. For subjects whose machines have a POSIX shell."""

    def _printed(
        self, app: AppUnderTest, script: str, process: dict[str, Any], **config: Any
    ) -> list[str]:
        """Return the lines that a script prints beside the one process of a machine."""
        processes = [{**process, "exec": ["sleep", "600"]}]
        whole = {**app.config([]), "init": {}, "processes": processes, **config}
        machine = app.post("/machines", json={"config": whole})["id"]
        app.reaches(machine, "started")
        body = {"command": ["sh", "-c", script], "timeout": 10}
        return str(app.post(f"/machines/{machine}/exec", json=body)["stdout"]).splitlines()

    def test_a_process_runs_in_the_place_of_init(self, app: AppUnderTest) -> None:
        config = {
            **app.config(["sh", "-c", "exit 1"]),
            "processes": [{"entrypoint": ["sh", "-c"], "cmd": ["exit 7"]}],
        }
        machine = app.post("/machines", json={"config": config})["id"]
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["exit_code"] == 7

    def test_a_machine_ends_when_any_of_its_processes_does(self, app: AppUnderTest) -> None:
        config = {
            **app.config([]),
            "init": {},
            "processes": [{"cmd": ["sleep", "600"]}, {"cmd": ["sh", "-c", "exit 5"]}],
        }
        answer = app.ask("POST", "/machines", json={"config": config})
        if not answer.is_success:  # whoever runs the machine may not be able to
            assert "processes" in refused(answer, 400, 422)
            return
        machine = answer.json()["id"]
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["exit_code"] == 5

    def test_a_process_knows_the_machine_by_env_from(self, app: AppUnderTest) -> None:
        fields = ("id", "version", "app_name", "region", "private_ip", "image")
        env_from = [{"env_var": f"MY_{one.upper()}", "field_ref": one} for one in fields]
        script = "echo $MY_ID; echo $MY_VERSION; echo $MY_APP_NAME; echo $MY_REGION; echo $OWN"
        process = {"env_from": env_from, "env": {"OWN": "mine"}}
        said = self._printed(app, script, process, env={"OWN": "everybody's"})
        (machine,) = app.get("/machines")
        known = (machine["id"], machine["instance_id"], app.name, machine["region"], "mine")
        assert said == list(known)

    def test_a_process_may_see_only_the_secrets_that_it_names(self, app: AppUnderTest) -> None:
        answered(app.ask("POST", "/secrets", json={"values": {"ONE": "1", "TWO": "2"}}))
        process = {
            "ignore_app_secrets": True,
            "secrets": [{"env_var": "ONE"}, {"env_var": "OTHER", "name": "TWO"}],
        }
        said = self._printed(app, 'echo "$ONE|$TWO|$OTHER"', process)
        assert said == ["1||2"]

    def test_a_file_may_be_a_secret(self, app: AppUnderTest) -> None:
        value = base64.b64encode(b"the key\n").decode()
        answered(app.ask("POST", "/secrets", json={"values": {"KEY": value}}))
        files = [{"guest_path": "/run/contract/key", "secret_name": "KEY", "mode": 0o600}]
        config = app.config(
            ["sh", "-c", 'test "$(cat "$0")" = "the key" && exit 9', "/run/contract/key"],
            files=files,
        )
        machine = app.post("/machines", json={"config": config})["id"]
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["exit_code"] == 9

    def test_a_file_of_a_secret_that_there_is_not_starts_nothing(self, app: AppUnderTest) -> None:
        files = [{"guest_path": "/run/contract/key", "secret_name": "NOT_THERE"}]
        config = app.config(["sh", "-c", "exit 0"], files=files)
        answer = app.ask("POST", "/machines", json={"config": config})
        if not answer.is_success:
            refused(answer, 400, 412, 422)
            return
        machine = answer.json()["id"]
        app.reaches(machine, "settled")
        assert app.state(machine) in ("failed", "stopped")
