"""What a launch would write, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ephemera.deploy.flytoml import FlyToml, load
from ephemera.deploy.launch import (
    Plan,
    State,
    Wishes,
    is_own,
    launch,
    launch_with_defaults,
    names,
    plan,
)
from ephemera.errors import ConfigError, Conflict, NotFound
from ephemera.wire.models import App
from ephemera.wire.places import Region, Regions


class Apps:
    """Stands for the API's apps: those that there are, and who must not be asked any more."""

    def __init__(self, *taken: str) -> None:
        self.taken = set(taken)
        self.made: list[str] = []

    def create(self, name: str, *, org_slug: str) -> App:
        if name in self.taken:
            raise Conflict("taken", status=422)
        self.taken.add(name)
        self.made.append(name)
        return App(name=name)

    def get(self, name: str) -> App:
        if name not in self.taken:
            raise NotFound("no such app", status=404)
        return App(name=name)

    def delete(self, name: str) -> None:
        self.taken.remove(name)


class Platform:
    def regions(self) -> Regions:
        return Regions(regions=[Region(code="iad"), Region(code="fra")])


class Client:
    """Stands for a client of the API."""

    def __init__(self, *taken: str) -> None:
        self.apps = Apps(*taken)
        self.platform = Platform()
        self.link = SimpleNamespace(place=SimpleNamespace(fly=False))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "My Shop"
    folder.mkdir()
    (folder / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (folder / "requirements.txt").write_text("flask\ngunicorn\n")
    return folder


def carry_out(folder: Path, client: Client, wishes: Wishes | None = None) -> FlyToml:
    wished = wishes or Wishes()
    return load(launch(plan(folder, wished), wished, client, str), warn=pytest.fail)  # type: ignore[arg-type]


def states(made: Plan) -> dict[str, State]:
    return {file.name: file.state for file in made.files}


def test_a_new_project_gets_its_files_and_its_app(shop: Path) -> None:
    client = Client()
    toml = carry_out(shop, client)
    assert client.apps.made == ["my-shop"]
    assert toml.app == "my-shop"
    assert toml.processes == {"app": "gunicorn --preload --threads 8 app:app"}
    assert toml.http_service
    assert toml.http_service.min_machines_running == 1
    assert toml.http_service.auto_stop_machines == "off"
    assert {path.name for path in shop.iterdir()} == {
        "app.py",
        "requirements.txt",
        "fly.toml",
        "Dockerfile",
        ".dockerignore",
    }


def test_a_plan_writes_nothing_and_is_shown_as_a_unified_diff(shop: Path) -> None:
    difference = plan(shop, Wishes()).difference()
    assert "--- /dev/null\n+++ b/fly.toml\n@@ -0,0 +1," in difference
    assert '+app = "my-shop"\n' in difference
    assert not (shop / "fly.toml").exists()


def test_serverless_scales_to_zero_and_stays_so_until_it_is_unasked(shop: Path) -> None:
    client = Client()
    for serverless, least in ((True, 0), (None, 0), (False, 1)):
        web = carry_out(shop, client, Wishes(serverless=serverless)).http_service
        assert web
        assert web.min_machines_running == least
        assert web.auto_start_machines
        assert web.auto_stop_machines == ("off" if least else "stop")


def test_repeating_changes_nothing_and_makes_no_second_app(shop: Path) -> None:
    client = Client()
    wishes = Wishes(name="store", regions=("fra", "iad"), terraform=True, builder="python")
    carry_out(shop, client, wishes)
    again = plan(shop, Wishes(terraform=True, regions=("fra", "iad")))
    assert again.difference() == ""
    assert load(shop / "fly.toml").primary_region == "fra"
    assert load(shop / "fly.toml").build.builder == "python"
    launch(again, Wishes(), client, str)  # type: ignore[arg-type]
    assert client.apps.made == ["store"]


def test_an_unedited_file_is_written_anew_an_edited_one_never_without_asking(shop: Path) -> None:
    client = Client()
    carry_out(shop, client)
    (shop / ".python-version").write_text("3.12\n")
    (shop / "fly.toml").write_text((shop / "fly.toml").read_text().replace("256mb", "512mb"))
    wishes = Wishes(serverless=True)
    made = plan(shop, wishes)
    assert states(made)["Dockerfile"] is State.ANEW
    assert states(made)["fly.toml"] is State.CONFLICT
    with pytest.raises(ConfigError, match=r"fly\.toml in .* would be lost") as raised:
        launch(made, wishes, client, str)  # type: ignore[arg-type]
    assert "--force" in raised.value.hint
    assert "3.12" not in (shop / "Dockerfile").read_text()
    launch(made.settled(lambda _: False), wishes, client, str)  # type: ignore[arg-type]
    assert "512mb" in (shop / "fly.toml").read_text()
    assert "python:3.12-slim" in (shop / "Dockerfile").read_text()
    launch(made.settled(lambda _: True), wishes, client, str)  # type: ignore[arg-type]
    assert "512mb" not in (shop / "fly.toml").read_text()


def test_other_ends_of_lines_are_no_edit(shop: Path) -> None:
    carry_out(shop, Client())
    file = shop / "Dockerfile"
    assert not is_own(file)
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert not is_own(file)
    file.write_bytes(file.read_bytes() + b"RUN x\r\n")
    assert is_own(file)
    assert not is_own(shop / "nowhere")


def test_a_dockerfile_of_the_projects_own_is_used_as_it_is(shop: Path) -> None:
    (shop / "Dockerfile").write_text("FROM scratch\nEXPOSE 3000\n")
    (shop / "requirements.txt").write_text("flask\n")  # what serves it is the Dockerfile's to say
    toml = carry_out(shop, Client())
    assert (shop / "Dockerfile").read_text() == "FROM scratch\nEXPOSE 3000\n"
    assert (shop / "requirements.txt").read_text() == "flask\n"
    assert toml.processes == {}
    assert toml.http_service
    assert toml.http_service.internal_port == 3000


def test_with_a_dockerfile_of_its_own_a_project_may_be_anything(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert carry_out(tmp_path, Client()).build.dockerfile == "Dockerfile"


@pytest.mark.parametrize(
    ("files", "added_to", "text"),
    [
        ({"requirements.txt": "flask"}, "requirements.txt", "flask\ngunicorn\n"),
        (
            {"pyproject.toml": '[project]\nname = "x" # mine\ndependencies = ["flask"]\n'},
            "pyproject.toml",
            '[project]\nname = "x" # mine\ndependencies = ["flask", "gunicorn"]\n',
        ),
    ],
)
def test_a_server_that_lacks_is_added_to_the_packages(
    shop: Path, files: dict[str, str], added_to: str, text: str
) -> None:
    (shop / "requirements.txt").unlink()
    for name, content in files.items():
        (shop / name).write_text(content)
    assert states(plan(shop, Wishes()))[added_to] is State.ADDED_TO
    carry_out(shop, Client())
    assert (shop / added_to).read_text() == text


def test_a_lock_file_is_for_its_own_program_to_write(shop: Path) -> None:
    (shop / "uv.lock").write_text("[[package]]\nname = 'flask'\n")
    with pytest.raises(ConfigError, match="no gunicorn among its packages") as raised:
        plan(shop, Wishes())
    assert "uv add gunicorn" in raised.value.hint


def test_a_folders_name_that_is_taken_gets_a_few_letters_more(shop: Path) -> None:
    client = Client("my-shop")
    toml = carry_out(shop, client)
    assert client.apps.made == [toml.app]
    assert toml.app
    assert toml.app.startswith("my-shop-")
    names.check_name(toml.app)


def test_a_name_that_was_asked_for_and_is_taken_is_an_error_and_nothing_is_written(
    shop: Path,
) -> None:
    with pytest.raises(Conflict, match="'store' is taken"):
        carry_out(shop, Client("store"), Wishes(name="store"))
    assert not (shop / "fly.toml").exists()


def test_a_region_that_is_not_there_is_an_error_before_anything_is_made(shop: Path) -> None:
    client = Client()
    with pytest.raises(ConfigError, match="no region 'cdg'") as raised:
        carry_out(shop, client, Wishes(regions=("iad", "cdg")))
    assert "iad, fra" in raised.value.hint
    assert client.apps.made == []


def test_an_app_whose_files_cannot_be_written_is_taken_back(shop: Path) -> None:
    made = plan(shop, Wishes())
    (shop / "fly.toml").mkdir()
    client = Client()
    with pytest.raises(ConfigError, match=r"fly\.toml cannot be written"):
        launch(made, Wishes(), client, str)  # type: ignore[arg-type]
    assert client.apps.taken == set()
    assert not [path for path in shop.iterdir() if path.name.startswith(".fly.toml")]


def test_a_deploy_launches_with_defaults_and_says_so(shop: Path) -> None:
    said: list[str] = []
    path = launch_with_defaults(shop, Client(), said.append)  # type: ignore[arg-type]
    assert path == shop / "fly.toml"
    assert "created app my-shop" in said
    assert "wrote fly.toml" in said


def test_a_deploy_to_an_app_that_is_there_launches_with_that(shop: Path) -> None:
    client = Client("store")
    path = launch_with_defaults(shop, client, str, name="store")  # type: ignore[arg-type]
    assert load(path).app == "store"
    assert client.apps.made == []


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Shop", "my-shop"), ("Café_2", "cafe-2"), ("--a--", "a"), ("x" * 90, "x" * 50)],
)
def test_names_of_apps_are_made_of_those_of_folders(folder: str, name: str) -> None:
    assert names.name_of(folder) == name


def test_a_folder_without_a_letter_gets_a_generated_name() -> None:
    names.check_name(names.name_of("___"))


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a_b", "ä", "a" * 64, "a\n"])
def test_what_an_app_cannot_be_called(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be called"):
        Wishes(name=name)


@pytest.mark.parametrize(("field", "value"), [("builder", "magic"), ("regions", ("Paris!",))])
def test_options_that_cannot_be(field: str, value: object) -> None:
    with pytest.raises(ConfigError):
        Wishes(**{field: value})  # type: ignore[arg-type]
