"""The server is killed with SIGKILL at every step of a machine's life, and started again.

What must hold each time: nothing that was answered is lost, no program is run twice, no exit goes
unseen, and nothing is left running once everything was destroyed.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.testing.machines_api import AppUnderTest, Subject
from ephemera.testing.serving import Server, serving

#: How many random lives are lived; each takes about two seconds.
_ROUNDS = int(os.environ.get("EPHEMERA_FAULT_ROUNDS", "15"))
_MARKER = "EPHEMERA_FAULT_TEST"
#: Long enough for a slow computer, and never waited for where all is well.
_PATIENCE_S = 60.0

needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")


class Life:
    """A platform, an app on it, and a folder in which programs write down that they began."""

    def __init__(self, server: Server, app: AppUnderTest, folder: Path) -> None:
        self.server = server
        self.app = app
        self.folder = folder
        self.marker = secrets.token_hex(8)

    def create(self, script: str, name: str, **config: Any) -> str:
        """Create a machine whose program notes each boot of it before it runs `script`."""
        noted = f"echo $$ >> {self.folder / name}; {script}"
        env = {_MARKER: self.marker}
        body = {"name": name, "config": self.app.config(["sh", "-c", noted], env=env, **config)}
        return str(self.app.post("/machines", json=body)["id"])

    def runs(self, script: str, name: str, **config: Any) -> str:
        """Create such a machine, and return its id once it is started and its boot is noted."""
        machine = self.create(script, name, **config)
        self.app.reaches(machine, "started")
        assert _eventually(lambda: bool(self.boots(name)))
        return machine

    def boots(self, name: str) -> list[int]:
        """Return the process ids that the boots of a machine have noted."""
        noted = self.folder / name
        return [int(line) for line in noted.read_text().split()] if noted.exists() else []

    def running(self) -> list[int]:
        """Return the ids of the living processes of this life's machines."""
        sign = f"{_MARKER}={self.marker}".encode()
        return [pid for pid in _pids() if sign in _environment(pid)]

    def crash(self) -> None:
        """Kill the server and start it again."""
        self.server.kill()
        self.server.restart()

    def destroy_everything(self) -> None:
        """Destroy all machines and hold the platform to it that nothing is left of them."""
        for machine in self.app.get("/machines"):
            path = f"/machines/{machine['id']}"
            self.app.ask("DELETE", f"{path}?force=true").raise_for_status()
            self.app.reaches(machine["id"], "destroyed")
        assert self.running() == []
        assert self.app.get("/machines") == []
        folders = self.server.home / "machines"
        ever = [one["id"] for one in self.app.get("/machines?include_deleted=true")]
        assert [path for machine in ever for path in folders.glob(f"{machine}/*")] == []


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").glob("[0-9]*"))


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""  # it has just ended, or is another user's


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture
def life(server: Server, tmp_path: Path) -> Iterator[Life]:
    if not server.alive:  # a test has failed in the middle
        server.restart()
    subject = Subject(server.endpoint.url, server.token)
    with subject.connect() as http, AppUnderTest.made(subject, http) as app:
        yield Life(server, app, tmp_path)


def _eventually(seen: Callable[[], bool]) -> bool:
    """Return whether it is seen before long. For what happens where no server runs to be asked."""
    deadline = time.monotonic() + _PATIENCE_S
    while not seen():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@needs_proc
class TestAfterEachAnswer:
    """The server dies as soon as it has answered."""

    def test_a_machine_that_was_just_created_starts_once(self, life: Life) -> None:
        for number in range(3):
            machine = life.create("exec sleep 600", f"fresh-{number}")
            life.crash()
            life.app.reaches(machine, "started")
        names = [f"fresh-{number}" for number in range(3)]
        assert _eventually(lambda: all(map(life.boots, names)))
        assert _eventually(lambda: len(life.running()) == 3)
        assert [len(life.boots(name)) for name in names] == [1] * 3
        life.destroy_everything()

    def test_a_running_machine_is_adopted_as_it_was(self, life: Life) -> None:
        machine = life.runs("exec sleep 600", "runs")
        before = life.app.get(f"/machines/{machine}")
        for _ in range(2):
            life.crash()
            assert life.app.get(f"/machines/{machine}") == before
        assert _eventually(lambda: life.running() == life.boots("runs"))
        assert len(life.boots("runs")) == 1
        life.destroy_everything()

    @pytest.mark.parametrize("code", [0, 77])
    def test_an_exit_while_no_server_runs_is_seen_with_its_code(
        self, life: Life, code: int
    ) -> None:
        go = life.folder / "go"
        os.mkfifo(go)
        machine = life.create(f"read line < {go}; exit {code}", "ends")
        life.app.reaches(machine, "started")
        life.server.kill()
        go.write_text("now\n")
        assert _eventually(lambda: not life.running())
        life.server.restart()
        life.app.reaches(machine, "stopped")
        ended = life.app.exit_of(machine)
        assert (ended["exit_code"], ended["signal"], ended["requested_stop"]) == (code, -1, False)
        assert len(life.boots("ends")) == 1

    def test_a_killed_program_is_seen_as_killed(self, life: Life) -> None:
        machine = life.runs("exec sleep 600", "shot")
        life.server.kill()
        os.kill(life.boots("shot")[0], signal.SIGKILL)
        assert _eventually(lambda: not life.running())
        life.server.restart()
        life.app.reaches(machine, "stopped")
        ended = life.app.exit_of(machine)
        assert (ended["exit_code"], ended["signal"]) == (137, 9)

    def test_a_stop_goes_on_with_its_grace(self, life: Life) -> None:
        script = "trap 'sleep 1; exit 5' TERM; while :; do sleep 0.02; done"
        machine = life.runs(script, "slow")
        stop = {"signal": "SIGTERM", "timeout": "30s"}
        life.app.post(f"/machines/{machine}/stop", json=stop)
        life.crash()
        life.app.reaches(machine, "stopped")
        ended = life.app.exit_of(machine)
        # 143 where the signal came before the shell had set its trap.
        assert ended["exit_code"] in (5, 143)
        assert ended["requested_stop"] is True

    def test_a_stop_that_is_ignored_ends_by_its_deadline(self, life: Life) -> None:
        ready = life.folder / "ready"
        machine = life.runs(f"trap '' TERM INT; : > {ready}; exec sleep 600", "deaf")
        assert _eventually(ready.exists)
        life.app.post(f"/machines/{machine}/stop", json={"timeout": "1s"})
        life.crash()
        life.app.reaches(machine, "stopped")
        assert life.running() == []
        assert life.app.exit_of(machine)["signal"] == 9

    def test_a_destroy_goes_on(self, life: Life) -> None:
        machine = life.runs("exec sleep 600", "leaves")
        life.app.ask("DELETE", f"/machines/{machine}?force=true").raise_for_status()
        life.crash()
        life.app.reaches(machine, "destroyed")
        assert life.running() == []
        assert life.app.get("/machines") == []

    def test_a_destroy_that_goes_on_invents_no_second_exit(self, life: Life) -> None:
        machines = [life.create("exit 7", f"ended-{number}") for number in range(8)]
        for machine in machines:
            life.app.reaches(machine, "stopped")
        for machine in machines:
            life.app.ask("DELETE", f"/machines/{machine}").raise_for_status()
        life.crash()
        for machine in machines:
            life.app.reaches(machine, "destroyed")
        assert [life.app.exit_of(machine)["exit_code"] for machine in machines] == [7] * 8

    def test_a_restart_goes_on(self, life: Life) -> None:
        machine = life.runs("exec sleep 600", "again")
        restart = threading.Thread(
            target=_try, args=(life.app, "POST", f"/machines/{machine}/restart?timeout=5")
        )
        restart.start()
        life.crash()
        restart.join()
        life.app.reaches(machine, "started")
        assert _eventually(lambda: life.running() == life.boots("again")[-1:] != [])
        assert len(life.boots("again")) <= 2
        life.destroy_everything()

    def test_a_machine_that_destroys_itself_does_so(self, life: Life) -> None:
        go = life.folder / "go"
        os.mkfifo(go)
        machine = life.create(f"read line < {go}", "mayfly", auto_destroy=True)
        life.app.reaches(machine, "started")
        life.server.kill()
        go.write_text("now\n")
        assert _eventually(lambda: not life.running())
        life.server.restart()
        life.app.reaches(machine, "destroyed")
        assert life.app.get("/machines") == []

    def test_a_program_whose_policy_says_so_is_started_again(self, life: Life) -> None:
        go = life.folder / "go"
        os.mkfifo(go)
        restart = {"policy": "on-failure", "max_retries": 1}
        machine = life.create(f"read line < {go}; exit 3", "twice", restart=restart)
        life.app.reaches(machine, "started")
        life.server.kill()
        go.write_text("now\n")
        assert _eventually(lambda: not life.running())
        life.server.restart()
        assert _eventually(lambda: len(life.boots("twice")) == 2)
        go.write_text("now\n")
        life.app.reaches(machine, "stopped")
        assert len(life.boots("twice")) == 2

    def test_what_was_written_down_is_still_there(self, life: Life) -> None:
        machine = life.runs("echo printed before; exec sleep 600", "keeps")
        path = f"/machines/{machine}"
        life.app.ask("POST", f"{path}/metadata/colour", json={"value": "blue"}).raise_for_status()
        lease = life.app.post(f"{path}/lease", json={"ttl": 600})["data"]
        logs = f"/api/v1/apps/{life.app.name}/logs?instance={machine}"
        assert _eventually(lambda: "printed before" in life.app.http.get(logs).text)
        lines, events = life.app.http.get(logs).json(), life.app.get(f"{path}/events")
        life.crash()
        assert life.app.get(f"{path}/metadata") == {"colour": "blue"}
        assert life.app.get(f"{path}/lease")["data"] == lease
        assert life.app.get(f"{path}/events") == events
        assert life.app.http.get(logs).json() == lines
        assert life.app.ask("POST", f"{path}/stop").status_code == 409

    def test_lines_printed_while_no_server_runs_are_not_lost(self, life: Life) -> None:
        go = life.folder / "go"
        os.mkfifo(go)
        machine = life.create(f"read line < {go}; seq 100", "talks")
        life.app.reaches(machine, "started")
        life.server.kill()
        go.write_text("now\n")
        assert _eventually(lambda: not life.running())
        life.server.restart()
        life.app.reaches(machine, "stopped")
        logs = f"/api/v1/apps/{life.app.name}/logs?instance={machine}"
        lines = [line["attributes"] for line in life.app.http.get(logs).json()["data"]]
        printed = [one["message"] for one in lines if one["meta"]["event"]["provider"] == "app"]
        assert printed == [str(number) for number in range(1, 101)][: len(printed)]
        assert printed


def _try(app: AppUnderTest, method: str, path: str, **more: Any) -> httpx2.Response | None:
    """Return the answer, or None where the server died before it answered."""
    try:
        return app.ask(method, path, **more)
    except httpx2.TransportError:
        return None


class _Asker(threading.Thread):
    """Lives a machine's life through the API for as long as somebody answers."""

    def __init__(self, life: Life, number: int, rng: random.Random) -> None:
        super().__init__()
        self._life = life
        self._name = f"m{number}"
        self._chance = rng.random()
        self._code = rng.choice([0, 1, 42])
        #: What was answered last; a server that comes back must know of it.
        self.answered = ""
        self.machine = ""

    def run(self) -> None:
        """Create, wait, stop, destroy: each only when the last was answered."""
        app, ends = self._life.app, self._chance < 0.4
        script = f"exit {self._code}" if ends else "exec sleep 600"
        noted = f"echo $$ >> {self._life.folder / self._name}; {script}"
        env = {_MARKER: self._life.marker}
        config = app.config(["sh", "-c", noted], env=env)
        created = _try(app, "POST", "/machines", json={"name": self._name, "config": config})
        if created is None:
            return
        assert created.status_code == 200, created.text
        self.machine, self.answered = created.json()["id"], "created"
        path = f"/machines/{self.machine}"
        steps = [("GET", f"{path}/wait?state={'stopped' if ends else 'started'}", "waited")]
        if self._chance > 0.6:
            steps.append(("POST", f"{path}/stop", "stopped"))
        if self._chance > 0.8 or self._chance < 0.2:
            steps.append(("DELETE", f"{path}?force=true", "destroyed"))
        for method, where, word in steps:
            answer = _try(app, method, where)
            if answer is None or not answer.is_success:
                return
            self.answered = word


@needs_proc
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(_ROUNDS))
def test_a_server_killed_at_any_moment_loses_and_doubles_nothing(life: Life, seed: int) -> None:
    rng = random.Random(seed)
    askers = [_Asker(life, number, rng) for number in range(6)]
    for asker in askers:
        asker.start()
    # The moment of death is what is random here; nothing is waited for.
    time.sleep(rng.uniform(0.0, 0.25))
    life.server.kill()
    for asker in askers:
        asker.join()
    life.server.restart()
    known = {one["id"] for one in life.app.get("/machines?include_deleted=true")}
    assert {asker.machine for asker in askers if asker.machine} <= known
    for asker in askers:
        _check(life, asker)
    life.destroy_everything()


def _check(life: Life, asker: _Asker) -> None:
    """Hold the platform to what it answered this asker, and to one boot and one exit at most."""
    if not asker.machine:
        return
    # The next step may have been taken too, without an answer.
    wanted = {"stopped": "stopped,destroyed", "destroyed": "destroyed"}.get(
        asker.answered, "settled"
    )
    life.app.reaches(asker.machine, wanted)
    read = life.app.get(f"/machines/{asker.machine}")
    boots = life.boots(read["name"])
    exits = [event["request"]["exit_event"] for event in read["events"] if event["type"] == "exit"]
    told = [(event["type"], event["status"], event.get("request")) for event in read["events"]]
    assert len(boots) <= 1, f"it ran {len(boots)} times: {told}"
    assert len(exits) <= 1, f"it ended {len(exits)} times: {told}"
    if read["state"] == "stopped":
        assert len(exits) == 1, f"nobody saw it end: {told}"
