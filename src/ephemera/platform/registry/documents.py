"""What a manifest or an index is, and what it refers to. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from ephemera.oci.manifests import INDEXES, MANIFESTS, Descriptor
from ephemera.platform.registry import refusals

_OCI_INDEX, _OCI_MANIFEST = INDEXES[0], MANIFESTS[0]


class _Shape(BaseModel):
    schema_version: Literal[2] = Field(alias="schemaVersion")
    media_type: str = Field("", alias="mediaType")
    config: Descriptor | None = None
    layers: Sequence[Descriptor] | None = None
    manifests: Sequence[Descriptor] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index, taken apart."""

    media_type: str
    #: The digests of config and layers; none where it is an index.
    blobs: Sequence[str]
    #: The digests of the manifests in an index.
    manifests: Sequence[str]


def read(body: bytes, media_type: str = "") -> Document:
    """Return what a manifest or an index is.

    Args:
        media_type: What it is said to be by who sends it; may be empty.

    Raises:
        RegistryRefusal: it is neither, or not what it is said to be.
    """
    try:
        shape = _Shape.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise refusals.manifest_invalid(f"{where}: {first['msg'].lower()}") from None
    document = _taken_apart(shape)
    if media_type not in ("", document.media_type):
        raise refusals.manifest_invalid(
            f"it is sent as {media_type[:100]!r}, and is {document.media_type}"
        )
    return document


def _taken_apart(shape: _Shape) -> Document:
    is_index = shape.manifests is not None
    known = INDEXES if is_index else MANIFESTS
    # A form of OCI may leave out what it is.
    media_type = shape.media_type or (_OCI_INDEX if is_index else _OCI_MANIFEST)
    if media_type not in known:
        raise refusals.manifest_invalid(f"mediaType {media_type[:100]!r} is not {', '.join(known)}")
    if shape.manifests is not None:
        return Document(media_type, (), [one.digest for one in shape.manifests])
    if shape.config is None or shape.layers is None:
        raise refusals.manifest_invalid("it has no config, or no layers")
    return Document(media_type, [one.digest for one in (shape.config, *shape.layers)], ())
