"""Replays what a page shows of a terminal: each command is run, its output compared.

What differs from run to run is told by its form: ids, addresses, times and durations may be any,
but the same id on a page must be the same id in fact, and a command that names an id of the page
is run with the one that stands for it. `...` stands for anything, also for nothing. Lines of a log
by several writers are in any order: each has its own process.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

#: What the pages call the folder that the reader works in, and the reader's state folder.
FOLDER = "/home/ada/first"
HOME = "/home/ada/.local/state/ephemera"

_TIMEOUT_S = 50
#: Before a command is run again.
_AGAIN_S = 0.1
_JOB = r"\b01[0-9A-HJKMNP-TV-Z]{24}\b"
_MACHINE = r"\b[0-9a-f]{14}\b"
#: Of the platform, or of an app at its proxy.
_ADDRESS = r"\b(?:127\.0\.0\.1|[a-z0-9-]+\.localhost):\d+"
_ID = re.compile(f"{_JOB}|{_MACHINE}|{_ADDRESS}")
#: What may differ, most particular first, and what it may be.
_FORMS = {
    r"\s*\.\.\.\s*": r".*?",
    _JOB: _JOB,
    _MACHINE: _MACHINE,
    _ADDRESS: _ADDRESS,
    r"job-[0-9a-z]{26}": r"job-[0-9a-z]{26}",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    r"\b\d+(?:\.\d+)? ?m?s\b": r"\d+(?:\.\d+)? ?m?s",
    r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d\.\d+ UTC": r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d\.\d+ UTC",
    r"\s+": r"\s+",
}
#: A line of a log, and who wrote it.
_LOG_LINE = re.compile(r"\S+Z (\w+)\[\w+\] ")
#: More of them have too many orders.
_LOG_LINES_MAX = 5
_VARIABLE = re.compile("|".join(f"({form})" for form in _FORMS))


@dataclass(frozen=True)
class Step:
    """A command of a transcript, and what it is shown to print."""

    command: str
    output: str


def steps(text: str) -> Iterator[Step]:
    """Yield the commands of a `console` block: lines that begin with `$ `."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Step(command, output)


@dataclass
class Terminal:
    """Where the transcripts of one page are replayed.

    Attributes:
        folder: The working folder.
        environment: What the commands find.
        ids: Which id stands for which id of the page.
        inside: Which folder of the working folder was entered by `cd`.
    """

    folder: Path
    environment: Mapping[str, str]
    ids: dict[str, str] = field(default_factory=dict)
    inside: str = "."

    def replay(self, step: Step, within_s: float = 0.0) -> int:
        """Run a command and return its exit status.

        Args:
            within_s: For how long it is run again where it prints something else.

        Raises:
            AssertionError: it printed something else than the page shows.
        """
        deadline = time.monotonic() + within_s
        while True:
            try:
                return self._replay_once(step)
            except AssertionError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_AGAIN_S)

    def _replay_once(self, step: Step) -> int:
        command = _ID.sub(lambda found: self.ids.get(found[0], found[0]), step.command)
        if command.startswith("cd "):
            self.inside = command.removeprefix("cd ")
            return 0
        done = self.run(["bash", "-c", command])
        said = done.stdout.replace(str(self.folder), FOLDER)
        said = said.replace(self.environment["EPHEMERA_HOME"], HOME)
        self._compare(step, said)
        return done.returncode

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command, all that it prints in `stdout`."""
        return subprocess.run(
            command,
            cwd=self.folder / self.inside,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )

    def _compare(self, step: Step, said: str) -> None:
        names: dict[str, str] = {}
        pattern = re.compile(self._pattern(step.output.strip(), names), re.DOTALL)
        expected = next(filter(None, map(pattern.fullmatch, _orders(said.strip()))), None)
        assert expected, f"$ {step.command}\nthe page shows\n{step.output}\nit printed\n{said}"
        self.ids |= {shown: expected[group] for shown, group in names.items()}

    def _pattern(self, output: str, names: dict[str, str]) -> str:
        """Return what an output must look like; `names` gets the group of each new id."""
        parts, end = list[str](), 0
        for found in _VARIABLE.finditer(output):
            parts.append(re.escape(output[end : found.start()]))
            parts.append(self._form(found, names))
            end = found.end()
        return "".join([*parts, re.escape(output[end:])])

    def _form(self, found: re.Match[str], names: dict[str, str]) -> str:
        shown, which = found[0], found.lastindex
        assert which
        if not _ID.fullmatch(shown):
            return list(_FORMS.values())[which - 1]
        if shown in self.ids:
            return re.escape(self.ids[shown])
        if shown in names:
            return f"(?P={names[shown]})"
        names[shown] = f"id{len(names)}"
        return f"(?P<{names[shown]}>{list(_FORMS.values())[which - 1]})"


def _orders(said: str) -> Iterator[str]:
    """Yield what was printed, and where it is a short log, also as it may have been as well."""
    yield said
    lines = said.splitlines()
    if len(lines) <= _LOG_LINES_MAX and all(map(_LOG_LINE.match, lines)):
        own = _by_writer(lines)
        for order in permutations(lines):
            if _by_writer(order) == own:
                yield "\n".join(order)


def _by_writer(lines: Sequence[str]) -> dict[str, list[str]]:
    """Return what each writer of a log has written, in its order."""
    found: dict[str, list[str]] = {}
    for line in lines:
        writer = _LOG_LINE.match(line)
        assert writer
        found.setdefault(writer[1], []).append(line)
    return found
