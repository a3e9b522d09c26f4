from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ephemera.deploy.build import BuildRequest, Dockerfile
from ephemera.deploy.build.choosing import choose
from ephemera.errors import ConfigError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is the whole path, with no program in it."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(programs: Path, *names: str) -> None:
    for name in names:
        (programs / name).touch(mode=0o755)


def request(tmp_path: Path, **given: Any) -> BuildRequest:
    return BuildRequest(tmp_path, "shop", "01", ("run",), tmp_path / "home", **given)


def own(tmp_path: Path) -> Dockerfile:
    (tmp_path / "Dockerfile").touch()
    return Dockerfile(tmp_path / "Dockerfile")


def test_processes_of_this_computer_need_no_image(tmp_path: Path, programs: Path) -> None:
    install(programs, "buildah")
    assert choose(request(tmp_path, driver="process", dockerfile=own(tmp_path))) == "host"


@pytest.mark.parametrize("driver", ["container", ""])
def test_without_a_dockerfile_of_their_own_layers_are_made(tmp_path: Path, driver: str) -> None:
    assert choose(request(tmp_path, driver=driver)) == "python"


@pytest.mark.parametrize(
    ("there", "chosen"),
    [(["docker"], "docker"), (["buildah"], "buildah"), (["docker", "buildah"], "buildah")],
)
def test_a_dockerfile_is_built_by_what_is_there(
    tmp_path: Path, programs: Path, there: list[str], chosen: str
) -> None:
    install(programs, *there)
    assert choose(request(tmp_path, dockerfile=own(tmp_path))) == chosen


def test_a_dockerfile_that_nothing_can_build_says_what_to_do(
    tmp_path: Path, programs: Path
) -> None:
    with pytest.raises(ConfigError, match=r"neither is there .*--builder python"):
        choose(request(tmp_path, dockerfile=own(tmp_path)))


def test_who_is_asked_for_goes_first(tmp_path: Path, programs: Path) -> None:
    install(programs, "buildah", "docker")
    file = own(tmp_path)
    assert choose(request(tmp_path, dockerfile=file, builder="docker")) == "docker"
    assert choose(request(tmp_path, dockerfile=file, builder="python")) == "python"


def test_a_dockerfile_as_it_was_generated_is_built_when_that_is_asked_for(
    tmp_path: Path, programs: Path
) -> None:
    install(programs, "buildah")
    own(tmp_path)
    assert choose(request(tmp_path, builder="buildah")) == "buildah"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"builder": "kaniko"}, "there is no builder 'kaniko' .*python, buildah, docker, host"),
        ({"builder": "host"}, "builder 'host' makes no image"),
        ({"builder": "python", "driver": "process"}, "the machines of this platform are processes"),
        ({"builder": "docker"}, "builds a Dockerfile, and there is no .*Dockerfile"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, given: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose(request(tmp_path, **given))


def test_a_program_that_lacks_is_named(tmp_path: Path, programs: Path) -> None:
    own(tmp_path)
    with pytest.raises(ConfigError, match="builder 'docker' needs the program docker"):
        choose(request(tmp_path, builder="docker"))
