"""A project that is deployed by the command line, and those who ask its application."""

from __future__ import annotations

import io
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess, Popen
from types import SimpleNamespace

import httpx2
import pytest

from ephemera.cli.main import main
from ephemera.deploy.release import watching
from ephemera.deploy.release.health import Finding, judge
from ephemera.home import read_endpoint
from ephemera.testing.plugin import LEADS_ELSEWHERE
from ephemera.wire.models import Machine
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

    def running(self, *arguments: str) -> AbstractContextManager[Popen[str]]:
        """Start a command in the folder, and see to it that it does not outlive the block."""
        return self._ephemera.running(*arguments, folder=self.folder)

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


@contextmanager
def asking(project: Project) -> Iterator[Counter[tuple[int | str, str]]]:
    """Ask the application all the while, before and after too, and count what it answers."""
    answers: Counter[tuple[int | str, str]] = Counter()
    over = threading.Event()

    def ask(browser: httpx2.Client, path: str) -> None:
        try:
            said = browser.get(path)
            answers[said.status_code, said.text] += 1
        except httpx2.HTTPError as error:
            answers[type(error).__name__, str(error)] += 1

    def ask_on(path: str) -> None:
        with project.browser() as browser:
            while not over.is_set():
                ask(browser, path)
                over.wait(0.02)

    askers = [threading.Thread(target=ask_on, args=[path]) for path in ("/", "/slow")]
    with project.browser() as browser:
        ask(browser, "/")
    for asker in askers:
        asker.start()
    try:
        yield answers
    finally:
        over.set()
        for asker in askers:
            asker.join()
    with project.browser() as browser:
        ask(browser, "/")


@contextmanager
def patience_ends_when(said: str) -> Iterator[None]:
    """Have the time of a machine be over once it is known to be so, however long that takes."""
    known = threading.Event()

    def judged(machine: Machine, since: str) -> Finding:
        finding = judge(machine, since)
        if said in finding.why:
            known.set()
        return finding

    def now() -> float:
        return time.monotonic() + 3600 * known.is_set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "judge", judged)
        patch.setattr(watching, "time", SimpleNamespace(monotonic=now, sleep=time.sleep))
        yield
