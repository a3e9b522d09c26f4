"""Who we are to a registry: what `docker login` and `podman login` have written down.

Looked for in this order, the first that has something for the registry wins:

```
$REGISTRY_AUTH_FILE
$XDG_RUNTIME_DIR/containers/auth.json
$DOCKER_CONFIG/config.json, else ~/.docker/config.json
```

Each may hold a password, a token, or the name of a program to ask (`docker-credential-NAME`).
Read anew for each pull, so that a login counts at once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ephemera.errors import ImageUnavailable

#: Under which name Docker Hub's password is kept.
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
#: What a credential program says for a user name where the secret is a token.
_TOKEN_USER = "<token>"  # noqa: S105 - a name
_HELPER_NAME = re.compile(r"[A-Za-z0-9._-]+")
#: A credential program may ask a keyring, or its user.
_HELPER_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """What to show a registry; nothing where nobody has logged in."""

    user: str = ""
    password: str = field(default="", repr=False)
    #: To be shown instead of a password to who gives out tokens.
    identity_token: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.user or self.identity_token)


async def find(host: str, environ: Mapping[str, str]) -> Credentials:
    """Return what is written down for a registry.

    Raises:
        ImageUnavailable: a file or a credential program cannot be used; the message says which.
    """
    for path in _files(environ):
        config = await asyncio.to_thread(_read, path)
        found = await _in_config(config, host, path, environ)
        if found:
            return found
    return Credentials()


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("REGISTRY_AUTH_FILE"):
        yield Path(environ["REGISTRY_AUTH_FILE"])
    if environ.get("XDG_RUNTIME_DIR"):
        yield Path(environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
    if environ.get("DOCKER_CONFIG"):
        yield Path(environ["DOCKER_CONFIG"], "config.json")
    elif environ.get("HOME"):
        yield Path(environ["HOME"], ".docker", "config.json")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(found, dict):
        raise _unusable(path, "it is not a JSON object")
    return found


async def _in_config(
    config: Mapping[str, Any], host: str, path: Path, environ: Mapping[str, str]
) -> Credentials:
    keys = _keys(host)
    helpers = _section(config, "credHelpers", path)
    helper = next((helpers[key] for key in keys if key in helpers), config.get("credsStore"))
    if helper:
        found = await _ask(str(helper), keys[0], environ)
        if found:
            return found
    auths = _section(config, "auths", path)
    entry = next((auths[key] for key in keys if key in auths), None)
    return _in_entry(entry, path) if isinstance(entry, dict) else Credentials()


def _keys(host: str) -> tuple[str, ...]:
    """Return the names under which logins at a registry may be found, the usual one first."""
    usual = (_DOCKER_HUB_KEY,) if host == "docker.io" else ()
    return (*usual, host, f"https://{host}", f"https://{host}/", f"http://{host}")


def _section(config: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    found = config.get(name) or {}
    if not isinstance(found, dict):
        raise _unusable(path, f"its {name} is not a JSON object")
    return found


def _in_entry(entry: Mapping[str, Any], path: Path) -> Credentials:
    token = entry.get("identitytoken") or ""
    user, password = entry.get("username") or "", entry.get("password") or ""
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(entry["auth"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, TypeError) as error:
            raise _unusable(path, "an auth in it is not base64") from error
        user, _, password = decoded.rstrip("\0").partition(":")
    return Credentials(str(user), str(password), str(token))


async def _ask(helper: str, key: str, environ: Mapping[str, str]) -> Credentials:
    """Ask a credential program; it may know nothing, which is not an error.

    Source: https://github.com/docker/docker-credential-helpers#development
    """
    program = f"docker-credential-{helper}"
    if not _HELPER_NAME.fullmatch(helper):
        raise ImageUnavailable(
            f"'{helper[:80]}' is not the name of a credential program",
            hint="look at credsStore and credHelpers of your Docker config",
        )
    try:
        process = await asyncio.create_subprocess_exec(
            program, "get", stdin=PIPE, stdout=PIPE, stderr=PIPE, env=dict(environ)
        )
    except OSError as error:
        raise ImageUnavailable(
            f"the credential program {program} cannot be run: {error.strerror}",
            hint="install it, or take it out of your Docker config",
        ) from error
    try:
        async with asyncio.timeout(_HELPER_TIMEOUT_S):
            said, _ = await process.communicate(key.encode())
    except TimeoutError as error:
        raise ImageUnavailable(
            f"the credential program {program} did not answer in {_HELPER_TIMEOUT_S:g} s",
            hint=f"run it yourself: echo {key} | {program} get",
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _said(program, said, process.returncode or 0)


def _said(program: str, said: bytes, code: int) -> Credentials:
    if code != 0 and b"credentials not found" in said:
        return Credentials()
    try:
        answer = json.loads(said)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        # What it said is not shown: it may be a secret.
        raise ImageUnavailable(
            f"the credential program {program} failed, with exit code {code}",
            hint="log in again, with `docker login` or `podman login`",
        ) from error
    if user == _TOKEN_USER:
        return Credentials(identity_token=secret)
    return Credentials(user, secret)


def _unusable(path: Path, why: str) -> ImageUnavailable:
    return ImageUnavailable(
        f"the registry logins in {path} cannot be read: {why}", hint="log in again, or remove it"
    )
