"""What a registry says an image consists of: indexes, manifests and configs. No I/O.

```
 index ── the one for this computer ──► manifest ──► config: the program, the layers unpacked
                                            └──────► layers: as they are sent
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from ephemera.errors import ImageUnavailable
from ephemera.oci.architectures import Architecture
from ephemera.oci.imageconfig import ImageConfig

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
#: What is asked for, so that a registry does not answer in a form that is older still.
ACCEPTED = ", ".join((*INDEXES, *MANIFESTS))

#: Of a manifest, an index or a config: what registries themselves allow. They are kept in memory.
DOCUMENT_MAX_BYTES = 4 * 1024 * 1024
#: An overlay of more layers cannot be mounted; Docker's limit is 127.
_LAYERS_MAX = 127
#: How well a manifest fits of which nobody has said what it is for.
_UNTOLD = 1000
#: Of words of a registry in a message, in characters, and of architectures.
_SHOWN_MAX, _OFFERED_MAX = 80, 20

T = TypeVar("T", bound=BaseModel)
_Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Platform(BaseModel):
    """What kind of computer an image of an index is for."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index, as it came."""

    digest: str
    body: bytes = field(repr=False)


class Descriptor(BaseModel):
    """A reference to something that the registry keeps."""

    media_type: str = Field("", alias="mediaType")
    digest: _Digest
    size: int = Field(ge=0)
    platform: Platform | None = None


class _Shape(BaseModel):
    media_type: str = Field("", alias="mediaType")
    manifests: Any = None
    layers: Any = None
    fs_layers: Any = Field(None, alias="fsLayers")


class _Index(BaseModel):
    manifests: list[Descriptor]


class _Manifest(BaseModel):
    config: Descriptor
    layers: list[Descriptor]


class _RootFs(BaseModel):
    diff_ids: list[_Digest]


#: A single one may be there by itself, as Docker has it.
_Words = Annotated[list[str], BeforeValidator(lambda it: [it] if isinstance(it, str) else it)]


class _Runtime(BaseModel):
    entrypoint: _Words | None = Field(None, alias="Entrypoint")
    cmd: _Words | None = Field(None, alias="Cmd")
    env: list[str] | None = Field(None, alias="Env")
    user: str | None = Field(None, alias="User")
    workdir: str | None = Field(None, alias="WorkingDir")
    stop_signal: str | None = Field(None, alias="StopSignal")
    exposed_ports: Mapping[str, Any] | None = Field(None, alias="ExposedPorts")


class _Config(Platform):
    config: _Runtime | None = None
    rootfs: _RootFs


@dataclass(frozen=True, slots=True)
class Parts:
    """What a manifest refers to."""

    config: Descriptor
    #: Lowest first.
    layers: Sequence[Descriptor]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a config says: the program, and what each layer is when it is unpacked."""

    config: ImageConfig
    diff_ids: Sequence[str]


def is_index(body: bytes, name: str) -> bool:
    """Return whether a document is an index, and not a manifest.

    Told by what is in it, which its digest vouches for, and not by the header that came with it.

    Raises:
        ImageUnavailable: it is neither, or both at once.
    """
    shape = _read(_Shape, body, f"what the registry has as {name}")
    if (shape.manifests is None) == (shape.layers is None and shape.fs_layers is None):
        kind = _printable(shape.media_type) or "of a kind that it does not say"
        raise ImageUnavailable(
            f"{name} is neither an image nor an index of images: it is {kind}",
            hint="look at its name and its tag",
        )
    return shape.manifests is not None


def choose(body: bytes, here: Architecture, name: str) -> Descriptor:
    """Return which manifest of an index is for this computer.

    Raises:
        ImageUnavailable: none is; the message says which architectures there are.
    """
    index = _read(_Index, body, f"the index of {name}")
    fitting = [one for one in index.manifests if _rank(one, here) is not None]
    if not fitting:
        offered = sorted({_shown(one.platform) for one in index.manifests if _is_image(one)})
        listed = ", ".join(offered[:_OFFERED_MAX]) or "nothing"
        raise ImageUnavailable(
            f"image {name} is not there for {here}, only for {listed}",
            hint=f"use an image for {here}, or a computer that the image is for",
        )
    return min(fitting, key=lambda one: _rank(one, here) or 0)


def parts(body: bytes, name: str) -> Parts:
    """Return what a manifest refers to.

    Raises:
        ImageUnavailable: it is not that of an image that can be used here.
    """
    if _read(_Shape, body, f"the manifest of {name}").fs_layers is not None:
        raise ImageUnavailable(
            f"image {name} is in the form of Docker's schema 1, which is not supported",
            hint="push it again with a Docker of 2017 or newer",
        )
    manifest = _read(_Manifest, body, f"the manifest of {name}")
    if manifest.config.media_type not in CONFIGS:
        kind = _printable(manifest.config.media_type) or "an unknown kind"
        raise ImageUnavailable(
            f"{name} is not a container image: its config is {kind}",
            hint="it may be an artifact of another kind: look for the image's own name or tag",
        )
    for layer in manifest.layers:
        if "tar" not in layer.media_type or layer.media_type.endswith("encrypted"):
            kind = _printable(layer.media_type)
            raise ImageUnavailable(
                f"image {name} has a layer of the kind {kind}, which is not supported",
                hint="layers are tar archives: as they are, or packed with gzip or zstd",
            )
    if len(manifest.layers) > _LAYERS_MAX:
        raise ImageUnavailable(
            f"image {name} has {len(manifest.layers)} layers; {_LAYERS_MAX} are supported",
            hint="build it with fewer steps",
        )
    return Parts(manifest.config, manifest.layers)


def contents(body: bytes, found: Parts, here: Architecture, name: str) -> Contents:
    """Return what a config says.

    Raises:
        ImageUnavailable: it does not fit its manifest, or this computer.
    """
    config = _read(_Config, body, f"the config of {name}")
    if not here.runs(config.os or "linux", config.architecture or here.name, config.variant):
        raise ImageUnavailable(
            f"image {name} is for {_shown(config)}, and this computer is {here}",
            hint=f"use an image for {here}, or a computer that the image is for",
        )
    diff_ids = config.rootfs.diff_ids
    if len(diff_ids) != len(found.layers):
        raise ImageUnavailable(
            f"image {name} is broken: its manifest has {len(found.layers)} layers,"
            f" its config {len(diff_ids)}",
            hint="push it again",
        )
    program = _program(config.config or _Runtime.model_validate({}))
    words = (*program.entrypoint, *program.cmd, *program.env, program.user, program.workdir)
    if any("\0" in word for word in words):
        raise ImageUnavailable(
            f"image {name} is broken: its config has a NUL character in it", hint="push it again"
        )
    return Contents(program, diff_ids)


def _program(found: _Runtime) -> ImageConfig:
    return ImageConfig(
        tuple(found.entrypoint or ()),
        tuple(found.cmd or ()),
        tuple(found.env or ()),
        found.user or "",
        found.workdir or "",
        found.stop_signal or "",
        tuple(sorted(found.exposed_ports or ())),
    )


def _rank(one: Descriptor, here: Architecture) -> int | None:
    """Return how well a manifest fits this computer, best is least; None where it does not.

    One of which the index does not say what it is for is the last choice: its config says it.
    """
    if one.platform is None:
        return _UNTOLD if one.media_type in (*MANIFESTS, *INDEXES) else None
    return here.rank(one.platform.os, one.platform.architecture, one.platform.variant)


def _is_image(one: Descriptor) -> bool:
    """Return whether it is for some computer; what build tools add to an index is for none."""
    return one.platform is not None and one.platform.architecture not in ("", "unknown")


def _shown(platform: Platform | None) -> str:
    assert platform
    known = Architecture(platform.architecture, platform.variant, platform.os or "linux")
    return _printable(str(known))


def _printable(text: str) -> str:
    """Return what a registry says as it may be shown: short, and nothing that moves a cursor."""
    short = text[:_SHOWN_MAX]
    return short if short.isprintable() else ascii(short)


def _read(model: type[T], body: bytes, what: str) -> T:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "as a whole"
        raise ImageUnavailable(
            f"{what} cannot be read: {where}: {first['msg'].lower()}", hint="push the image again"
        ) from error
