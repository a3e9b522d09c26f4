"""Files of a project that go while it is built, as a database's journal does."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from ephemera.deploy.build import BuildRequest, copying, ignoring, source
from ephemera.deploy.build.bytecode import Compiler, version_here
from ephemera.deploy.build.layers import Entry, write
from ephemera.deploy.build.tree import files
from ephemera.deploy.build.venv import Venv
from ephemera.errors import BuildError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("a.py", "b.py", "c"):
        (folder / name).write_text("")
    return folder


def test_what_goes_before_it_is_looked_at_is_left_out(project: Path) -> None:
    found = files(project, ignoring.ignored(project, None))
    assert next(found).name == "a.py"
    (project / "b.py").unlink()
    assert [one.name for one in found] == ["c"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="cannot be read"):
        list(files(tmp_path / "none", ignoring.ignored(tmp_path, None)))


def test_what_goes_before_it_is_packed_is_left_out(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("x")
    entries = [Entry("there", content=there), Entry("gone", content=tmp_path / "gone")]
    layer = write(entries, tmp_path / "layer", "gzip")
    with tarfile.open(layer.path) as tar:
        assert tar.getnames() == ["there"]


def test_what_goes_before_it_is_copied_is_left_out(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = list(files(project, ignoring.ignored(project, None)))
    (project / "b.py").unlink()
    monkeypatch.setattr(copying, "files", lambda *_: iter(found))
    request = BuildRequest(project, "shop", release_id="01", start=("python",), home=tmp_path)
    assert copying.copy(request, tmp_path / "copy", print) == (0, 2)
    assert {one.name for one in (tmp_path / "copy").iterdir()} == {"a.py", "c"}


def test_what_goes_before_it_is_compiled_is_left_out(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored = ignoring.ignored(project, None)
    found = list(files(project, ignored))
    (project / "b.py").unlink()
    monkeypatch.setattr(source, "files", lambda *_: iter(found))
    compiler = Compiler(version_here(), tmp_path / "kept")
    made = source.entries(project, ignored, Venv("3.11", "/usr/bin"), compiler, print)
    names = {one.name for one in made}
    assert {"app/a.py", "app/c"} <= names
    assert "app/b.py" not in names
