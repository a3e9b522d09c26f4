"""The Dockerfile that is generated, for each package manager, by what it says.

That images can be built from it is shown where they are built.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ephemera.deploy.build import ourselves
from ephemera.deploy.build.ignoring import Ignored
from ephemera.deploy.launch.dockerfile import dockerfile
from ephemera.deploy.rendering import render
from ephemera.deploy.scan import Project, scan

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
PYPROJECT = '[project]\nname = "x"\ndependencies = ["flask", "gunicorn"]\n'
LOCK = "[[package]]\nname = 'gunicorn'\n"
LOCK_OF_OURS = f"{LOCK}[[package]]\nname = 'ephemera'\n"
#: All that both Docker and buildah know, without BuildKit.
INSTRUCTIONS = {"FROM", "ENV", "WORKDIR", "RUN", "COPY", "USER", "EXPOSE", "CMD"}


def project(folder: Path, **files: str) -> Project:
    (folder / "app.py").write_text(FLASK)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return scan(folder)


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile: continued lines are one, comments are none."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined)]


@pytest.mark.parametrize(
    ("files", "installs"),
    [
        ({"requirements__txt": "flask\ngunicorn\n"}, "--requirement requirements.txt"),
        ({"pyproject__toml": PYPROJECT}, "tomllib"),
        ({"pyproject__toml": PYPROJECT, "uv__lock": LOCK}, "uv sync --frozen --no-dev"),
        ({"pyproject__toml": PYPROJECT, "poetry__lock": LOCK}, "poetry install"),
        ({"pyproject__toml": "[tool.poetry.dependencies]\ngunicorn = '*'\n"}, "poetry lock"),
        ({"pyproject__toml": "[tool.ruff]\n"}, "get('project', {})"),
        (
            {
                "Pipfile": "[packages]\ngunicorn = '*'\n",
                "Pipfile__lock": json.dumps({"default": {"gunicorn": {}}}),
            },
            "pipenv sync",
        ),
    ],
)
def test_it_is_whole_for_every_package_manager(
    tmp_path: Path, files: dict[str, str], installs: str
) -> None:
    text = dockerfile(project(tmp_path, **files), 8080)
    found = instructions(text)
    assert {word for word, _ in found} <= INSTRUCTIONS
    assert "--mount" not in text
    assert "<<" not in text
    copied = next(n for n, (word, _) in enumerate(found) if word == "COPY")
    installed = next(n for n, (_, rest) in enumerate(found) if installs in rest)
    source = next(n for n, (word, rest) in enumerate(found) if (word, rest[-3:]) == ("COPY", ". ."))
    assert copied < installed < source, "a change of source must not install the packages again"
    assert found[-1] == ("CMD", '["gunicorn", "--preload", "--threads", "8", "app:app"]')


def test_the_app_runs_as_an_ordinary_user_at_the_port(tmp_path: Path) -> None:
    found = instructions(dockerfile(project(tmp_path, requirements__txt="flask\ngunicorn\n"), 9000))
    last_stage = found[max(n for n, (word, _) in enumerate(found) if word == "FROM") :]
    assert ("USER", "app") in last_stage
    assert ("EXPOSE", "9000") in last_stage
    assert any(word == "ENV" and "PORT=9000" in rest for word, rest in last_stage)
    assert any("compileall" in rest for _, rest in last_stage)


def test_a_package_is_installed_after_its_dependencies(tmp_path: Path) -> None:
    built = PYPROJECT + "[build-system]\nrequires = ['hatchling']\n"
    text = dockerfile(project(tmp_path, pyproject__toml=built, uv__lock=LOCK), 8080)
    first, second = re.findall(r"^RUN uv sync .*$", text, re.MULTILINE)
    assert first.endswith("--no-install-project")
    assert second.endswith("--no-editable")


def test_libraries_of_the_system_are_there_for_the_packages_that_need_them(tmp_path: Path) -> None:
    needed = project(tmp_path, requirements__txt="flask\ngunicorn\npsycopg2\nmysqlclient\n")
    build, run = re.findall(r"--no-install-recommends (.*) \\", dockerfile(needed, 8080))
    assert build == "default-libmysqlclient-dev gcc libc6-dev libpq-dev pkg-config"
    assert run == "libmariadb3 libpq5"
    brought = project(tmp_path, requirements__txt="flask\ngunicorn\npsycopg[binary]\n")
    assert "apt-get" not in dockerfile(brought, 8080)


def test_included_requirements_are_copied_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "base.txt").write_text("flask\ngunicorn\n-c pins.txt\n")
    (tmp_path / "requirements" / "pins.txt").write_text("flask==3.1\n")
    text = dockerfile(project(tmp_path, requirements__txt="-r requirements/base.txt\n"), 8080)
    assert "COPY requirements.txt ./\n" in text
    assert "COPY requirements/base.txt requirements/pins.txt ./requirements/\n" in text


def test_a_toml_file_is_read_by_each_python(tmp_path: Path) -> None:
    text = dockerfile(project(tmp_path, pyproject__toml=PYPROJECT), 8080)
    assert '-c "import tomllib;' in text
    (tmp_path / ".python-version").write_text("3.10\n")
    assert '-c "from pip._vendor import tomli as tomllib;' in dockerfile(scan(tmp_path), 8080)


@pytest.mark.parametrize(
    ("files", "is_given"),
    [
        ({"requirements__txt": "ephemera>=0.1\nflask\ngunicorn\n"}, True),
        ({"pyproject__toml": PYPROJECT.replace("flask", "ephemera")}, True),
        ({"requirements__txt": "flask\ngunicorn\n"}, False),
        (
            {"pyproject__toml": PYPROJECT, "uv__lock": LOCK_OF_OURS},
            False,
        ),
    ],
)
def test_ephemera_of_a_checkout_is_copied_where_a_project_asks_for_it(
    tmp_path: Path, files: dict[str, str], is_given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ourselves, "is_from_no_index", lambda: True)
    text = dockerfile(project(tmp_path, **files), 8080)
    assert ("COPY --from=ephemera / /opt/ephemera/\n" in text) == is_given
    assert ("--constraint /opt/ephemera/constraints.txt" in text) == is_given
    monkeypatch.setattr(ourselves, "is_from_no_index", lambda: False)
    assert "/opt/ephemera" not in dockerfile(scan(tmp_path), 8080)


def test_secrets_and_what_is_made_anew_are_left_out_of_images() -> None:
    ignored = Ignored(render("launch/dockerignore.jinja").splitlines())
    left_out = (
        ".env", "shop/.env.local", ".envrc", ".netrc", ".pypirc", ".git/config", ".hg/store",
        ".venv/bin/python", "shop/.venv/pyvenv.cfg", "shop/__pycache__/a.pyc", "db.sqlite3-wal",
        "terraform.tfstate.backup", "Dockerfile", "fly.toml",
    )  # fmt: skip
    assert [name for name in left_out if not ignored.leaves_out(name)] == []
    for name in ("app.py", "README.md", "requirements.txt", "shop/environment.py", "static/a.css"):
        assert not ignored.leaves_out(name)
