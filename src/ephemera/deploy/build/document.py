"""The config and the manifest of an image: layers of ours on those of a base image. No I/O.

Source: https://github.com/opencontainers/image-spec/blob/main/config.md and `.../manifest.md`
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ephemera.deploy.build.layers import Layer
from ephemera.oci.manifests import Descriptor

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
_MADE_BY = "ephemera deploy"
#: What holds for the image as it does for its base.
_KEPT = ("architecture", "os", "os.version", "os.features", "variant", "author")
#: Docker's names of what OCI calls otherwise; a manifest has either all of these or none.
_OCI_NAMES = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": (
        "application/vnd.oci.image.layer.v1.tar+gzip"
    ),
    "application/vnd.docker.image.rootfs.diff.tar.zstd": (
        "application/vnd.oci.image.layer.v1.tar+zstd"
    ),
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document of an image."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """What it is known by."""
        return "sha256:" + hashlib.sha256(self.body).hexdigest()

    def described(self) -> dict[str, Any]:
        """Return how a manifest refers to it."""
        return _described(self.media_type, self.digest, len(self.body))


def config(
    base: Mapping[str, Any], layers: Sequence[Layer], settings: Mapping[str, Any]
) -> Document:
    """Return the config of an image.

    It does not say when it was made, so that an image of the same files is the same image.

    Args:
        base: The config of the base image, as its registry has it.
        layers: Ours, lowest first.
        settings: What differs from the base in how it is run, under the names of the document:
            `Env` is added to the base's, the rest goes in the place of it.
    """
    runs = {**(base.get("config") or {}), **settings}
    # What the base starts with would be given our command as arguments.
    runs.pop("Entrypoint", None)
    runs["Env"] = _env((base.get("config") or {}).get("Env") or (), settings.get("Env", ()))
    below = base["rootfs"]["diff_ids"]
    about = {
        **{key: base[key] for key in _KEPT if key in base},
        "config": runs,
        "rootfs": {"type": "layers", "diff_ids": [*below, *(one.diff_id for one in layers)]},
    }
    if "history" in base:  # of all layers, or of none
        about["history"] = [*base["history"], *({"created_by": _MADE_BY} for _ in layers)]
    return Document(CONFIG, _json(about))


def manifest(config: Document, base: Sequence[Descriptor], layers: Sequence[Layer]) -> Document:
    """Return the manifest of an image.

    Args:
        base: The layers of the base image, lowest first.
        layers: Ours.
    """
    below = [
        _described(_OCI_NAMES.get(one.media_type, one.media_type), one.digest, one.size)
        for one in base
    ]
    above = [_described(one.media_type, one.digest, one.size) for one in layers]
    about = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.described(),
        "layers": [*below, *above],
    }
    return Document(MANIFEST, _json(about))


def _env(base: Sequence[str], ours: Sequence[str]) -> list[str]:
    """Return variables of both; ours count where both have one."""
    named = {one.partition("=")[0]: one for one in (*base, *ours)}
    return list(named.values())


def _described(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
