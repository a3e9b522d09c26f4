from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.deploy.build.ignoring import Ignored, ignored
from ephemera.deploy.build.tree import files, warn_of_link
from ephemera.errors import BuildError, ConfigError

#: (lines, what they leave out, what they leave in)
CASES = [
    (["notes"], ["notes", "notes/a", "notes/a/b"], ["notes2", "x/notes", "notes.txt"]),
    (["/notes/"], ["notes", "notes/a"], ["x/notes"]),
    (["*.md"], ["a.md"], ["x/a.md", "a.mdx"]),
    (["**/*.md"], ["a.md", "x/a.md", "x/y/a.md"], ["a.mdx"]),
    (["*/temp*"], ["x/temp", "x/temporary/a"], ["temp", "x/y/temp"]),
    (["a/**/z"], ["a/z", "a/b/z", "a/b/c/z/y"], ["a", "az", "b/z"]),
    (["a/**"], ["a/b", "a/b/c"], ["a", "ab"]),
    (["temp?"], ["tempa"], ["temp", "tempab", "temp/"]),
    (["[ab].txt"], ["a.txt", "b.txt"], ["c.txt"]),
    ([r"\*.txt"], ["*.txt"], ["a.txt"]),
    (["[ab"], ["[ab"], ["a"]),
    (["*.md", "!README.md"], ["a.md"], ["README.md"]),
    (["!README.md", "*.md"], ["README.md"], []),
    (["data", "!data/keep"], ["data", "data/a"], ["data/keep", "data/keep/a"]),
    (["*"], ["a", "a/b", ".env"], []),
    (["# notes", "", "  ", "./a"], ["a"], ["# notes", "notes"]),
    (["."], [], ["a"]),
]


@pytest.mark.parametrize(("lines", "out", "kept"), CASES, ids=lambda one: " ".join(one))
def test_patterns_mean_what_they_mean_to_docker(
    lines: list[str], out: list[str], kept: list[str]
) -> None:
    rules = Ignored(lines)
    assert [name for name in [*out, *kept] if rules.leaves_out(name)] == out


def sent(folder: Path) -> list[str]:
    return [found.name for found in files(folder, ignored(folder))]


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")


def test_history_secrets_and_virtual_environments_go_into_no_image(tmp_path: Path) -> None:
    put(tmp_path, "app.py", ".env.example", "shop/views.py")
    put(tmp_path, ".git/HEAD", ".env", ".env.local", "shop/.env", "env/pyvenv.cfg", "env/lib/a.py")
    put(tmp_path, "shop/__pycache__/views.cpython-311.pyc", "old.pyc", ".mypy_cache/a")
    (tmp_path / ".dockerignore").write_text("!.env\n!.git\n")
    assert sent(tmp_path) == [".dockerignore", ".env.example", "app.py", "shop", "shop/views.py"]


def test_the_state_folder_goes_into_no_image_of_a_project_that_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "app.py", "state/platform.db", "shop/state/a.py")
    monkeypatch.setenv("EPHEMERA_HOME", str(tmp_path / "state"))
    assert sent(tmp_path) == ["app.py", "shop", "shop/state", "shop/state/a.py"]


def test_what_is_taken_back_is_found_in_a_folder_that_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "data/a", "data/keep/b")
    (tmp_path / ".dockerignore").write_text("data\n.dockerignore\n!data/keep\n")
    assert sent(tmp_path) == ["data/keep", "data/keep/b"]


def test_links_are_kept_as_links_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(".")
    assert [(found.name, found.is_link) for found in files(tmp_path, Ignored())] == [("loop", True)]


def test_a_link_out_of_the_project_is_told(tmp_path: Path) -> None:
    for name, place in (
        ("loop", "loop"),
        ("inside", "a"),
        ("outside", ".."),
        ("far", "/etc/hosts"),
    ):
        (tmp_path / name).symlink_to(place)
    told: list[str] = []
    for found in files(tmp_path, Ignored()):
        warn_of_link(found, tmp_path, told.append)
    assert [line.split()[1] for line in told] == ["far", "outside"]


def test_an_ignore_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file .*other"):
        ignored(tmp_path, tmp_path / "other")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"gone cannot be read: No such file"):
        list(files(tmp_path / "gone", Ignored()))
