"""Every example of the documentation is run, on a platform of its page's own.

- `python` blocks are run. Blocks in a row are one program, so that a later one goes on where an
  earlier one ended.
- A block that begins with a comment such as `# words.py` is that file; a later block uses it.
- `console` blocks are replayed, see `transcript`.
- `<!-- not run: why -->` above a block leaves it out, `<!-- exit status 1 -->` says how its last
  command ends, `<!-- soon -->` that what it shows is so a moment after what came before it: its
  commands are given again until it is.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from ephemera.cli.takedown import take_down
from tests.acceptance.command_line import must_be_gone
from tests.docs.markdown import DOCS, Block, Page, page, pages
from tests.docs.transcript import Terminal, steps

#: What an example may find of our environment; nothing that could lead it to another platform.
_KEPT_VARIABLES = ("HOME", "LANG", "LD_LIBRARY_PATH")

_FILE = re.compile(r"# (\w+\.py)\n")
_NOT_RUN = re.compile(r"not run: \w.+")
_EXIT_STATUS = re.compile(r"exit status (\d+)")
_SOON, _SOON_S = "soon", 30.0


def _run(block: Block) -> bool:
    return block.language in ("python", "console") and not _NOT_RUN.fullmatch(block.note)


PAGES = [page for page in pages() if any(map(_run, page.blocks()))]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    home, folder = tmp_path / "home", tmp_path / "work"
    folder.mkdir()
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    yield Terminal(folder, {**kept, "PATH": path, "EPHEMERA_HOME": str(home)})
    take_down(home, grace=0, tell=print)
    must_be_gone(tmp_path)


@pytest.mark.timeout(400)  # a page is a dozen programs, one after the other
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_does_what_the_page_says(page: Page, terminal: Terminal) -> None:
    blocks = [block for block in page.blocks() if _run(block)]
    for (language, file), group in groupby(blocks, lambda block: (block.language, _file(block))):
        if file:
            (terminal.folder / file).write_text("".join(block.text for block in group))
        elif language == "python":
            _run_program(page, list(group), terminal)
        else:
            for block in group:
                _replay(page, block, terminal)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_shows_is_used_on_it(page: Page) -> None:
    blocks = [block for block in page.blocks() if _run(block)]
    for number, block in enumerate(blocks):
        stem = _file(block).removesuffix(".py")
        later = "".join(one.text for one in blocks[number + 1 :])
        is_test = stem.startswith("test_") and "$ pytest" in later
        assert not stem or is_test or re.search(rf"\b{stem}\b", later), f"{page.name}:{block.line}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_what_is_not_run_says_why(page: Page) -> None:
    for block in page.blocks():
        if block.note.startswith("not run"):
            assert _NOT_RUN.fullmatch(block.note), f"{page.name}:{block.line}"


_ALWAYS = ["### The state folder"]
_FOR_CONTAINERS = [*_ALWAYS, "### More in the state folder with the container driver"]
_NEEDS_ROOT = (pytest.mark.root, pytest.mark.crun)


@pytest.mark.parametrize(
    ("driver", "tables"),
    [("process", _ALWAYS), pytest.param("container", _FOR_CONTAINERS, marks=_NEEDS_ROOT)],
)
def test_the_state_folder_holds_what_the_settings_page_says(
    terminal: Terminal, driver: str, tables: list[str]
) -> None:
    program = (
        "from ephemera import Client, command; command(['true']).enqueue().wait(timeout=30)\n"
        "client = Client(); client.apps.create('demo')\n"
        "client.volumes.create('demo', name='data')"
    )
    terminal.environment = {**terminal.environment, "EPHEMERA_DRIVER": driver}
    terminal.run([sys.executable, "-c", program])
    settings = page(DOCS / "reference" / "settings.md")
    documented = {name.rstrip("/") for table in tables for name in settings.first_column(table)}
    found = {path.name for path in Path(terminal.environment["EPHEMERA_HOME"]).iterdir()}
    assert documented == {name.removesuffix("-wal").removesuffix("-shm") for name in found}


def _file(block: Block) -> str:
    named = _FILE.match(block.text) if block.language == "python" else None
    return named[1] if named else ""


def _run_program(page: Page, blocks: list[Block], terminal: Terminal) -> None:
    """Run blocks as one program whose line numbers are those of the page."""
    lines: list[str] = []
    for block in blocks:
        lines += [""] * (block.line - 1 - len(lines))
        lines += block.text.splitlines()
    program = terminal.folder / "example.py"
    program.write_text("\n".join(lines) + "\n")
    done = terminal.run([sys.executable, str(program)])
    assert done.returncode == 0, f"{page.name}:{blocks[0].line}\n{done.stdout}"


def _replay(page: Page, block: Block, terminal: Terminal) -> None:
    told = _EXIT_STATUS.fullmatch(block.note)
    within_s = _SOON_S if block.note == _SOON else 0.0
    status = 0
    for step in steps(block.text):
        assert status == 0, f"{page.name}:{block.line}: a command before `{step.command}` failed"
        status = terminal.replay(step, within_s)
    assert status == (int(told[1]) if told else 0), f"{page.name}:{block.line}"
