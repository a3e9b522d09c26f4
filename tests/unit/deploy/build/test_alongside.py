"""Ephemera itself is given along with a build of a Dockerfile that asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.deploy.build import alongside, ourselves
from ephemera.deploy.build.ourselves import Ourselves

COPY = "COPY --from=ephemera / /opt/ephemera/\n"


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ourselves, "here", lambda: Ourselves("1.2", {"ephemera/__init__.py": b""}))


def given(folder: Path, text: str) -> list[str] | None:
    """Return the names of the files that are given along; None where nothing is."""
    (folder / "Dockerfile").write_text(text)
    with alongside.given(folder / "Dockerfile", print) as found:
        names = None if found is None else sorted(file.name for file in found.iterdir())
    assert found is None or not found.exists()
    return names


@pytest.mark.parametrize(
    "text", [COPY, "FROM python\n  copy --chown=app  --from=ephemera / /opt/ephemera/\n"]
)
def test_a_dockerfile_that_asks_gets_a_wheel_and_what_names_it(tmp_path: Path, text: str) -> None:
    assert given(tmp_path, text) == ["constraints.txt", "ephemera-1.2-py3-none-any.whl"]


@pytest.mark.parametrize(
    "text",
    [
        "FROM python\nCOPY . .\n",
        f"# {COPY}",
        "COPY --from=ephemera-web / /x/\n",
        f"FROM python AS ephemera\nFROM python\n{COPY}",
    ],
)
def test_any_other_gets_nothing(tmp_path: Path, text: str) -> None:
    assert given(tmp_path, text) is None


def test_it_may_be_an_image_of_another_name(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_bytes(f"FROM python\n# \xe9\nRUN echo {COPY}{COPY}".encode("latin-1"))
    (tmp_path / "Dockerfile.dockerignore").write_text("*.env\n")
    copy = alongside.renamed(file, "localhost/x:1", tmp_path / "asking")
    assert copy.name == file.name
    other = COPY.replace("ephemera", "localhost/x:1", 1)
    assert copy.read_bytes() == f"FROM python\n# \xe9\nRUN echo {COPY}{other}".encode("latin-1")
    assert (copy.parent / "Dockerfile.dockerignore").read_text() == "*.env\n"


def test_the_wheel_is_named_by_its_place_in_the_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(COPY)
    with alongside.given(tmp_path / "Dockerfile", print) as found:
        assert found
        constraints = (found / "constraints.txt").read_text()
    assert constraints == "ephemera @ file:///opt/ephemera/ephemera-1.2-py3-none-any.whl\n"
