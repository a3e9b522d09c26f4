from __future__ import annotations

import json
from pathlib import Path

import pytest

from ephemera.deploy.build.locks import find
from ephemera.errors import BuildError, ConfigError

PIPFILE_LOCK = {
    "default": {
        "flask": {"version": "==3.1.0", "hashes": ["sha256:aa", "sha256:bb"]},
        "uvicorn": {"version": "==0.35", "extras": ["standard"], "markers": "os_name == 'posix'"},
    },
    "develop": {"pytest": {"version": "==8"}},
}
POETRY_LOCK = """
[[package]]
name = "flask"
version = "3.1.0"
groups = ["main"]
files = [{file = "flask.whl", hash = "sha256:aa"}]

[[package]]
name = "tomli"
version = "2.0"
groups = ["main", "dev"]
markers = {main = "python_version < '3.11'", dev = "python_version < '3.12'"}
files = []

[[package]]
name = "pytest"
version = "8.0"
groups = ["dev"]
files = []

[[package]]
name = "redis"
version = "5.0"
groups = ["main"]
optional = true
files = []
"""


def test_nothing_is_found_where_nothing_says_it(tmp_path: Path) -> None:
    assert find(tmp_path).is_empty


def test_a_lock_of_pipenv_is_read(tmp_path: Path) -> None:
    (tmp_path / "Pipfile").touch()
    (tmp_path / "Pipfile.lock").write_text(json.dumps(PIPFILE_LOCK))
    locked = find(tmp_path)
    assert locked.file == "Pipfile.lock"
    assert locked.requirements.splitlines() == [
        "flask==3.1.0 --hash=sha256:aa --hash=sha256:bb",
        "uvicorn[standard]==0.35 ; os_name == 'posix'",
    ]


def test_a_lock_of_poetry_is_read_without_what_is_for_development(tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").write_text(POETRY_LOCK)
    assert find(tmp_path).requirements.splitlines() == [
        "flask==3.1.0 --hash=sha256:aa",
        "tomli==2.0 ; python_version < '3.11'",
    ]


def test_requirements_are_known_by_all_the_files_they_name(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r base.txt\nflask\n")
    (tmp_path / "base.txt").write_text("-r requirements.txt\nredis\n")
    before = find(tmp_path)
    (tmp_path / "base.txt").write_text("-r requirements.txt\nredis==5\n")
    after = find(tmp_path)
    assert before.requirements == after.requirements == "-r base.txt\nflask\n"
    assert before.known_by != after.known_by


def test_a_project_without_a_lock_is_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["flask>=3", "redis"]\n')
    assert find(tmp_path).requirements == "flask>=3\nredis"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("poetry.lock", "]"),
        ("poetry.lock", '[[package]]\ngroups = ["main"]\n'),
        ("Pipfile.lock", "{"),
        ("Pipfile.lock", "{}"),
        ("pyproject.toml", "project"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=rf"{name} cannot be read"):
        find(tmp_path)


def test_what_no_index_has_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "Pipfile.lock").write_text(json.dumps({"default": {"ours": {"path": "."}}}))
    with pytest.raises(ConfigError, match=r"package 'ours' of Pipfile\.lock"):
        find(tmp_path)


def test_a_pipfile_without_a_lock_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "Pipfile").touch()
    with pytest.raises(ConfigError, match=r"no Pipfile\.lock .*pipenv lock"):
        find(tmp_path)


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `uv` that can be written; nothing else is in the path but a shell."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    return programs / "uv"


def project_of_uv(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    (project / "uv.lock").touch()
    return project


def test_a_lock_of_uv_is_exported_by_uv(tmp_path: Path, uv: Path) -> None:
    uv.write_text('#!/bin/sh\necho "flask==3.1.0" && echo "# $*"\n')
    uv.chmod(0o755)
    first, said = find(project_of_uv(tmp_path)).requirements.splitlines()
    assert first == "flask==3.1.0"
    assert "export" in said
    assert "--frozen" in said
    assert "--no-dev" in said


def test_a_lock_of_uv_that_is_refused_is_told_with_what_uv_said(tmp_path: Path, uv: Path) -> None:
    uv.write_text("#!/bin/sh\necho the lock is stale >&2; exit 2\n")
    uv.chmod(0o755)
    with pytest.raises(BuildError, match=r"uv cannot read .*uv\.lock: the lock is stale"):
        find(project_of_uv(tmp_path))


def test_a_program_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"uv\.lock is read by uv, which is not there"):
        find(project_of_uv(tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            (
                "[project]\ndependencies = ['flask', 'Our_Lib>=1']\n"
                "[tool.uv.sources]\nour-lib = {workspace = true}\n"
            ),
            "package 'Our_Lib' of .* does not come from an index",
        ),
        ("[tool.poetry.dependencies]\npython = '^3.11'\nflask = '^3'\n", "no poetry.lock beside"),
    ],
)
def test_what_a_pyproject_has_from_elsewhere_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        find(tmp_path)


def test_a_package_of_a_named_index_is_taken(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[project]\ndependencies = ['flask']\n[tool.uv.sources]\nflask = [{index = 'ours'}]\n"
    )
    assert find(tmp_path).requirements == "flask"


@pytest.mark.parametrize("line", ["-e ./libs/lib", "--editable=git+https://example.com/lib"])
def test_what_is_used_from_where_it_is_goes_into_no_image(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"-r more.txt\n{line}\n")
    with pytest.raises(ConfigError, match="which no image has"):
        find(tmp_path)


def test_a_project_that_requires_itself_is_known_by_what_it_requires(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-e .[web]\n")
    before = find(tmp_path).known_by
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = ['flask']\n")
    assert find(tmp_path).known_by != before
