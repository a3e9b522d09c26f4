"""Container images for tests, made here and now from nothing but a list of what is in them.

```python
image = build(layer(file("etc/motd", b"hello"), compression="zstd"), cmd=["/bin/cat", "/etc/motd"])
reference = registry.push("greeter", image)  # see tests/registry.py
```
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

#: Where Debian's busybox-static puts it. Static, so that an image needs nothing beside it.
BUSYBOX = Path("/bin/busybox")
#: An hour of 2020, so that an image made twice has one digest.
MADE_AT = 1_577_836_800
#: The architecture of this computer, in the words of images.
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that a registry keeps by their digest, and what kind of bytes they are."""

    media_type: str
    data: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.data).hexdigest()

    def descriptor(self, **more: Any) -> dict[str, Any]:
        """Return how a manifest refers to it."""
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.data),
            **more,
        }


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: a tar archive, packed or not."""

    blob: Blob
    #: The digest of the archive when it is unpacked.
    diff_id: str


@dataclass(frozen=True, slots=True)
class Built:
    """A manifest, and every blob that it refers to."""

    manifest: Blob
    blobs: tuple[Blob, ...]
    #: The manifests that it refers to, where it is an index.
    children: tuple[Built, ...] = ()
    architecture: str = HERE
    variant: str = ""

    @property
    def digest(self) -> str:
        return self.manifest.digest


# what is in a layer


def entry(name: str, kind: bytes = tarfile.REGTYPE, **attributes: Any) -> tarfile.TarInfo:
    """Return an entry of a tar archive without content; attributes are those of `TarInfo`."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mtime = MADE_AT
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def file(name: str, content: bytes = b"", **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, size=len(content), **attributes), content


def folder(name: str, **attributes: Any) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE, **attributes)


def symlink(name: str, target: str, **attributes: Any) -> tarfile.TarInfo:
    return entry(name, tarfile.SYMTYPE, linkname=target, **attributes)


def hard_link(name: str, target: str, **attributes: Any) -> tarfile.TarInfo:
    return entry(name, tarfile.LNKTYPE, linkname=target, **attributes)


Entry = tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]


def archive(*entries: Entry, form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar archive of entries, in their order; a hostile one is made as it is asked."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as tar:
        for one in entries:
            info, content = one if isinstance(one, tuple) else (one, b"")
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def layer(*entries: Entry, compression: str = "gzip", docker: bool = False) -> Layer:
    """Return a layer of entries; `compression` is `gzip`, `zstd` or empty."""
    return layer_of(archive(*entries), compression, docker=docker)


def layer_of(tar: bytes, compression: str = "gzip", *, docker: bool = False) -> Layer:
    """Return a layer of a tar archive that is there already."""
    media_type = DOCKER_LAYER if docker else OCI_LAYER
    if compression:
        media_type += f".{compression}" if docker else f"+{compression}"
    blob = Blob(media_type, packed(tar, compression))
    return Layer(blob, "sha256:" + hashlib.sha256(tar).hexdigest())


def packed(data: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if compression == "zstd":
        command = ["zstd", "-q", "-c", "-1"]
        return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


# images


def build(
    *layers: Layer,
    cmd: Sequence[str] = (),
    entrypoint: Sequence[str] = (),
    env: Sequence[str] = (),
    architecture: str = HERE,
    variant: str = "",
    docker: bool = False,
    **config: Any,
) -> Built:
    """Return an image of layers, lowest first.

    Args:
        docker: Use Docker's media types instead of OCI's.
        config: More of the image's config under its own names: `User`, `WorkingDir`, ...
    """
    about: dict[str, Any] = {
        "architecture": architecture,
        "os": "linux",
        **({"variant": variant} if variant else {}),
        "config": {
            **({"Cmd": list(cmd)} if cmd else {}),
            **({"Entrypoint": list(entrypoint)} if entrypoint else {}),
            **({"Env": list(env)} if env else {}),
            **config,
        },
        "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
        # buildah builds on no image without it
        "history": [{"created_by": "tests"} for _ in layers],
    }
    config_blob = Blob(DOCKER_CONFIG if docker else OCI_CONFIG, _json(about))
    blobs = tuple(one.blob for one in layers)
    manifest = _manifest(DOCKER_MANIFEST if docker else OCI_MANIFEST, config_blob, blobs)
    return Built(manifest, (config_blob, *blobs), (), architecture, variant)


def _manifest(media_type: str, config: Blob, layers: Sequence[Blob]) -> Blob:
    body = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.descriptor(),
        "layers": [one.descriptor() for one in layers],
    }
    return Blob(media_type, _json(body))


def index(*images: Built, docker: bool = False) -> Built:
    """Return an index of images for several architectures."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    manifests = []
    for one in images:
        fits = {"os": "linux", "architecture": one.architecture}
        if one.variant:
            fits["variant"] = one.variant
        manifests.append(one.manifest.descriptor(platform=fits))
    body = {"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}
    return Built(Blob(media_type, _json(body)), (), images)


def busybox(*more: Layer, **config: Any) -> Built:
    """Return a small image with a shell and the usual commands; more layers go on top.

    Args:
        config: As for `build`; `cmd` is `/bin/sh` and `env` a `PATH` where they are not given.
    """
    given = {"cmd": ["/bin/sh"], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], **config}
    return build(busybox_layer(), *more, **given)


@cache
def busybox_layer() -> Layer:
    """Return the layer with busybox, its commands as symlinks, and the files of a small system."""
    require_busybox()
    listed = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    commands = [name for name in listed.stdout.split() if name != "busybox"]
    folders = ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "usr/bin", "var")
    return layer(
        *(folder(name) for name in folders),
        folder("tmp", mode=0o1777),
        file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"),
        file("etc/group", b"root:x:0:\nusers:x:100:\nnogroup:x:65534:\n"),
        file("bin/busybox", BUSYBOX.read_bytes(), mode=0o755),
        *(symlink(f"bin/{name}", "busybox") for name in commands),
        symlink("usr/bin/env", "../../bin/busybox"),
    )


def require_busybox() -> None:
    """Skip the test that runs, saying why, where this computer has no busybox."""
    if not BUSYBOX.exists():
        pytest.skip(f"there is no {BUSYBOX}: install busybox-static")


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
