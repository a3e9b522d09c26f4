from __future__ import annotations

import importlib.util
from pathlib import Path

from ephemera.deploy.build.bytecode import Compiler, version_here
from ephemera.deploy.build.layers import Entry


def compiled(tmp_path: Path, text: str, python: str = "") -> list[Entry]:
    (tmp_path / "words.py").write_text(text)
    compiler = Compiler(python or version_here(), tmp_path / "kept")
    found = list(compiler.entries(Entry("app/words.py", content=tmp_path / "words.py", owner=7)))
    compiler.keep()
    return found


def test_a_module_is_compiled_to_be_used_without_a_look_at_its_source(tmp_path: Path) -> None:
    folder, file = compiled(tmp_path, "WORD = 'hello'\n")
    assert folder.name == "app/__pycache__"
    assert file.name == importlib.util.cache_from_source("app/words.py")
    assert isinstance(file.content, bytes)
    assert file.content[:8] == importlib.util.MAGIC_NUMBER + b"\1\0\0\0"
    assert b"/app/words.py" in file.content
    assert file.owner == folder.owner == 7


def test_python_itself_takes_what_was_compiled(tmp_path: Path) -> None:
    _, file = compiled(tmp_path, "WORD = 'hello'\n")
    assert isinstance(file.content, bytes)
    (tmp_path / "words.pyc").write_bytes(file.content)
    spec = importlib.util.spec_from_file_location("words", tmp_path / "words.pyc")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.WORD == "hello"


def test_what_was_compiled_is_kept_for_the_next_build(tmp_path: Path) -> None:
    first = compiled(tmp_path, "WORD = 'hello'\n")
    kept = (tmp_path / "kept").stat()
    assert compiled(tmp_path, "WORD = 'hello'\n") == first
    assert (tmp_path / "kept").stat().st_mtime_ns == kept.st_mtime_ns
    assert compiled(tmp_path, "WORD = 'bye'\n") != first


def test_what_was_kept_may_be_broken(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"nonsense")
    assert len(compiled(tmp_path, "WORD = 'hello'\n")) == 2


def test_what_is_not_python_is_left_alone(tmp_path: Path) -> None:
    assert compiled(tmp_path, "print 'hello'\n") == []


def test_nothing_is_compiled_for_another_python(tmp_path: Path) -> None:
    assert compiled(tmp_path, "WORD = 'hello'\n", python="3.9") == []
