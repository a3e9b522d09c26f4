"""The program of a machine, seen from outside (`exec`, `signal`) and from inside."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, refused


class ExecContract(Contract):
    """`exec` and `signal`, on any kind of machine."""

    def test_a_command_tells_what_it_printed_and_how_it_ended(self, app: AppUnderTest) -> None:
        machine = app.running()
        command = app.subject.programs.prints(["one", "two"])
        said = app.post(f"/machines/{machine}/exec", json={"command": command, "timeout": 10})
        assert said["exit_code"] == 0
        assert said.get("exit_signal", 0) == 0
        assert said["stdout"] == "one\ntwo\n"

    def test_a_command_that_fails_is_a_success_of_the_call(self, app: AppUnderTest) -> None:
        command = app.subject.programs.exits(3)
        said = app.post(f"/machines/{app.running()}/exec", json={"command": command})
        assert said["exit_code"] == 3

    def test_a_command_reads_the_input_that_was_sent(self, app: AppUnderTest) -> None:
        body = {"command": app.subject.programs.copies_input, "stdin": "ünïcode\n"}
        assert app.post(f"/machines/{app.running()}/exec", json=body)["stdout"] == "ünïcode\n"

    def test_a_command_that_takes_too_long_is_ended(self, app: AppUnderTest) -> None:
        body = {"command": app.subject.programs.runs, "timeout": 1}
        why = refused(app.ask("POST", f"/machines/{app.running()}/exec", json=body), 408)
        assert why.startswith("deadline_exceeded")

    def test_a_command_that_is_not_there_is_refused(self, app: AppUnderTest) -> None:
        machine = app.running()
        body = {"command": app.subject.programs.not_found}
        answer = app.ask("POST", f"/machines/{machine}/exec", json=body)
        assert answer.is_success or refused(answer, 400, 412, 422)
        if answer.is_success:
            assert answer.json()["exit_code"] != 0
        assert app.state(machine) == "started"

    def test_nothing_is_executed_in_a_stopped_machine(self, app: AppUnderTest) -> None:
        body = {"command": app.subject.programs.exits(0)}
        refused(app.ask("POST", f"/machines/{app.ended()}/exec", json=body), 400, 409, 412)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"command": []},
            {"command": "a text"},
            {"command": [1]},
            {"command": ["x"], "timeout": "soon"},
            {"command": ["x"], "timeout": -1},
            {"command": ["x"], "stdin": 1},
            {"cmd": ["x"]},
            {"cmd": ""},
            [],
        ],
    )
    def test_an_exec_of_nonsense_is_refused(self, app: AppUnderTest, body: Any) -> None:
        refused(app.ask("POST", f"/machines/{app.running()}/exec", json=body), 400)

    @pytest.mark.parametrize(
        ("signal", "number"), [("SIGKILL", 9), (9, 9), ("SIGTERM", 15), ("SIGUSR1", 10)]
    )
    def test_a_signal_is_sent_by_name_or_by_number(
        self, app: AppUnderTest, signal: str | int, number: int
    ) -> None:
        machine = app.running()
        assert app.post(f"/machines/{machine}/signal", json={"signal": signal}) == {"ok": True}
        app.reaches(machine, "stopped")
        ended = app.exit_of(machine)
        assert (ended["exit_code"], ended["signal"]) == (128 + number, number)
        assert ended["requested_stop"] is False

    @pytest.mark.parametrize(
        "body", [{}, {"signal": "SIGNOTHING"}, {"signal": None}, {"signal": 0}, {"signal": 999}, []]
    )
    def test_a_signal_that_is_none_is_refused(self, app: AppUnderTest, body: Any) -> None:
        machine = app.running()
        refused(app.ask("POST", f"/machines/{machine}/signal", json=body), 400)
        assert app.state(machine) == "started"

    def test_a_stopped_machine_takes_no_signal(self, app: AppUnderTest) -> None:
        answer = app.ask("POST", f"/machines/{app.ended()}/signal", json={"signal": "SIGTERM"})
        assert answer.is_success or refused(answer, 400, 409, 412)


class RealProgramsContract(Contract):
    """What a program finds in its machine. For subjects whose machines have a POSIX shell."""

    def _output(self, app: AppUnderTest, script: str, **config: Any) -> str:
        machine = app.running(**config)
        body = {"command": ["sh", "-c", script]}
        return str(app.post(f"/machines/{machine}/exec", json=body)["stdout"])

    def test_it_finds_its_environment_and_who_it_is(self, app: AppUnderTest) -> None:
        machine = app.running(env={"COLOUR": "dark blue"}, metadata={"fly_process_group": "jobs"})
        read = app.get(f"/machines/{machine}")
        script = (
            'echo "$COLOUR|$FLY_APP_NAME|$FLY_MACHINE_ID|$FLY_ALLOC_ID|$FLY_REGION'
            '|$FLY_MACHINE_VERSION|$FLY_VM_MEMORY_MB|$FLY_PROCESS_GROUP"'
        )
        body = {"command": ["sh", "-c", script]}
        said = app.post(f"/machines/{machine}/exec", json=body)["stdout"]
        assert said.strip().split("|") == [
            *("dark blue", app.name, machine, machine, read["region"]),
            *(read["instance_id"], str(read["config"]["guest"]["memory_mb"]), "jobs"),
        ]

    def test_it_finds_the_files_that_were_sent_along(self, app: AppUnderTest) -> None:
        content = bytes(range(256)) * 16
        sent = {"guest_path": "/run/contract/bytes", "mode": 0o640}
        config = app.config(
            ["sh", "-c", "cksum < /run/contract/bytes; sleep 600"],
            files=[{**sent, "raw_value": base64.b64encode(content).decode()}],
        )
        answer = app.ask("POST", "/machines", json={"config": config})
        if not answer.is_success:
            refused(answer, 400, 422)

    def test_entrypoint_and_cmd_are_joined(self, app: AppUnderTest) -> None:
        init = {"entrypoint": ["sh", "-c", 'exit "$1"', "name"], "cmd": ["23"]}
        machine = app.post("/machines", json={"config": {**app.config([]), "init": init}})["id"]
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["exit_code"] == 23

    def test_a_deprecated_exec_text_is_taken_apart_as_a_shell_would(
        self, app: AppUnderTest
    ) -> None:
        body = {"cmd": "printf '%s-%s' 'a b' c", "timeout": 10}
        assert app.post(f"/machines/{app.running()}/exec", json=body)["stdout"] == "a b-c"

    def test_output_on_both_streams_is_told_apart(self, app: AppUnderTest) -> None:
        body = {"command": ["sh", "-c", "echo out; echo err >&2; exit 4"]}
        said = app.post(f"/machines/{app.running()}/exec", json=body)
        assert (said["stdout"], said["stderr"], said["exit_code"]) == ("out\n", "err\n", 4)

    def test_a_command_that_a_signal_ended_says_which(self, app: AppUnderTest) -> None:
        body = {"command": ["sh", "-c", "kill -TERM $$"]}
        said = app.post(f"/machines/{app.running()}/exec", json=body)
        assert said["exit_signal"] == 15

    def test_bytes_that_are_no_text_do_not_break_the_answer(self, app: AppUnderTest) -> None:
        assert self._output(app, r"printf 'a\377\000b'").startswith("a")

    def test_a_program_that_handles_the_stop_ends_with_its_own_code(
        self, app: AppUnderTest
    ) -> None:
        script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"
        machine = app.created_and("started", ["sh", "-c", script])
        app.post(f"/machines/{machine}/stop", json={"signal": "SIGTERM", "timeout": "20s"})
        app.reaches(machine, "stopped")
        # The signal may come before the shell has set its trap.
        assert app.exit_of(machine)["exit_code"] in (5, 143)

    def test_children_end_with_their_program(self, app: AppUnderTest) -> None:
        machine = app.created_and("started", ["sh", "-c", "sleep 601 & exec sleep 602"])
        app.post(f"/machines/{machine}/stop", json={"signal": "SIGKILL"})
        app.reaches(machine, "stopped")
        assert app.state(machine) == "stopped"
