"""Image references, written out as Docker reads them.

`busybox` is `docker.io/library/busybox:latest`.

Source: https://github.com/distribution/reference (grammar), and what `docker pull` does with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ephemera.errors import ImageUnavailable
from ephemera.oci.trust import can_be_called, split_host

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

_DOCKER_HUB = "docker.io"
#: Names under which Docker Hub was known; they mean the same images.
_DOCKER_HUB_NAMES = ("index.docker.io", "registry-1.docker.io")
_REPOSITORY_MAX = 255
#: A host has at most 253, and a tag 128.
_TEXT_MAX = 1024


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an image is: a registry, a repository in it, and which one of it."""

    #: As in `127.0.0.1:5000`; `docker.io` for Docker Hub.
    host: str
    repository: str
    #: Empty where only a digest was given.
    tag: str = ""
    digest: str = ""

    @property
    def asked(self) -> str:
        """What the registry is asked for: the digest where there is one, for it says more."""
        return self.digest or self.tag

    def at(self, digest: str) -> Reference:
        """Return the reference to exactly this one of the same repository."""
        return Reference(self.host, self.repository, "", digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.repository}{tag}{digest}"


@lru_cache(maxsize=1024)
def parse(text: str) -> Reference:
    """Return what an image reference means.

    Raises:
        ImageUnavailable: it is not one.
    """
    if len(text) > _TEXT_MAX:
        raise _wrong(text, f"it has more than {_TEXT_MAX} characters")
    named, _, digest = text.partition("@")
    host, rest = _split_host(named)
    repository, colon, tag = rest.partition(":")
    if host == _DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    _check(text, "host", _HOST, host)
    if not can_be_called(*split_host(host)):
        raise _wrong(text, f"'{host[:80]}' is not a host")
    _check(text, "repository", _REPOSITORY, repository)
    if len(repository) > _REPOSITORY_MAX:
        raise _wrong(text, f"its repository has more than {_REPOSITORY_MAX} characters")
    if colon:
        _check(text, "tag", _TAG, tag)
    if "@" in text:
        _check(text, "digest", _DIGEST, digest)
    elif not colon:
        tag = "latest"
    return Reference(host, repository, tag, digest)


def _split_host(named: str) -> tuple[str, str]:
    """Split off the host: what is before the first slash, if it looks like one."""
    first, slash, rest = named.partition("/")
    is_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not is_host:
        return _DOCKER_HUB, named
    return (_DOCKER_HUB if first in _DOCKER_HUB_NAMES else first), rest


def _check(text: str, what: str, form: re.Pattern[str], value: str) -> None:
    if not form.fullmatch(value):
        raise _wrong(text, f"'{value[:80]}' is not a {what}")


def _wrong(text: str, why: str) -> ImageUnavailable:
    return ImageUnavailable(
        f"'{text[:200]}' is not an image reference: {why}",
        hint="write [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], with the name in lower case",
    )
