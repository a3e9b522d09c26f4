"""A terminal of the mock driver: a shell of a few words, or one of the words by itself.

| Typed, or run by itself   | What it does                                                  |
|---------------------------|---------------------------------------------------------------|
| `sh`, `/bin/sh`           | asks for lines, whatever its arguments; does what each says   |
| `echo a b`                | prints its words; `echo a > /file` writes them to that file   |
| `print a b`               | prints its words, a line for each                             |
| `cat /file`               | prints that file                                              |
| `cat`                     | prints what is typed, byte for byte (not in `sh`)             |
| `printenv NAME`           | prints that variable of the machine                           |
| `stty size`               | prints the rows and columns of the terminal                   |
| `flood 1000000`           | prints so many bytes, as fast as they are read                |
| `run`                     | goes on until somebody hangs up (not in `sh`)                 |
| `exit 3`                  | ends with that exit code                                      |

As in a real terminal, what is typed is shown, and each line ends with a carriage return too.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections import deque
from collections.abc import Mapping, Sequence

from ephemera.platform.drivers import script

_PROMPT = b"$ "
_NOT_FOUND = 127
#: How much a flood prints at once.
_CHUNK_BYTES = 64 * 1024
#: What `flood` prints, over and over: a whole number of times in a chunk.
_PATTERN = bytes(range(256))

#: The commands that a terminal can be asked for.
WORDS = frozenset({"sh", "echo", "print", "cat", "printenv", "stty", "flood", "run", "exit"})


class PlayedTerminal:
    """Plays one command with a terminal.

    Attributes:
        command: What it plays.

    Args:
        env: The variables of the machine.
        files: Its file system, which is written to.
        command: One of `WORDS` with its arguments.

    Raises:
        BootFailed: there is no such command.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        files: dict[str, bytes],
        command: Sequence[str],
        rows: int,
        columns: int,
    ) -> None:
        self.command = command
        self._env = env
        self._files = files
        self._size = (rows, columns)
        #: What is still to be read: bytes, or how many bytes of a flood.
        self._shown: deque[bytes | int] = deque()
        self._line = bytearray()
        self._printed = asyncio.Event()
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        word, arguments = script.split(command)
        word = word.removeprefix("/bin/")
        if word not in WORDS:
            raise script.not_found(word)
        self._is_shell = word == "sh"
        self._is_raw = word == "cat" and not arguments
        if self._is_shell:
            self._show(_PROMPT)
        elif word != "run" and not self._is_raw:
            self.end(self._do(command))

    async def read(self) -> bytes:
        """Return what it printed next; empty once it has ended and all is read."""
        while True:
            if self._shown:
                return self._next()
            if self.has_ended:
                return b""
            self._printed.clear()
            await self._printed.wait()

    def write(self, data: bytes) -> None:
        """Type something. After the end it is of no effect."""
        if self.has_ended:
            return
        if self._is_raw:
            self._show(data)
            return
        self._show(data.replace(b"\r", b"\n").replace(b"\n", b"\r\n"))
        self._line += data.replace(b"\r", b"\n")
        while self._is_shell and b"\n" in self._line and not self.has_ended:
            line, _, rest = bytes(self._line).partition(b"\n")
            self._line[:] = rest
            self._enter(line)

    def resize(self, rows: int, columns: int) -> None:
        """Tell it how large the other terminal is now."""
        self._size = (rows, columns)

    async def wait(self) -> int:
        """Return its exit code, once it has ended."""
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Hang up. Repeating is safe."""
        self.end(128 + signal.SIGHUP)
        self._shown.clear()

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more; what it has printed may still be read."""
        return self._ended.done()

    def end(self, exit_code: int) -> None:
        """End it, unless it has ended before."""
        if not self.has_ended:
            self._ended.set_result(exit_code)
            self._printed.set()

    def _next(self) -> bytes:
        piece = self._shown.popleft()
        if isinstance(piece, bytes):
            return piece
        if piece > _CHUNK_BYTES:
            self._shown.appendleft(piece - _CHUNK_BYTES)
        return (_PATTERN * (_CHUNK_BYTES // len(_PATTERN)))[:piece]

    def _enter(self, line: bytes) -> None:
        """Do what a line of the shell says, and ask for the next."""
        words = shlex.split(line.decode(errors="replace"))
        if words and words[0] == "exit":
            self.end(script.exit_code(words[1:]))
            return
        if words:
            self._do(words)
        self._show(_PROMPT)

    def _do(self, words: Sequence[str]) -> int:
        """Do one command, and return its exit code."""
        match words:
            case ["exit", *code]:
                return script.exit_code(code)
            case ["echo", *said, ">", path]:
                self._files[path] = (" ".join(said) + "\n").encode()
            case ["echo", *said]:
                self._say(" ".join(said))
            case ["print", *lines]:
                self._say("\n".join(lines))
            case ["cat", path] if path in self._files:
                self._say(self._files[path].decode(errors="replace").removesuffix("\n"))
            case ["printenv", name] if name in self._env:
                self._say(self._env[name])
            case ["stty", "size"]:
                self._say("{} {}".format(*self._size))
            case ["flood", count]:
                self._show(int(count))
            case _:
                self._say(f"sh: cannot do: {' '.join(words)}")
                return _NOT_FOUND
        return 0

    def _say(self, line: str) -> None:
        self._show(line.replace("\n", "\r\n").encode() + b"\r\n")

    def _show(self, piece: bytes | int) -> None:
        if piece:
            self._shown.append(piece)
        self._printed.set()
