"""What a project is, found in its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ephemera.deploy.scan import Project, python, scan
from ephemera.errors import ConfigError

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
SETTINGS = """
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
ALLOWED_HOSTS = []
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "out" / "static"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3",
                         "NAME": os.environ.get("DB_FILE", BASE_DIR / "db.sqlite3")}}
"""
MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n"
DJANGO = {
    "manage.py": MANAGE,
    "mysite/settings.py": SETTINGS,
    "mysite/wsgi.py": "",
    "mysite/asgi.py": "",
    "requirements.txt": "Django>=5\ngunicorn\n",
}


def project(folder: Path, files: dict[str, str]) -> Project:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return scan(folder)


@pytest.mark.parametrize(
    ("file", "source", "command"),
    [
        ("app.py", FLASK, "gunicorn --preload --threads 8 app:app"),
        ("shop/__init__.py", FLASK, "gunicorn --preload --threads 8 shop:app"),
        ("src/shop/web.py", FLASK, "gunicorn --preload --threads 8 --pythonpath src shop.web:app"),
        (
            "main.py",
            "import flask as f\nsite: f.Flask = f.Flask('x')\n",
            "gunicorn --preload --threads 8 main:site",
        ),
        (
            "shop/__init__.py",
            "from flask import Flask\ndef create_app(config=None):\n    return Flask('x')\n",
            "gunicorn --preload --threads 8 'shop:create_app()'",
        ),
        (
            "wsgi.py",
            "from flask import Flask\ndef make(): return Flask('x')\napplication = make()\n",
            "gunicorn --preload --threads 8 wsgi:application",
        ),
        ("main.py", "from fastapi import FastAPI\napi = FastAPI()\n", "uvicorn main:api"),
        (
            "src/api.py",
            "from fastapi import FastAPI\ndef create_app(): return FastAPI()\n",
            "uvicorn --app-dir src --factory api:create_app",
        ),
        (
            "app.py",
            "from starlette.applications import Starlette\nif True:\n    app = Starlette()\n",
            "uvicorn app:app",
        ),
    ],
)
def test_the_application_is_found_in_the_source(
    tmp_path: Path, file: str, source: str, command: str
) -> None:
    found = project(tmp_path, {file: source, "requirements.txt": ""})
    assert found.command == command


def test_a_usual_place_goes_before_any_other_and_tests_are_not_looked_at(tmp_path: Path) -> None:
    files = dict.fromkeys(("aaa.py", "app.py", "deep/app.py", "tests/app.py"), FLASK)
    assert project(tmp_path, {**files, "requirements.txt": ""}).application.target == "app:app"


def test_nothing_of_the_project_is_run_and_what_is_no_python_is_passed_over(
    tmp_path: Path,
) -> None:
    files = {
        "app.py": f"raise SystemExit\n{FLASK}",
        "main.py": "print 'for another Python'\n",
        "wsgi.py": "\0",
        "requirements.txt": "",
    }
    assert project(tmp_path, files).application.target == "app:app"


def test_a_function_that_needs_an_argument_makes_no_application(tmp_path: Path) -> None:
    source = "from flask import Flask\ndef create_app(config): return Flask('x')\n"
    with pytest.raises(ConfigError, match="no web framework"):
        project(tmp_path, {"app.py": source, "requirements.txt": ""})


@pytest.mark.parametrize(
    ("file", "said", "target"),
    [
        ("run.py", "from shop import create_app", "run:site"),
        ("shop/run.py", "from . import nothing\nfrom .make import create_app", "shop.run:site"),
    ],
)
def test_one_that_is_made_by_another_module_is_found(
    tmp_path: Path, file: str, said: str, target: str
) -> None:
    maker = "from flask import Flask\ndef create_app(config): return Flask('x')\n"
    source = f"{said}\nother = print()\nsite = create_app('production')\n"
    files = {"shop/__init__.py": maker, "shop/make.py": maker, file: source}
    found = project(tmp_path, {**files, "requirements.txt": "flask\n"})
    assert found.application.target == target


def test_django_is_told_by_manage_and_its_settings(tmp_path: Path) -> None:
    found = project(tmp_path, DJANGO)
    assert found.application.target == "mysite.wsgi:application"
    assert (found.database, found.database_variable) == ("sqlite", "DB_FILE")
    assert found.collect_command == "python manage.py collectstatic --noinput"
    assert [(static.folder, static.url) for static in found.statics] == [("out/static", "/static/")]
    assert found.answers_no_host
    assert not found.lacks_server


def test_sqlite_is_migrated_where_it_is_and_others_once_for_a_release(tmp_path: Path) -> None:
    with_sqlite = project(tmp_path / "a", DJANGO)
    migrate = "python manage.py migrate --noinput"
    assert with_sqlite.release_command == ""
    assert migrate in with_sqlite.command
    with_postgres = project(
        tmp_path / "b", {**DJANGO, "requirements.txt": "django\ngunicorn\npsycopg[binary]\n"}
    )
    assert with_postgres.database == "postgresql"
    assert with_postgres.release_command == migrate
    assert migrate not in with_postgres.command


def test_a_django_project_in_a_folder_below(tmp_path: Path) -> None:
    files = {f"site/{name}": text for name, text in DJANGO.items()}
    found = project(tmp_path, {**files, "requirements.txt": "django\nuvicorn\nwhitenoise\n"})
    assert found.application.command == "uvicorn --app-dir site mysite.asgi:application"
    assert found.migrate_command.startswith("python site/manage.py")
    assert found.statics == ()


def test_settings_may_be_a_package(tmp_path: Path) -> None:
    files = dict(DJANGO)
    files["mysite/settings/base.py"] = files.pop("mysite/settings.py")
    files["mysite/settings/__init__.py"] = ""
    assert project(tmp_path, files).database == "sqlite"


def test_what_the_application_is_served_with_counts_and_what_its_settings_take_from_others(
    tmp_path: Path,
) -> None:
    files = {
        "manage.py": MANAGE.replace("mysite.settings", "config.settings.local"),
        "config/wsgi.py": MANAGE.replace("mysite.settings", "config.settings.production"),
        "config/settings/__init__.py": "",
        "config/settings/base.py": "from .base import *\n" + SETTINGS,
        "config/settings/local.py": "from .base import *\nSTATIC_URL = '/local/'\n",
        "config/settings/production.py": "from ..settings.base import *\nALLOWED_HOSTS = '*'\n",
        "requirements.txt": "django\ngunicorn\npsycopg\n",
    }
    found = project(tmp_path, files)
    served_with = "--settings config.settings.production"
    assert found.application.target == "config.wsgi:application"
    assert found.release_command == f"python manage.py migrate --noinput {served_with}"
    assert found.collect_command == f"python manage.py collectstatic --noinput {served_with}"
    assert (found.statics[0].url, found.answers_no_host) == ("/static/", False)


@pytest.mark.parametrize(
    ("settings", "file", "target"),
    [
        ("WSGI_APPLICATION = 'server.wsgi.app'", "server/wsgi.py", "server.wsgi:app"),
        ("from . import *\nfrom ... import *\nfrom ...a import *", "wsgi.py", "wsgi:application"),
    ],
)
def test_the_application_may_be_anywhere(
    tmp_path: Path, settings: str, file: str, target: str
) -> None:
    manage = MANAGE.replace("mysite.settings", "settings")
    files = {"manage.py": manage, "settings.py": settings, file: "", "requirements.txt": "django"}
    assert project(tmp_path, files).application.target == target


LOCK = "[[package]]\nname = 'gunicorn'\n"
PIPFILE_LOCK = json.dumps({"default": {"gunicorn": {}}})
REQUIREMENTS = "Flask==3.0 --hash=sha256:aa\n# no\n-r more.txt\n"
REQUIRED = "[project]\nname='x'\ndependencies=['gunicorn>=2']\n"


@pytest.mark.parametrize(
    ("manager", "files"),
    [
        ("pip", {"requirements.txt": REQUIREMENTS, "more.txt": "gunicorn; python_version > '3'"}),
        ("uv", {"pyproject.toml": "[project]\nname='x'\n", "uv.lock": LOCK}),
        ("poetry", {"pyproject.toml": "[tool.poetry]\n", "poetry.lock": LOCK}),
        ("poetry", {"pyproject.toml": "[tool.poetry.dependencies]\ngunicorn = '*'\n"}),
        ("pipenv", {"Pipfile": "[packages]\nflask = '*'\n", "Pipfile.lock": PIPFILE_LOCK}),
        ("pyproject", {"pyproject.toml": REQUIRED}),
        ("pyproject", {"pyproject.toml": f"{REQUIRED}[tool.poetry.dependencies]\nx = '*'\n"}),
    ],
)
def test_package_managers(tmp_path: Path, manager: str, files: dict[str, str]) -> None:
    found = project(tmp_path, {"app.py": FLASK, **files})
    assert found.packages.manager == manager
    assert found.packages.files == tuple(files)
    assert not found.lacks_server


def test_what_installs_the_project_itself(tmp_path: Path) -> None:
    files = {
        "app.py": FLASK,
        "requirements.txt": "-e .\n",
        "pyproject.toml": "[build-system]\nrequires = []\n",
    }
    packages = project(tmp_path, files).packages
    assert packages.need_source
    assert packages.is_package


@pytest.mark.parametrize(
    ("lock", "source", "needed"),
    [
        ("uv.lock", "source = {editable = '.'}", False),
        ("uv.lock", "source = {registry = 'https://pypi.org/simple'}", False),
        ("uv.lock", "source = {editable = 'libs/lib'}", True),
        ("poetry.lock", "source = {type = 'directory', url = '../lib'}", True),
    ],
)
def test_a_package_of_a_workspace_needs_its_source(
    tmp_path: Path, lock: str, source: str, needed: bool
) -> None:
    files = {"app.py": FLASK, "pyproject.toml": "", lock: f"{LOCK}{source}\n"}
    assert project(tmp_path, files).packages.need_source is needed


def test_fastapi_with_its_standard_extra_has_a_server(tmp_path: Path) -> None:
    files = {
        "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
        "requirements.txt": "fastapi[standard]\n",
    }
    assert not project(tmp_path, files).lacks_server


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        (".python-version", "3.12.1\n", "3.12"),
        (".python-version", "cpython-3.13\n3.11\n", "3.13"),
        ("runtime.txt", "python-3.12.4", "3.12"),
        ("Pipfile", "[requires]\npython_version = '3.13'\n", "3.13"),
        ("pyproject.toml", "[project]\nrequires-python = '>=3.9,<3.11'\n", "3.10"),
        ("pyproject.toml", "[project]\nrequires-python = '==3.12.*'\n", "3.12"),
        ("pyproject.toml", "[project]\nrequires-python = '==3.10.4'\n", python.RUNNING),
        ("pyproject.toml", "[tool.poetry.dependencies]\npython = '~3.9'\n", "3.9"),
        ("pyproject.toml", "[tool.poetry.dependencies]\npython = '^3.9'\n", python.RUNNING),
        ("pyproject.toml", "[project]\nrequires-python = 'new'\n", python.RUNNING),
        (".python-version", "pypy\n", python.RUNNING),
    ],
)
def test_the_version_of_python(tmp_path: Path, file: str, text: str, version: str) -> None:
    (tmp_path / file).write_text(text)
    found, said_by = python.find(tmp_path)
    assert found == version
    assert said_by in (file, "")


def test_sqlite_is_seen_in_the_source(tmp_path: Path) -> None:
    source = f"import os, sqlite3\nDB = os.environ['DATABASE_PATH']\n{FLASK}"
    found = project(tmp_path, {"app.py": source, "requirements.txt": ""})
    assert (found.database, found.database_variable) == ("sqlite", "DATABASE_PATH")


def test_no_framework_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no web framework: looked for manage\.py") as raised:
        project(tmp_path, {"hello.py": "print()\n", "requirements.txt": "requests\n"})
    assert "app.py" in raised.value.hint


def test_a_framework_without_an_application_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no application of flask"):
        project(tmp_path, {"hello.py": "", "requirements.txt": "flask\n"})


def test_django_without_a_server_module_is_an_error(tmp_path: Path) -> None:
    files = {name: text for name, text in DJANGO.items() if "sgi" not in name}
    with pytest.raises(ConfigError, match=r"no mysite/wsgi\.py or mysite/asgi\.py"):
        project(tmp_path, files)


def test_packages_have_to_be_written_down(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none of uv\.lock") as raised:
        project(tmp_path, {"app.py": FLASK})
    assert "requirements.txt" in raised.value.hint


@pytest.mark.parametrize("file", ["pyproject.toml", "uv.lock", "Pipfile", "Pipfile.lock"])
def test_a_broken_file_is_named(tmp_path: Path, file: str) -> None:
    with pytest.raises(ConfigError, match=file):
        project(tmp_path, {"app.py": FLASK, "Pipfile": "", file: "]["})
