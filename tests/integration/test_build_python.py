"""Images that are made without a container, and what of them is sent to a real registry."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from ephemera.deploy.build import Destination
from ephemera.errors import BuildError
from tests import needs
from tests.building import VERSION, Project, base, project_in
from tests.pulling import Pulls
from tests.registry import PASSWORD, USER, Registry, running_registry
from tests.wheels import wheel

pytestmark = needs.registry


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def project(tmp_path: Path, shared: Path) -> Project:
    return project_in(tmp_path, shared)


@pytest.fixture(scope="module")
def base_image(registry: Registry) -> str:
    return registry.push("base", base())


def pulled(registry: Registry, built_as: str, tmp_path: Path) -> list[Path]:
    """Have an image as machines have it; return its layers, lowest first."""
    pulls = Pulls(tmp_path / "images")
    image, _ = pulls.prepare(built_as.replace("registry.localhost", registry.address))
    return pulls.layers(image)


def pushes(told: list[str]) -> int:
    return sum(line.startswith("pushed") for line in told)


def test_an_image_has_its_base_then_dependencies_then_the_source(
    project: Project, registry: Registry, base_image: str, tmp_path: Path
) -> None:
    project.write(".env", "SECRET=1")
    project.write("pkg/__init__.py", "")
    built, _ = project.build(base_image, registry.address, env={"COLOUR": "red"})
    assert built.image.startswith("registry.localhost/app-")
    below, dependencies, source = pulled(registry, built.image, tmp_path)
    packages = f"opt/venv/lib/python{VERSION}/site-packages"
    assert (below / "base").exists()
    assert (dependencies / packages / "greeting.py").exists()
    assert (dependencies / packages / "__pycache__").is_dir()
    script = (dependencies / "opt/venv/bin/greet").read_text()
    assert script.startswith("#!/opt/venv/bin/python3\n")
    home = (dependencies / "opt/venv/pyvenv.cfg").read_text()
    assert home.startswith("home = /usr/local/bin\n")
    assert sorted(path.name for path in (source / "app").iterdir()) == [
        "__pycache__",
        "app.py",
        "pkg",
        "requirements.txt",
    ]
    assert (source / packages / "_app.pth").read_text() == "/app\n"


def test_an_image_says_how_it_is_run(
    project: Project, registry: Registry, base_image: str, tmp_path: Path
) -> None:
    built, _ = project.build(base_image, registry.address, env={"COLOUR": "red"})
    reference = built.image.replace("registry.localhost", registry.address)
    image, _ = Pulls(tmp_path / "images").prepare(reference)
    assert image.digest == built.digest
    assert image.config.cmd == ("python", "app.py")
    assert image.config.user == "1000:1000"
    assert image.config.workdir == "/app"
    env = dict(one.split("=", 1) for one in image.config.env)
    assert env["PATH"] == "/opt/venv/bin:/usr/local/bin:/bin"
    assert (env["PORT"], env["UVICORN_HOST"], env["COLOUR"]) == ("8080", "0.0.0.0", "red")


def test_a_change_of_source_sends_the_source_only(
    project: Project, registry: Registry, base_image: str
) -> None:
    first, told = project.build(base_image, registry.address)
    same, nothing = project.build(base_image, registry.address)
    project.write("app.py", "import greeting\nprint('other')\n")
    other, changed = project.build(base_image, registry.address)
    assert first.digest == same.digest != other.digest
    assert pushes(told) >= 3  # dependencies, source, config; the base may be there
    assert pushes(nothing) == 0
    assert pushes(changed) == 2  # source, config
    assert "dependencies of requirements.txt: as before" in changed


def test_another_app_of_the_same_base_has_its_layers_from_the_first(
    project: Project, registry: Registry, base_image: str
) -> None:
    digest = base().blobs[1].digest
    project.called("first").build(base_image, registry.address)
    _, told = project.called("second").build(base_image, registry.address)
    assert not any(digest[7:19] in line for line in told)
    assert registry.requests("POST", f"/second/blobs/uploads/?mount={quote(digest)}")


def test_a_base_is_asked_for_once_a_day(
    project: Project, registry: Registry, base_image: str
) -> None:
    project.build(base_image, registry.address)
    asked = registry.requests("GET", "/base/manifests/")
    project.build(base_image, registry.address)
    assert registry.requests("GET", "/base/manifests/") == asked
    project.build(base_image, registry.address, fresh=True)
    assert registry.requests("GET", "/base/manifests/") == asked + 1


def test_the_python_of_the_base_is_what_dependencies_are_for(
    project: Project, registry: Registry, base_image: str
) -> None:
    _, told = project.build(base_image, registry.address, python="3.9")
    assert any("so that is used" in line for line in told)


def test_dependencies_of_another_system_are_taken_as_wheels_of_that_system(
    project: Project, registry: Registry, base_image: str
) -> None:
    wheel(project.wheels, "fast", {"fast.py": ""}, tag="cp39-abi3-manylinux_2_17_aarch64")
    project.require("fast")
    arm = registry.push("arm", base(architecture="arm64"))
    project.build(arm, registry.address, architecture="arm64")
    amd = registry.push("amd", base(architecture="amd64"))
    with pytest.raises(BuildError, match=r"requirements\.txt cannot be installed for Python") as no:
        project.build(amd, registry.address, architecture="amd64")
    assert "--builder buildah" in no.value.hint


def test_dependencies_that_cannot_be_had_leave_nothing_behind(
    project: Project, registry: Registry, base_image: str, tmp_path: Path
) -> None:
    project.require("greeting==2.0")
    with pytest.raises(BuildError, match=r"greeting==2\.0"):
        project.build(base_image, registry.address, cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "dependencies").iterdir()) == []


def test_hashes_of_a_lock_are_checked(
    project: Project, registry: Registry, base_image: str
) -> None:
    project.require(f"greeting==1.0 --hash=sha256:{'0' * 64}")
    with pytest.raises(BuildError, match=r"(?i)hash"):
        project.build(base_image, registry.address)


def test_a_lock_is_installed_as_far_as_it_is_for_the_image(
    project: Project,
    registry: Registry,
    base_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = wheel(project.wheels, "locked", {"locked.py": ""}, version="3.0")
    packages = {
        "locked": {"version": "==3.0", "hashes": [made]},
        "gone": {"version": "==1.0", "markers": "python_version < '3.0'"},
    }
    (project.folder / "requirements.txt").unlink()
    project.write("Pipfile.lock", json.dumps({"default": packages}))
    for installer in ("PIP", "UV"):
        monkeypatch.setenv(f"{installer}_NO_INDEX", "1")
        monkeypatch.setenv(f"{installer}_FIND_LINKS", str(project.wheels))
    built, _ = project.build(base_image, registry.address)
    _, dependencies, _ = pulled(registry, built.image, tmp_path)
    packages_folder = dependencies / f"opt/venv/lib/python{VERSION}/site-packages"
    assert (packages_folder / "locked.py").exists()


def test_static_files_are_collected_in_a_copy(
    project: Project, registry: Registry, base_image: str, tmp_path: Path
) -> None:
    program = "import os, pathlib; pathlib.Path('static').mkdir(); print(os.environ['SECRET_KEY'])"
    project.write("collect.py", program)
    collect = ("python", "collect.py")
    built, told = project.build(base_image, registry.address, collect=collect)
    layers = pulled(registry, built.image, tmp_path)
    assert (layers[-1] / "app/static").is_dir()
    assert not (project.folder / "static").exists()
    assert "unused" in told
    project.write("collect.py", "raise SystemExit('no settings')")
    with pytest.raises(BuildError, match=r"collected, `python collect\.py` fails: no settings"):
        project.build(base_image, registry.address, collect=collect)


def test_a_base_that_is_not_there_is_named(project: Project, registry: Registry) -> None:
    with pytest.raises(BuildError, match=r"there is no image .*/nobody:latest at its registry"):
        project.build(f"{registry.address}/nobody", registry.address)


def test_a_registry_that_asks_who_we_are_is_shown_the_token(
    project: Project, base_image: str, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "closed", users=True) as closed:
        ours = Destination("registry.localhost", closed.address, PASSWORD, USER)
        project.build(base_image, "", destination=ours)
        other = Destination("registry.localhost", closed.address, "a-secret-token", USER)
        with pytest.raises(BuildError, match="does not take our API token for app 'app-") as no:
            project.build(base_image, "", destination=other)
    assert "a-secret-token" not in f"{no.value} {other}"


def test_a_registry_that_gives_out_tokens_gives_one_for_pushing(
    project: Project, base_image: str, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "tokens", tokens=True) as closed:
        ours = Destination("registry.localhost", closed.address, PASSWORD, USER)
        project.build(base_image, "", destination=ours)
        assert closed.tokens
        assert set(closed.tokens.asked) == {f"repository:{project.app}:pull,push"}
