"""What may be asked for: repositories, tags and digests, and what they are as names of files.

A name that is not of these forms never gets near the disk.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""

from __future__ import annotations

import re

from ephemera.platform.registry import refusals

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
#: With the name of a registry before it, a reference has to fit everywhere.
_REPOSITORY_MAX = 255
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: Stands for a slash in the name of a folder; no repository has one in its name.
_SLASH = "+"


def app_of(repository: str) -> str:
    """Return whose repository it is: the app that the name begins with.

    Raises:
        RegistryRefusal: it is not the name of a repository.
    """
    if len(repository) > _REPOSITORY_MAX or not _REPOSITORY.fullmatch(repository):
        raise refusals.name_invalid(repository)
    return repository.partition("/")[0]


def is_digest(reference: str) -> bool:
    """Whether a reference to a manifest is a digest rather than a tag."""
    return ":" in reference


def check_digest(text: str) -> str:
    """Return a digest that is one.

    Raises:
        RegistryRefusal: it is not, or of another kind than SHA-256.
    """
    if not _DIGEST.fullmatch(text):
        raise refusals.digest_invalid(f"{text[:140]!r} is not a digest: sha256: and 64 hex digits")
    return text


def check_tag(text: str) -> str:
    """Return a tag that is one.

    Raises:
        RegistryRefusal: it is not.
    """
    if not _TAG.fullmatch(text):
        raise refusals.tag_invalid(text)
    return text


def folder_of(repository: str) -> str:
    """Return the name of a repository as that of a folder."""
    return repository.replace("/", _SLASH)


def repository_in(folder: str) -> str:
    """Return which repository a folder is of."""
    return folder.replace(_SLASH, "/")
