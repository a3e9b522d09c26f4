from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ephemera.errors import ImageUnavailable
from ephemera.oci.credentials import Credentials, find

ME = {"auth": base64.b64encode(b"me:pass:word").decode()}


def found(host: str, **environ: str) -> Credentials:
    return asyncio.run(find(host, environ))


def write(path: Path, **config: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))
    return path


def helper(folder: Path, name: str, script: str) -> Mapping[str, str]:
    """Put a credential program there; return an environment that finds it."""
    program = folder / "bin" / f"docker-credential-{name}"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\nread -r asked\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(folder)}


def test_nobody_has_logged_in_where_there_is_no_file(tmp_path: Path) -> None:
    nobody = found("a.io", HOME=str(tmp_path), DOCKER_CONFIG=str(tmp_path / "none"))
    assert not nobody
    assert not found("a.io")


def test_a_password_may_have_colons(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={"a.io:5000": ME})
    assert found("a.io:5000", HOME=str(tmp_path)) == Credentials("me", "pass:word")
    assert not found("a.io", HOME=str(tmp_path))


@pytest.mark.parametrize("key", ["a.io", "https://a.io", "https://a.io/", "http://a.io"])
def test_a_login_is_found_under_all_the_names_that_tools_write(key: str, tmp_path: Path) -> None:
    write(tmp_path / "config.json", auths={key: ME})
    assert found("a.io", DOCKER_CONFIG=str(tmp_path)).user == "me"


def test_docker_hub_has_a_name_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "config.json", auths={"https://index.docker.io/v1/": ME})
    assert found("docker.io", DOCKER_CONFIG=str(tmp_path)).user == "me"


def test_files_are_asked_in_order_and_the_first_that_knows_wins(tmp_path: Path) -> None:
    other = {"username": "other", "password": "secret"}
    explicit = write(tmp_path / "auth.json", auths={"a.io": other})
    write(tmp_path / "run/containers/auth.json", auths={"b.io": other, "a.io": ME})
    write(tmp_path / "config.json", auths={"a.io": ME, "c.io": ME})
    environ = {
        "REGISTRY_AUTH_FILE": str(explicit),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "DOCKER_CONFIG": str(tmp_path),
    }
    users = [found(host, **environ).user for host in ("a.io", "b.io", "c.io", "d.io")]
    assert users == ["other", "other", "me", ""]


def test_an_identity_token_is_kept_apart_from_a_password(tmp_path: Path) -> None:
    write(tmp_path / "config.json", auths={"a.io": {**ME, "identitytoken": "long"}})
    assert found("a.io", DOCKER_CONFIG=str(tmp_path)).identity_token == "long"


@pytest.mark.parametrize("setting", [{"credsStore": "x"}, {"credHelpers": {"a.io": "x"}}])
def test_a_credential_program_is_asked(setting: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", **setting)
    environ = helper(
        tmp_path, "x", """echo "{\\"Username\\":\\"$asked\\",\\"Secret\\":\\"s\\"}" """
    )
    assert asyncio.run(find("a.io", environ)) == Credentials("a.io", "s")


def test_a_credential_program_may_give_a_token(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", credsStore="x")
    environ = helper(tmp_path, "x", """echo '{"Username":"<token>","Secret":"long"}'""")
    assert asyncio.run(find("a.io", environ)) == Credentials(identity_token="long")


def test_a_credential_program_may_know_nothing(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", credsStore="x", auths={"a.io": ME})
    environ = helper(tmp_path, "x", "echo credentials not found in native keychain; exit 1")
    assert asyncio.run(find("a.io", environ)).user == "me"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"credsStore": "absent"}, "docker-credential-absent cannot be run"),
        ({"credsStore": "../evil"}, "'../evil' is not the name of a credential program"),
        ({"credsStore": "x"}, "docker-credential-x failed, with exit code 3"),
        ({"auths": [1]}, "auths is not a JSON object"),
        ({"auths": {"a.io": {"auth": "?"}}}, "is not base64"),
    ],
)
def test_what_cannot_be_used_is_named(setting: dict[str, Any], said: str, tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", **setting)
    environ = helper(tmp_path, "x", "echo a-secret-it-printed; exit 3")
    with pytest.raises(ImageUnavailable, match=said) as refused:
        asyncio.run(find("a.io", environ))
    assert "a-secret" not in str(refused.value)


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ImageUnavailable, match=f"{tmp_path}/config.json cannot be read"):
        found("a.io", DOCKER_CONFIG=str(tmp_path))


def test_no_secret_is_printed() -> None:
    shown = repr(Credentials("me", "hunter2", "long-token"))
    assert "me" in shown
    assert "hunter2" not in shown
    assert "long-token" not in shown
