"""The image that layers are put on: what its registry says about it, kept for a day.

A tag may mean another image tomorrow. It is asked about once a day, or where somebody wants a
fresh build; where the registry is away then, what it said last counts.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ephemera.deploy.build import whole
from ephemera.deploy.build.request import Tell
from ephemera.errors import BuildError, ImageUnavailable
from ephemera.oci import manifests
from ephemera.oci import reference as references
from ephemera.oci.architectures import Architecture
from ephemera.oci.manifests import Descriptor, Document
from ephemera.oci.patience import Patience, RegistryAway
from ephemera.oci.reference import Reference
from ephemera.oci.registries import Registries
from ephemera.oci.registry import Repository

_MEANS_FOR_S = 24 * 3600.0
#: Indexes may be of indexes.
_INDEXES_MAX = 3
#: Of the usual computers of an architecture.
_VARIANTS = {"arm64": "v8", "arm": "v7"}


@dataclass(frozen=True, slots=True)
class Base:
    """A base image.

    Attributes:
        reference: With the digest of its manifest.
        config: The document, as it is.
        layers: As its registry has them, lowest first.
    """

    reference: Reference
    config: Mapping[str, Any]
    layers: Sequence[Descriptor]

    @property
    def env(self) -> Sequence[str]:
        """Its variables, each `NAME=value`."""
        return (self.config.get("config") or {}).get("Env") or ()

    @property
    def path(self) -> str:
        """Where it looks for programs."""
        said = next((one for one in self.env if one.startswith("PATH=")), "PATH=/usr/bin:/bin")
        return said.removeprefix("PATH=")


async def find(text: str, architecture: str, kept: Path, tell: Tell, *, fresh: bool) -> Base:
    """Return what a reference means.

    Args:
        kept: The folder of what registries said before.
        fresh: Ask, however new what was said is.

    Raises:
        BuildError: there is no such image, or its registry cannot be reached.
    """
    place = kept / hashlib.sha256(f"{text} {architecture}".encode()).hexdigest()
    known = _read(place)
    if known and not fresh and time.time() - place.stat().st_mtime < _MEANS_FOR_S:
        return known
    try:
        found = await _asked(references.parse(text), architecture_of(architecture))
    except RegistryAway as error:
        if known:
            tell(f"base image {text}: as before, for {error}")
            return known
        raise BuildError(str(error), hint=error.hint) from error
    except ImageUnavailable as error:
        raise BuildError(error.message, hint=error.hint) from error
    _write(place, found)
    return found


def architecture_of(name: str) -> Architecture:
    """Return what the usual computers of an architecture are, in the words of images."""
    return Architecture(name, _VARIANTS.get(name, ""))


async def resolve(repository: Repository, reference: Reference, here: Architecture) -> Document:
    """Return the manifest that a reference means for a kind of computer.

    Raises:
        ImageUnavailable: there is none.
        RegistryAway: the registry does not answer.
    """
    name, found = str(reference), await repository.document(reference.asked)
    for _ in range(_INDEXES_MAX):
        if not manifests.is_index(found.body, name):
            return found
        found = await repository.document(manifests.choose(found.body, here, name).digest)
    raise ImageUnavailable(f"image {name} is an index of indexes", hint="use the image itself")


async def _asked(reference: Reference, here: Architecture) -> Base:
    registries = Registries(Patience(tries=3))
    try:
        repository = await registries.repository(reference)
        name, found = str(reference), await resolve(repository, reference, here)
        parts = manifests.parts(found.body, name)
        config = await repository.config(parts.config)
    finally:
        await registries.close()
    manifests.contents(config, parts, here, name)
    return Base(reference.at(found.digest), json.loads(config), parts.layers)


def _read(place: Path) -> Base | None:
    try:
        text, config, layers = json.loads(place.read_text())
        descriptors = [Descriptor.model_validate(one) for one in layers]
        return Base(references.parse(text), config, descriptors)
    except (OSError, ValueError, ImageUnavailable):
        return None


def _write(place: Path, base: Base) -> None:
    layers = [one.model_dump(by_alias=True) for one in base.layers]
    whole.write(place, json.dumps([str(base.reference), base.config, layers]).encode())
