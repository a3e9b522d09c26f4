"""`ephemera deploy`, `releases`, `rollback` and `scale`, as a user has them."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from subprocess import CompletedProcess, Popen

import httpx2
import pytest

from ephemera import Client
from ephemera.cli.main import main
from ephemera.errors import NotFound
from ephemera.home import read_endpoint
from ephemera.testing.plugin import LEADS_ELSEWHERE
from tests.acceptance.command_line import CommandLine

#: A web application with nothing but the standard library.
SERVER = """
import http.server, os, time

SAYS = "one"

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(0.3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(SAYS.encode())
    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler)
server.serve_forever()  # SIGINT ends it in the middle of whatever it does
"""
TOML = """
app = "{app}"
[processes]
app = "{python} server.py"
[http_service]
internal_port = 8080
[[http_service.checks]]
method = "GET"
path = "/"
grace_period = "30s"
"""


def _keep_ours(signum: int, _: object) -> object:
    """Leave the signals of the test's process as they are."""
    return signal.getsignal(signum)


class Project:
    """A folder of source, and the command line in it."""

    def __init__(
        self, ephemera: CommandLine, folder: Path, app: str, python: str = sys.executable
    ) -> None:
        self._ephemera = ephemera
        self.folder = folder
        self.app = app
        self._python = python
        self.says("one")
        (folder / "deaf.py").write_text("import time; time.sleep(600)")
        self.file()

    def says(self, text: str) -> None:
        """Have the application answer something else."""
        (self.folder / "server.py").write_text(SERVER.replace('"one"', repr(text)))

    def file(self, more: str = "", **changed: str) -> None:
        """Have the `fly.toml` say more, or something else."""
        text = TOML.format(app=self.app, python=self._python)
        for before, after in changed.items():
            text = text.replace(before, after)
        (self.folder / "fly.toml").write_text(f"{text}\n{more}")

    def __call__(self, *arguments: str, code: int = 0) -> CompletedProcess[str]:
        """Run a command in the folder to its end.

        In this process, which has imported everything already: there are many of them.
        """
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in LEADS_ELSEWHERE:
                patch.delenv(name, raising=False)
            patch.setenv("EPHEMERA_HOME", str(self._ephemera.home))
            patch.setattr(sys, "argv", ["ephemera", *arguments])
            patch.setattr(signal, "signal", _keep_ours)
            patch.chdir(self.folder)
            with pytest.raises(SystemExit) as ended:
                main()
        status = ended.value.code or 0
        said = f"{arguments}\n{out.getvalue()}\n{err.getvalue()}\n{self._ephemera.log()}"
        assert status == code, said
        return CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Popen[str]]:
        """Start a command in the folder, and see to it that it does not outlive the block."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ephemera", *arguments],
            cwd=self.folder,
            env=self._ephemera.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def answer(self) -> str:
        """Return what the application answers through the proxy."""
        with self.browser() as browser:
            return browser.get("/").raise_for_status().text

    def browser(self) -> httpx2.Client:
        endpoint = read_endpoint(self._ephemera.home)
        assert endpoint
        headers = {"Host": f"{self.app}.localhost"}
        return httpx2.Client(
            base_url=endpoint.proxy_url, headers=headers, trust_env=False, timeout=20
        )

    def cut_short(self, signum: signal.Signals) -> tuple[int, str]:
        """Send a signal to a deploy that waits for a machine; return its status and what it said.

        What it says is read, not only after its end: a pipe holds no more than so much.
        """
        with self.running("deploy") as process:
            assert process.stderr
            for line in process.stderr:
                if "waiting for machine" in line:
                    process.send_signal(signum)
                    break
            said = process.stderr.read()
        return process.returncode, said


@pytest.fixture(scope="module")
def client(shared_client: Client) -> Client:
    return shared_client


@pytest.fixture
def project(shared: CommandLine, client: Client, tmp_path: Path) -> Iterator[Project]:
    """A project that was never deployed."""
    yield Project(shared, tmp_path, "shop")
    with suppress(NotFound):
        client.apps.delete("shop", force=True)


@pytest.fixture(scope="module")
def deployed(
    shared: CommandLine, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A project whose release serves, and answers `one`."""
    project = Project(shared, tmp_path_factory.mktemp("project"), "store")
    project("deploy")
    yield project
    client.apps.delete("store", force=True)


def test_an_app_is_deployed_and_deployed_again_with_no_request_lost(project: Project) -> None:
    first = project("deploy")
    assert first.stdout.startswith("http://shop.localhost:")
    assert "release v1 of shop runs" in first.stderr
    with asking(project) as answers:
        project.says("two")
        done = json.loads(project("deploy", "--json").stdout)
        (row,) = json.loads(project("scale", "count", "2", "--json").stdout)
        project.says("three")
        project("deploy")
    assert (done["app"], done["version"], done["strategy"]) == ("shop", 2, "rolling")
    assert (row["group"], row["count"], row["memory_mb"]) == ("app", 2, 256)
    assert set(answers) == {(200, "one"), (200, "two"), (200, "three")}
    project("rollback", "v2")
    assert project.answer() == "two"
    listed = project("releases").stdout.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [
        [f"v{version}", "succeeded"] for version in (4, 3, 2, 1)
    ]
    assert "rollback to v2" in listed[1]


@contextmanager
def asking(project: Project) -> Iterator[Counter[tuple[int | str, str]]]:
    """Ask the application all the while, and count what it answers."""
    answers: Counter[tuple[int | str, str]] = Counter()
    over = threading.Event()

    def ask(path: str) -> None:
        with project.browser() as browser:
            while not over.is_set():
                try:
                    said = browser.get(path)
                    answers[said.status_code, said.text] += 1
                except httpx2.HTTPError as error:
                    answers[type(error).__name__, str(error)] += 1
                over.wait(0.02)

    askers = [threading.Thread(target=ask, args=[path]) for path in ("/", "/slow")]
    for asker in askers:
        asker.start()
    try:
        yield answers
    finally:
        over.set()
        for asker in askers:
            asker.join()


def test_a_program_that_ends_is_no_release(deployed: Project) -> None:
    deployed.file(**{"server.py": "nothing.py"})
    said = deployed("deploy", code=1).stderr
    assert "ended by itself with exit code 2" in said
    assert "can't open file" in said, "its log is shown"
    assert deployed.answer() == "one"


def test_a_check_that_does_not_pass_is_named(deployed: Project) -> None:
    deployed.file(**{'"GET"': '"POST"'})
    said = deployed("deploy", "--wait-timeout", "1s", code=1).stderr
    assert "does not pass its checks" in said
    assert "501 Unsupported method" in said
    assert deployed.answer() == "one"


def test_a_port_that_nobody_listens_on_is_named(deployed: Project) -> None:
    deployed.file(**{"server.py": "deaf.py"})
    said = deployed("deploy", "--wait-timeout", "1s", code=1).stderr
    assert "is not listening on 0.0.0.0:" in said
    assert deployed.answer() == "one"


def test_a_release_command_that_fails_is_no_release(deployed: Project) -> None:
    deployed.file("[deploy]\nrelease_command = \"sh -c 'ls; exit 3'\"")
    said = deployed("deploy", code=1).stderr
    assert "  server.py" in said
    assert "the release command failed with exit code 3" in said
    machine = said.split("ephemera machine inspect ")[1].split("`")[0]
    assert "exit code 3" in deployed("machine", "inspect", machine).stdout
    assert deployed.answer() == "one"


def test_two_deploys_are_not_made_at_once(deployed: Project, client: Client) -> None:
    (machine,) = (one for one in client.machines.list("store") if one.state == "started")
    with client.leases.hold("store", machine.id, description="a deploy by nobody"):
        said = deployed("deploy", code=1).stderr
    assert "app 'store' is busy with a deploy by nobody" in said
    assert "--wait" in said


def test_a_deploy_that_is_interrupted_is_undone(deployed: Project) -> None:
    deployed.file(**{"server.py": "deaf.py"})
    status, said = deployed.cut_short(signal.SIGINT)
    assert status == 130
    assert "interrupted: going back" in said
    assert deployed.answer() == "one"
    found = json.loads(deployed("machine", "list", "--json").stdout)
    assert len([one for one in found if one["state"] == "started"]) == 1


def test_a_deploy_that_is_killed_is_put_right_by_the_next_one(
    deployed: Project, client: Client
) -> None:
    deployed.file(**{"server.py": "deaf.py"})
    deployed.cut_short(signal.SIGKILL)
    assert deployed.answer() == "one"
    for machine in client.machines.list("store", state="started"):
        lease = client.leases.get("store", machine.id)  # it would end by itself in 13 s
        client.leases.release("store", machine.id, lease.nonce)
    deployed.file()
    deployed.says("two")
    assert "was cut short: putting it right" in deployed("deploy").stderr
    assert deployed.answer() == "two"
    newest, killed, *_ = json.loads(deployed("releases", "--json").stdout)
    assert (newest["status"], killed["status"]) == ("succeeded", "interrupted")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("rollback",), "app not found"),
        (("deploy", "--region", "nowhere"), "no region 'nowhere'"),
    ],
)
def test_what_is_wrong_is_said(project: Project, arguments: tuple[str, ...], why: str) -> None:
    assert why in project(*arguments, code=1).stderr
