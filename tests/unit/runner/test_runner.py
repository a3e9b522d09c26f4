"""The runner as a program of its own, against a listener that writes down what it hears."""

from __future__ import annotations

import ast
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ephemera.runner import runner

SOURCE = Path(runner.__file__)

#: For a task that is ended at its deadline and is to have begun by then, however busy the computer
#: is; seconds.
_TIME_TO_BEGIN_S = 5.0

TASKS = """
import os, sys, time

SIGTERM = 15  # what the task itself imports would be taken for ours

def add(a, b=2):
    print("adding")
    return a + b

def boom():
    raise ValueError("no way")

def leave(code):
    sys.exit(code)

def unwritable():
    return {"a": [1, {2}]}

def endless():
    value = []
    value.append(value)
    return value

class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no words")

def raises_speechless():
    raise Speechless

def leaves_speechless():
    sys.exit(Speechless())

def model():
    from django.contrib.contenttypes.models import ContentType
    return ContentType._meta.label

def huge():
    return "x" * 1_000_001

async def later(a):
    return a

def wait():
    # in pieces: a signal that comes just before a sleep is seen after it
    for _ in range(600):
        time.sleep(0.1)

def forever():
    try:
        print("ready", flush=True)
        wait()
    finally:
        print("tidied up", flush=True)

def stubborn():
    try:
        print("ready", flush=True)
        wait()
    except SystemExit:
        return "done anyway"

def interrupted_twice():
    try:
        os.kill(os.getpid(), SIGTERM)
    finally:
        os.kill(os.getpid(), SIGTERM)
        print("tidied up", flush=True)

def goes_on():
    try:
        os.kill(os.getpid(), SIGTERM)
    except SystemExit:
        time.sleep(60)

class Hit(Exception):
    def __str__(self):
        os.kill(os.getpid(), SIGTERM)
        return "hit"

def hit_when_reported():
    raise Hit

def modules():
    return list(sys.modules)

def has_the_main_thread():
    import threading
    return threading.current_thread() is threading.main_thread()

def fills_the_disk():
    import resource
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))  # no file may have a byte more
    print("ready", flush=True)
    return 3

def closes_its_streams():
    sys.stdout.close()
    sys.stderr.close()
    return 3

def loses_its_streams():
    sys.stdout = sys.stderr = None
    return 3

def closes_its_descriptors():
    print("never seen", end="")
    os.close(1)
    os.close(2)
    return 3

def fails_without_streams():
    closes_its_streams()
    raise ValueError("no")

def leaves_without_streams():
    closes_its_streams()
    sys.exit("no")

def paths():
    return [sys.path[0], os.getcwd(), "runner" in sys.modules]
"""


class Listener(ThreadingHTTPServer):
    """Takes reports; answers with the given statuses in turn, then with 204."""

    daemon_threads = True

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.statuses: list[int] = []
        #: Set when something was heard.
        self.anything = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def last(self) -> dict[str, Any]:
        """What was said last of the task's end: on a slow computer that it started comes later."""
        signs_of_life = ("started", "heartbeat")
        return [report for report in self.heard if report["kind"] not in signs_of_life][-1]


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        if status == 204:
            self.server.heard.append(json.loads(body))
            self.server.anything.set()
        self.server.tokens.append(self.headers["Authorization"])
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listener
        listener.shutdown()
        thread.join()


class Machine:
    """A folder with a task and its payload."""

    def __init__(self, folder: Path, listener: Listener | None) -> None:
        self.folder = folder
        self.listener = listener
        (folder / "tasks.py").write_text(TASKS)

    def payload(self, name: str, *args: Any, **changes: Any) -> list[str]:
        port = self.listener.server_port if self.listener else 0
        where = {"host": "127.0.0.1", "port": port, "path": "/reports/s/a", "tls": False}
        payload = {
            "task": {"module": "tasks", "qualname": name, "file": ""},
            "args": args,
            "kwargs": {},
            "path": [],
            "listener": {**where, "token": "secret"} if self.listener else None,
            "timeout_s": 60,
            "patience_s": 20,
            **changes,
        }
        path = self.folder / "payload.json"
        path.write_text(json.dumps(payload))
        return [sys.executable, str(SOURCE), str(path)]

    def run(self, name: str, *args: Any, **changes: Any) -> subprocess.CompletedProcess[str]:
        command = self.payload(name, *args, **changes)
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=30)

    def start(self, name: str, **changes: Any) -> subprocess.Popen[str]:
        """Start it and return when the task runs. What it complains of goes to the file `log`."""
        command = self.payload(name, **changes)
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def last(self) -> dict[str, Any]:
        """Return the last report, once it is there to be fetched."""
        reports: dict[str, dict[str, Any]] = {}
        while "2-last" not in reports:
            reports = self.pull("1-started")  # on a slow computer there is that one too
        return reports["2-last"]

    def pull(self, *taken: str, wait: float = 15) -> dict[str, dict[str, Any]]:
        payload = str(self.folder / "payload.json")
        command = [sys.executable, str(SOURCE), "--pull", payload, str(wait), *taken]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        lines = (line.split(" ", 1) for line in out.splitlines())
        return {name: json.loads(body) for name, body in lines}


@pytest.fixture
def machine(tmp_path: Path, listener: Listener) -> Machine:
    return Machine(tmp_path, listener)


@pytest.fixture
def lonely(tmp_path: Path) -> Machine:
    """A machine that can call nobody."""
    return Machine(tmp_path, None)


def test_the_runner_imports_nothing_but_the_standard_library() -> None:
    names = set()
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert names <= sys.stdlib_module_names


def test_a_short_task_waits_for_no_module_that_takes_long(
    machine: Machine, listener: Listener
) -> None:
    machine.run("modules")
    program = "import sys; print(*sys.modules)"
    bare = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    heavy = {"enum", "functools", "json", "re", "signal", "socket", "threading", "typing"}
    assert heavy & set(listener.last["value"]) <= set(bare.stdout.split())


def test_a_task_finds_the_main_thread_where_it_expects_it(
    machine: Machine, listener: Listener
) -> None:
    machine.run("has_the_main_thread")
    assert listener.last["value"] is True


def test_a_result_is_reported_and_the_program_exits_with_0(
    machine: Machine, listener: Listener
) -> None:
    ran = machine.run("add", 1)
    assert (ran.returncode, ran.stdout) == (0, "adding\n")
    assert listener.last == {"kind": "result", "value": 3, "interrupted": ""}
    assert set(listener.tokens) == {"Bearer secret"}


def test_nothing_of_a_delivered_report_is_left_for_fetching(machine: Machine) -> None:
    machine.run("add", 1)
    assert machine.pull(wait=0).get("2-last") is None


def test_an_exception_is_reported_with_its_traceback_and_exit_code_1(
    machine: Machine, listener: Listener
) -> None:
    ran = machine.run("boom")
    assert ran.returncode == 1
    last = listener.last
    assert (last["kind"], last["type"], last["message"]) == ("error", "ValueError", "no way")
    assert last["traceback"].splitlines()[1].endswith("in boom")
    assert "ValueError: no way" in ran.stderr


@pytest.mark.parametrize(("code", "expected"), [(4, 4), (0, 0), (None, 0), ("bad", 1), (300, 44)])
def test_sys_exit_is_reported_with_its_code(
    machine: Machine, listener: Listener, code: object, expected: int
) -> None:
    ran = machine.run("leave", code)
    assert ran.returncode == expected
    assert (listener.last["kind"], listener.last["exit_code"]) == ("exit", expected)


def test_a_result_that_is_not_json_is_an_error_that_names_the_place(
    machine: Machine, listener: Listener
) -> None:
    ran = machine.run("unwritable")
    assert ran.returncode == 1
    assert "the result['a'][1] is of type set" in ran.stderr
    last = listener.last
    assert last["type"] == "ResultNotJSON"
    assert last["message"] == "the result['a'][1] is of type set, which JSON does not have"


def test_a_result_that_contains_itself_is_an_error(machine: Machine, listener: Listener) -> None:
    machine.run("endless")
    assert listener.last["type"] == "ResultNotJSON"
    assert "contains itself" in listener.last["message"]


@pytest.mark.parametrize("name", ["raises_speechless", "leaves_speechless"])
def test_an_exception_that_cannot_say_what_it_is_costs_no_report(
    machine: Machine, listener: Listener, name: str
) -> None:
    assert machine.run(name).returncode == 1
    assert listener.last["message"] == "<tasks.Speechless str() failed>"


def test_a_task_of_a_django_project_can_import_its_models(
    machine: Machine, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    applications = "INSTALLED_APPS = ['django.contrib.contenttypes']\n"
    (machine.folder / "shop_settings.py").write_text(applications)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop_settings")
    machine.run("model")
    assert listener.last["value"] == "contenttypes.ContentType"


def test_a_result_that_is_too_large_is_an_error(machine: Machine, listener: Listener) -> None:
    machine.run("huge")
    assert listener.last["type"] == "ResultTooLarge"


def test_a_coroutine_function_is_run_to_its_end(machine: Machine, listener: Listener) -> None:
    machine.run("later", 5)
    assert listener.last["value"] == 5


def test_a_task_that_cannot_be_imported_is_an_error(machine: Machine, listener: Listener) -> None:
    machine.run("add", task={"module": "nosuch", "qualname": "f", "file": ""})
    assert listener.last["type"] == "ModuleNotFoundError"


def test_a_script_is_loaded_without_its_main_part(
    machine: Machine, listener: Listener, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text("def f(): return __name__\nif __name__ == '__main__': print('main part')\n")
    task = {"module": "__ephemera_main__", "qualname": "f", "file": str(script)}
    assert machine.run("f", task=task).stdout == ""
    assert listener.last["value"] == "__ephemera_main__"


def test_the_folder_of_the_runner_is_not_importable(machine: Machine, listener: Listener) -> None:
    machine.run("paths")
    assert listener.last["value"][0] == str(machine.folder)


def test_the_given_import_path_is_used_as_it_is(
    machine: Machine, listener: Listener, tmp_path: Path
) -> None:
    path = [str(tmp_path), *[entry for entry in sys.path if entry]]
    machine.run("paths", path=path)
    assert listener.last["value"][0] == str(tmp_path)


def test_sigterm_lets_the_task_tidy_up(machine: Machine, listener: Listener) -> None:
    process = machine.start("forever")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (143, "tidied up\n")
    last = listener.last
    assert (last["kind"], last["interrupted"]) == ("exit", "stop")


def test_a_second_sigterm_does_not_break_off_the_tidying_up(
    machine: Machine, listener: Listener
) -> None:
    ran = machine.run("interrupted_twice")
    assert (ran.returncode, ran.stdout) == (143, "tidied up\n")
    assert (listener.last["kind"], listener.last["interrupted"]) == ("exit", "stop")


def test_a_task_that_goes_on_after_sigterm_is_ended_at_its_deadline(
    machine: Machine, listener: Listener
) -> None:
    assert machine.run("goes_on", timeout_s=_TIME_TO_BEGIN_S).returncode == 143
    assert (listener.last["kind"], listener.last["interrupted"]) == ("exit", "stop")


def test_a_sigterm_after_the_end_of_the_task_costs_no_report(
    machine: Machine, listener: Listener
) -> None:
    machine.run("hit_when_reported")
    last = listener.last
    assert (last["kind"], last["type"], last["message"]) == ("error", "Hit", "hit")


def test_a_result_in_spite_of_sigterm_is_a_result(machine: Machine, listener: Listener) -> None:
    process = machine.start("stubborn")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    last = listener.last
    assert (last["kind"], last["value"], last["interrupted"]) == ("result", "done anyway", "")


def test_a_task_is_ended_at_its_deadline(machine: Machine, listener: Listener) -> None:
    process = machine.start("forever", timeout_s=_TIME_TO_BEGIN_S)
    out, _ = process.communicate(timeout=30)
    assert out == "tidied up\n"
    assert listener.last["interrupted"] == "deadline"


def test_a_longer_task_is_reported_as_started_first(machine: Machine, listener: Listener) -> None:
    process = machine.start("forever")
    assert listener.anything.wait(30)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    kinds = [report["kind"] for report in listener.heard]
    assert (kinds[0], kinds[-1]) == ("started", "exit")


def test_a_report_is_sent_again_until_it_is_taken(machine: Machine, listener: Listener) -> None:
    listener.statuses = [500, 404]
    assert machine.run("add", 1).returncode == 0
    assert [report["kind"] for report in listener.heard if report["kind"] != "started"] == [
        "result"
    ]


@pytest.mark.parametrize("status", sorted(runner.REFUSED))
def test_a_refused_report_is_not_sent_again(
    machine: Machine, listener: Listener, status: int
) -> None:
    listener.statuses = [status] * 5
    ran = machine.run("add", 1)
    assert ran.returncode == 0
    assert f"refused ({status})" in ran.stderr
    assert listener.heard == []


def test_a_report_that_nobody_takes_is_given_up(lonely: Machine) -> None:
    ran = lonely.run("add", 1, patience_s=0.2)
    assert "nobody took the report" in ran.stderr
    assert lonely.pull(wait=0)["2-last"]["value"] == 3


def test_a_fetched_report_ends_the_program(lonely: Machine) -> None:
    command = lonely.payload("add", 1)
    process = subprocess.Popen(
        command, cwd=lonely.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert lonely.last()["value"] == 3
    assert process.poll() is None, "it waits until it is told that the report is safe"
    lonely.pull("2-last", wait=0)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_a_report_that_the_disk_has_no_room_for_is_sent_all_the_same(
    machine: Machine, listener: Listener
) -> None:
    listener.statuses = [503]
    ran = machine.run("fills_the_disk")
    assert ran.returncode == 0
    assert listener.last["value"] == 3
    assert "the report cannot be written down: " in ran.stderr


def test_a_report_is_written_down_as_soon_as_there_is_room(lonely: Machine) -> None:
    process = lonely.start("fills_the_disk")
    most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    assert lonely.last()["value"] == 3
    lonely.pull("2-last", wait=0)
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    "name", ["closes_its_streams", "loses_its_streams", "closes_its_descriptors"]
)
def test_a_task_that_takes_the_streams_away_has_its_result(
    machine: Machine, listener: Listener, name: str
) -> None:
    assert machine.run(name).returncode == 0
    assert (listener.last["kind"], listener.last["value"]) == ("result", 3)


@pytest.mark.parametrize(
    ("name", "kind"), [("fails_without_streams", "error"), ("leaves_without_streams", "exit")]
)
def test_a_task_that_takes_the_streams_away_and_fails_is_reported(
    machine: Machine, listener: Listener, name: str, kind: str
) -> None:
    assert machine.run(name).returncode == 1
    assert (listener.last["kind"], listener.last["message"]) == (kind, "no")


def test_fetching_cannot_remove_what_is_not_a_report(lonely: Machine) -> None:
    lonely.run("add", 1, patience_s=0)
    lonely.pull("../payload.json", wait=0)
    assert (lonely.folder / "payload.json").exists()


@pytest.mark.parametrize("module", ["_json", "_json_that_we_do_not_know"])
@pytest.mark.parametrize(
    "value",
    [{"a": [1, -2.5e300, True, None, (), {}], 'ü\n"\\': "\ud800 \U0001f600"}, "", 0, [], [[[]]]],
)
def test_json_is_what_the_json_module_makes_of_it(
    monkeypatch: pytest.MonkeyPatch, module: str, value: object
) -> None:
    if module != "_json":
        monkeypatch.setitem(sys.modules, "_json", ModuleType("_json"))
    text = runner.write_json(value)
    assert text == json.dumps(value)
    assert runner.read_json(text) == json.loads(text)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([1, 2.5, "a", None, True, (1,), {"a": {}}], ""),
        (float("inf"), "x is inf, which JSON does not have"),
        ({"a": {1: 2}}, "x['a'] has a key of type int, 1"),
        ([object], "x[0] is of type type, which JSON does not have"),
        (os, "x is of type module, which JSON does not have"),
    ],
)
def test_why_not_json_names_the_place(value: object, why: str) -> None:
    assert runner.why_not_json(value, "x") == why
