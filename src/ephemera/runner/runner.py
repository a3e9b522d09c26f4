"""Runs one task in its machine and reports how it went.

This file is sent into the machine as it is and started as
`python runner.py payload.json`. It uses the standard library only, and of that what Python has
loaded anyway or has in C: what a short task waits for is mostly imports. Where Python names such a
module with an underscore, the module that is documented is the same one with more around it.

```
started ──► heartbeat ... ──► result | error | exit
```

Every report but the heartbeat is written to the `reports` folder beside the payload, if the disk
has room, and then sent to the report URL. The last one is sent until it is accepted, refused for
good, or fetched from outside with `python runner.py --pull payload.json`; then the program ends.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

TYPE_CHECKING = False  # importing `typing` for it would take 4 ms
if TYPE_CHECKING:
    import _socket
    import signal
    from collections.abc import Callable, Iterator
    from typing import Any
else:
    import _signal as signal  # without the enums around it

#: Of a result, as JSON. Reports are also fetched through `exec`, whose output is cut at 1 MiB.
RESULT_MAX_BYTES = 1_000_000
#: Of a message or a traceback: the end of it is kept.
TEXT_MAX_CHARS = 20_000
#: A task that is over sooner is not reported as started first: its result says so.
STARTED_AFTER_S = 0.05
HEARTBEAT_S = 10.0
#: Between the signal at the deadline and the end of the program.
GRACE_S = 10.0
#: How long one report may take to send.
SEND_TIMEOUT_S = 10.0
#: Between two attempts to send a report: the first pause, and the longest.
PAUSE_S = 0.1
PAUSE_MAX_S = 5.0
#: How often a folder is looked at for a change made by another process: at first, and where a
#: machine may wait for a day, in the end.
LOOK_S = 0.05
LOOK_MAX_S = 1.0
#: The listener says that sending this again will never help.
REFUSED = frozenset({400, 401, 410, 413})
#: The name under which a script's main file is loaded, so that its `__main__` part stays quiet.
MAIN_NAME = "__ephemera_main__"
#: Set in this program's module while it imports a task: a module that enqueues when it is
#: imported would do so again in each machine, without end. The job layer looks for it.
importing_task = False
#: Their frames at the top of a traceback are of no interest to anybody.
_OUR_MODULES = frozenset({__name__, "ephemera.jobs.tasks"})


def read_json(text: str) -> Any:
    """Return what a text says that `json.dumps` wrote.

    Importing `json` would take longer than most short tasks: its half in Python needs `re`.
    """
    try:
        from _json import make_scanner

        return make_scanner(_Reading())(text, 0)[0]  # type: ignore[arg-type]
    except (AttributeError, ImportError, TypeError):  # another Python than we know
        import json

        return json.loads(text)


class _Reading:
    """What the scanner is told of how to read JSON: as `json` does by itself."""

    strict = True
    array_hook = None
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def write_json(value: object) -> str:
    """Return a value as JSON for which `why_not_json` has nothing to say."""
    try:
        from _json import encode_basestring_ascii as quoted
        from _json import make_encoder

        write = make_encoder(None, _no_json, quoted, None, ": ", ", ", False, False, False)
        return "".join(write(value, 0))
    except (ImportError, TypeError):  # another Python than we know
        import json

        return json.dumps(value, allow_nan=False)


def _no_json(value: object) -> Any:
    raise TypeError(f"{value!r} is not JSON")


def why_not_json(value: object, where: str) -> str:
    """Return why `value` cannot be written as JSON, naming the place; empty where it can.

    Tuples count as lists. Keys must be text, and numbers finite: nothing is turned into
    something else silently.
    """
    if value is None or isinstance(value, bool | int | str):
        return ""
    if isinstance(value, float):
        finite = value - value == 0
        return "" if finite else f"{where} is {value}, which JSON does not have"
    if isinstance(value, list | tuple):
        parts = ((f"{where}[{index}]", part) for index, part in enumerate(value))
        return next(filter(None, (why_not_json(part, place) for place, part in parts)), "")
    if isinstance(value, dict):
        return _why_not_object(value, where)
    return f"{where} is of type {_name_of(type(value))}, which JSON does not have"


def _name_of(kind: type) -> str:
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"


def _why_not_object(value: dict[object, object], where: str) -> str:
    for key, part in value.items():
        if not isinstance(key, str):
            return f"{where} has a key of type {type(key).__qualname__}, {key!r:.80}"
        why = why_not_json(part, f"{where}[{key!r:.80}]")
        if why:
            return why
    return ""


class Spool:
    """The reports that nobody outside has taken yet, as files."""

    def __init__(self, payload_path: str) -> None:
        self._folder = os.path.join(os.path.dirname(os.path.abspath(payload_path)), "reports")

    def put(self, name: str, body: bytes) -> str:
        """Write a report down, all at once; return why that cannot be, empty where it is there."""
        unfinished = os.path.join(self._folder, f".{name}")
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            with open(unfinished, "wb") as file:
                file.write(body)
            os.replace(unfinished, os.path.join(self._folder, name))
        except OSError as error:  # the task may have filled the disk
            return str(error)
        return ""

    def names(self) -> list[str]:
        """Return the names of the reports that are there, oldest first."""
        try:
            found = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(name for name in found if not name.startswith("."))

    def read(self, name: str) -> str:
        """Return a report as JSON."""
        with open(os.path.join(self._folder, name), encoding="utf-8") as file:
            return file.read()

    def take(self, name: str) -> None:
        """Remove a report: it is safe outside. Repeating is fine."""
        try:
            os.unlink(os.path.join(self._folder, os.path.basename(name)))
        except FileNotFoundError:
            return


class Interrupts:
    """What tells the task to end: a signal from outside, or its own deadline."""

    def __init__(self) -> None:
        #: Empty, `stop` or `deadline`: the first one counts.
        self.kind = ""
        self._listening = True
        self._deadline_signals = False
        self._main_thread = _thread.get_ident()
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, _number: int, _frame: object) -> None:
        """End the task, once: a second signal must not break off how it ends itself.

        The deadline's own is the exception: a task may have gone on in spite of the first.
        """
        if not self._listening or (self.kind and not self._deadline_signals):
            return
        self._deadline_signals = False
        self.kind = self.kind or "stop"
        raise SystemExit(128 + signal.SIGTERM)

    def at_deadline(self) -> None:
        """End the task from another thread, as a signal would."""
        self.kind = self.kind or "deadline"
        self._deadline_signals = True
        signal.pthread_kill(self._main_thread, signal.SIGTERM)

    def ignore(self) -> None:
        """From now on there is only the last report to deliver; do not disturb that."""
        self._listening = False


class Listener:
    """The report listener outside.

    Args:
        host: Its name or address.
        port: Its port.
        path: Where the reports of this attempt go.
        tls: Whether it speaks HTTPS.
        token: Proves that a report is of this attempt.
    """

    def __init__(self, host: str, port: int, path: str, *, tls: bool, token: str) -> None:
        self._host, self._port, self._path, self._tls = host, port, path, tls
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        for module in ("threading", "http.client") if tls else ():
            __import__(module)  # on the main thread, see `Companion`

    def post(self, body: bytes) -> int:
        """Return the status of the answer to a report; 0 where there was none."""
        try:
            return self._post_by_tls(body) if self._tls else self._post(body)
        except (OSError, ValueError):
            return 0

    def _post(self, body: bytes) -> int:
        """Speak HTTP by hand: importing `http.client` takes longer than most short tasks."""
        lines = [f"POST {self._path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in self._headers.items()]
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        connection = self._connect()
        try:
            connection.sendall("\r\n".join(lines).encode() + body)
            status_line = _first_line(connection).split()
        finally:
            connection.close()
        return int(status_line[1]) if len(status_line) > 1 else 0

    def _connect(self) -> _socket.socket:
        """Do what `socket.create_connection` does: importing that takes as long as a short task."""
        import _socket

        trouble = OSError(f"{self._host} has no address")
        for family, kind, protocol, _, address in _socket.getaddrinfo(
            self._resolvable(), self._port, 0, _socket.SOCK_STREAM
        ):
            connection = _socket.socket(family, kind, protocol)
            connection.settimeout(SEND_TIMEOUT_S)
            try:
                connection.connect(address)
                return connection
            except OSError as error:
                connection.close()
                trouble = error
        raise trouble

    def _resolvable(self) -> str | bytes:
        # not every system resolves names below `localhost`, which are this computer (RFC 6761)
        host = "127.0.0.1" if self._host.endswith(".localhost") else self._host
        # only a name with other letters than these needs the modules that would encode it
        return host.encode() if host.isascii() else host

    def _post_by_tls(self, body: bytes) -> int:
        from http.client import HTTPException, HTTPSConnection

        connection = HTTPSConnection(self._host, self._port, timeout=SEND_TIMEOUT_S)
        try:
            connection.request("POST", self._path, body=body, headers=self._headers)
            return connection.getresponse().status
        except HTTPException:
            return 0
        finally:
            connection.close()


def _first_line(connection: _socket.socket) -> bytes:
    received = b""
    while b"\n" not in received and len(received) < 1000:
        part = connection.recv(1000)
        if not part:
            break
        received += part
    return received.partition(b"\n")[0]


class Reporter:
    """Says outside how the task goes.

    Args:
        listener: Where reports are sent; None where they are only fetched.
        spool: Where they are kept until they are safe.
    """

    def __init__(self, listener: Listener | None, spool: Spool) -> None:
        self._listener = listener
        self._spool = spool

    def say(self, report: dict[str, object]) -> None:
        """Send a report once. One that gets lost does not matter."""
        if self._listener:
            self._listener.post(write_json(report).encode())

    def keep(self, name: str, report: dict[str, object]) -> None:
        """Write a report down for whoever fetches it. One that cannot be does not matter."""
        self._spool.put(name, write_json(report).encode())

    def deliver(self, name: str, report: dict[str, object], *, patience_s: float) -> bool:
        """Return whether the report is safe outside; try for `patience_s` seconds.

        Where it cannot be written down it is sent all the same, and written as soon as it can be.
        """
        body = write_json(report).encode()
        unwritten = self._spool.put(name, body)
        if unwritten:
            _say_aloud(f"ephemera: the report cannot be written down: {unwritten}\n")
        end = time.monotonic() + patience_s
        for pause in _pauses():
            status = self._listener.post(body) if self._listener else 0
            if 200 <= status < 300:
                self._spool.take(name)
                return True
            if status in REFUSED:
                _say_aloud(f"ephemera: the report was refused ({status})\n")
                return False
            until = min(end, time.monotonic() + pause)
            if not unwritten:
                if _wait(lambda: name not in self._spool.names(), until, LOOK_MAX_S):
                    return True
            else:
                time.sleep(max(0.0, until - time.monotonic()))
                unwritten = self._spool.put(name, body)
            if time.monotonic() >= end:
                break
        _say_aloud("ephemera: nobody took the report\n")
        return False


def _say_aloud(text: str) -> None:
    """Write to the machine's log, if the task has left us one: it must not cost the report."""
    try:
        sys.stderr.write(text)
    except (AttributeError, OSError, ValueError):  # it is None, on a full disk, or closed
        return


def _flush_output() -> None:
    """Write out what the task has printed, if it can be: that must not cost the report either."""
    try:
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):
        # Python would try once more at its end, and make of a second failure the exit code 120.
        sys.stdout = None


def _pauses() -> Iterator[float]:
    pause = PAUSE_S
    while True:
        yield pause
        pause = min(pause * 2, PAUSE_MAX_S)


def _wait(seen: Callable[[], bool], until: float, pause_max_s: float = LOOK_S) -> bool:
    """Look again and again until something is seen or the time is over."""
    pause = LOOK_S
    while not seen():
        left = until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(pause * 2, pause_max_s)
    return True


class Companion:
    """Runs beside the task: says that it started and lives, and ends it at its deadline.

    It is a thread that `threading` knows nothing of. If that were to be imported by this thread
    first, it would take it for the main one: so nothing is imported here.
    """

    def __init__(self, reporter: Reporter, interrupts: Interrupts, timeout_s: float) -> None:
        self._reporter = reporter
        self._interrupts = interrupts
        self._deadline = time.monotonic() + timeout_s
        #: Held as long as the task runs.
        self._running = _thread.allocate_lock()
        self._running.acquire()

    def start(self) -> None:
        """Begin to watch the task."""
        _thread.start_new_thread(self._watch, ())

    def task_is_over(self) -> None:
        """Stop watching it."""
        self._running.release()

    def _watch(self) -> None:
        if self._is_over_after(min(STARTED_AFTER_S, self._left())):
            return
        self._reporter.keep("1-started", {"kind": "started"})
        self._reporter.say({"kind": "started"})
        while not self._is_over_after(min(HEARTBEAT_S, self._left())):
            if self._left() <= 0:
                self._end_it()
                return
            self._reporter.say({"kind": "heartbeat"})

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _is_over_after(self, seconds: float) -> bool:
        return self._running.acquire(timeout=seconds)

    def _end_it(self) -> None:
        self._interrupts.at_deadline()
        if self._is_over_after(GRACE_S):
            return
        message = "the task did not end when its time was over"
        error = {"kind": "error", "type": "TimeoutError", "message": message}
        self._reporter.deliver("2-last", {**error, "interrupted": "deadline"}, patience_s=GRACE_S)
        os._exit(1)


def import_task(module: str, qualname: str, file: str) -> Callable[..., object]:
    """Return the task, with whoever enqueues meanwhile refused."""
    global importing_task
    importing_task = True
    try:
        set_up_django()
        return find_task(module, qualname, file)
    finally:
        importing_task = False


def set_up_django() -> None:
    """Do what `manage.py` and servers do in a Django project: before it no model can be imported.

    Source: https://docs.djangoproject.com/en/stable/topics/settings/
    """
    if os.environ.get("DJANGO_SETTINGS_MODULE"):
        __import__("django").setup()


def find_task(module: str, qualname: str, file: str) -> Callable[..., object]:
    """Return the task, importing its module or loading its script under another name."""
    if file:
        import importlib.util

        spec = importlib.util.spec_from_file_location(MAIN_NAME, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} is not a Python file")
        found: object = importlib.util.module_from_spec(spec)
        sys.modules[MAIN_NAME] = found  # type: ignore[assignment]
        spec.loader.exec_module(found)  # type: ignore[arg-type]
    else:
        __import__(module)
        found = sys.modules[module]
    for name in qualname.split("."):
        found = getattr(found, name)
    return found  # type: ignore[return-value]


def perform(payload: dict[str, Any], interrupts: Interrupts) -> dict[str, object]:
    """Call the task and return the last report: its result, its error, or its exit.

    From the end of the task on, signals are ignored: one of them would cost us the report.
    """
    try:
        report = _report_of_result(_call(payload, interrupts))
    except SystemExit as left:
        interrupts.ignore()  # a signal may have come just before `_call` could do this
        report = _report_of_exit(left)
    except BaseException as error:  # noqa: BLE001 - whatever the task raises is reported
        report = _report_of_error(error)
    return {**report, "interrupted": interrupts.kind if report["kind"] != "result" else ""}


def _call(payload: dict[str, Any], interrupts: Interrupts) -> object:
    try:
        task = import_task(**payload["task"])
        value = task(*payload["args"], **payload["kwargs"])
        return _run_to_its_end(value) if hasattr(value, "__await__") else value
    finally:
        interrupts.ignore()


def _run_to_its_end(awaitable: object) -> object:
    import asyncio

    async def main() -> object:
        return await awaitable  # type: ignore[misc]

    return asyncio.run(main())


def _report_of_result(value: object) -> dict[str, object]:
    try:
        why = why_not_json(value, "the result")
        size = 0 if why else len(write_json(value))
    except RecursionError:
        return _refused("ResultNotJSON", "the result contains itself, or is nested too deeply")
    if why:
        return _refused("ResultNotJSON", why)
    if size > RESULT_MAX_BYTES:
        why = f"the result is {size} bytes as JSON; at most {RESULT_MAX_BYTES} are allowed"
        return _refused("ResultTooLarge", why)
    return {"kind": "result", "value": value}


def _refused(kind: str, why: str) -> dict[str, object]:
    _say_aloud(f"{kind}: {why}\n")
    return {"kind": "error", "type": kind, "message": why}


def _report_of_exit(left: SystemExit) -> dict[str, object]:
    if left.code is None or isinstance(left.code, int):
        return {"kind": "exit", "exit_code": (left.code or 0) & 0xFF}
    message = _text_of(left.code)
    _say_aloud(f"{message}\n")
    return {"kind": "exit", "exit_code": 1, "message": message[-TEXT_MAX_CHARS:]}


def _report_of_error(error: BaseException) -> dict[str, object]:
    import traceback

    shown = error.__traceback__
    while shown and shown.tb_next and shown.tb_frame.f_globals.get("__name__") in _OUR_MODULES:
        shown = shown.tb_next
    text = "".join(traceback.format_exception(type(error), error, shown))
    _say_aloud(text)
    return {
        "kind": "error",
        "type": type(error).__qualname__,
        "message": _text_of(error)[-TEXT_MAX_CHARS:],
        "traceback": text[-TEXT_MAX_CHARS:],
    }


def _text_of(value: object) -> str:
    """Return what it says of itself; where that fails, what a traceback has in its place."""
    try:
        return str(value)
    except BaseException:  # noqa: BLE001 - it is the task's, and must not cost the report
        return f"<{_name_of(type(value))} str() failed>"


def set_import_path(path: list[str]) -> None:
    """Import what the enqueuing process would; without its path, what lies in this folder.

    Either way the folder of this file goes, or `runner` would hide a module of that name.
    """
    sys.path[:] = path or [os.getcwd(), *sys.path[1:]]


def run(payload_path: str) -> int:
    """Run the task of the payload, deliver the report, and return the exit code."""
    with open(payload_path, encoding="utf-8") as file:
        payload = read_json(file.read())
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    set_import_path(payload["path"])
    interrupts = Interrupts()
    listener = Listener(**payload["listener"]) if payload["listener"] else None
    reporter = Reporter(listener, Spool(payload_path))
    companion = Companion(reporter, interrupts, payload["timeout_s"])
    companion.start()
    last = perform(payload, interrupts)
    companion.task_is_over()
    _flush_output()
    reporter.deliver("2-last", last, patience_s=payload["patience_s"])
    if last["kind"] == "exit":
        return int(str(last["exit_code"]))
    return 0 if last["kind"] == "result" else 1


def pull(payload_path: str, wait_s: float, taken: list[str]) -> int:
    """Print the reports that are there, waiting up to `wait_s` seconds for one.

    Each is one line: its name, a blank, and the report as JSON. Those named in `taken` are
    removed first: they are safe outside.
    """
    spool = Spool(payload_path)
    for name in taken:
        spool.take(name)
    _wait(lambda: bool(spool.names()), time.monotonic() + wait_s)
    for name in spool.names():
        print(name, spool.read(name))
    return 0


def main(arguments: list[str]) -> int:
    """Run the task, or with `--pull PAYLOAD SECONDS [NAME ...]` print its reports."""
    if arguments[0] == "--pull":
        return pull(arguments[1], float(arguments[2]), arguments[3:])
    return run(arguments[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
