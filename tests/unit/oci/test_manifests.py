from __future__ import annotations

import json
from typing import Any

import pytest

from ephemera.errors import ImageUnavailable
from ephemera.oci import manifests
from ephemera.oci.architectures import Architecture
from ephemera.oci.imageconfig import ImageConfig
from tests import images

AMD64, ARM64 = Architecture("amd64"), Architecture("arm64", "v8")
LAYER = images.layer(images.file("a", b"1"))


def document(**fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **fields}).encode()


def index_of(*kinds: tuple[str, str, str]) -> tuple[bytes, list[str]]:
    """Return an index of (os, architecture, variant), and the digests in its order."""
    digests = [f"sha256:{number:064x}" for number in range(len(kinds))]
    listed = [
        {
            "mediaType": images.OCI_MANIFEST,
            "digest": digest,
            "size": 2,
            "platform": {"os": system, "architecture": name, "variant": variant},
        }
        for digest, (system, name, variant) in zip(digests, kinds, strict=True)
    ]
    return document(manifests=listed), digests


@pytest.mark.parametrize(
    ("here", "kinds", "best"),
    [
        (AMD64, [("linux", "arm64", "v8"), ("linux", "amd64", "")], 1),
        (AMD64, [("windows", "amd64", ""), ("linux", "amd64", "")], 1),
        (AMD64, [("linux", "amd64", "v3"), ("linux", "amd64", "")], 1),
        (AMD64, [("unknown", "unknown", ""), ("linux", "amd64", "v2")], 1),
        (ARM64, [("linux", "arm", "v7"), ("linux", "arm64", "")], 1),
        (ARM64, [("linux", "arm64", ""), ("linux", "arm64", "v8")], 1),
        (Architecture("arm", "v6"), [("linux", "arm", "v7"), ("linux", "arm", "v5")], 1),
        (Architecture("arm", "v7"), [("linux", "arm", "v6"), ("linux", "arm", "v7")], 1),
        (Architecture("s390x"), [("linux", "s390x", ""), ("linux", "s390x", "")], 0),
    ],
)
def test_of_an_index_the_best_that_runs_here_is_chosen(
    here: Architecture, kinds: list[tuple[str, str, str]], best: int
) -> None:
    body, digests = index_of(*kinds)
    assert manifests.choose(body, here, "it").digest == digests[best]


def test_one_without_a_kind_is_the_last_choice_if_it_is_an_image() -> None:
    listed = [
        {"mediaType": kind, "digest": f"sha256:{number:064x}", "size": 2}
        for number, kind in enumerate(["text/plain", images.OCI_MANIFEST, images.DOCKER_MANIFEST])
    ]
    untold = document(manifests=listed)
    assert manifests.choose(untold, AMD64, "it").digest == listed[1]["digest"]
    told = {**listed[0], "mediaType": images.OCI_MANIFEST}
    told["platform"] = {"os": "linux", "architecture": "amd64", "variant": "v3"}
    both = document(manifests=[*listed[1:], told])
    assert manifests.choose(both, AMD64, "it").digest == told["digest"]


def test_where_nothing_runs_here_it_says_what_there_is() -> None:
    body, _ = index_of(("linux", "arm64", "v8"), ("linux", "s390x", ""), ("unknown", "unknown", ""))
    with pytest.raises(ImageUnavailable) as refused:
        manifests.choose(body, AMD64, "busybox")
    assert refused.value.message == (
        "image busybox is not there for linux/amd64, only for linux/arm64/v8, linux/s390x"
    )


def test_an_index_is_told_from_a_manifest_by_what_is_in_it() -> None:
    assert manifests.is_index(index_of(("linux", "amd64", ""))[0], "it")
    assert not manifests.is_index(images.build(LAYER).manifest.data, "it")


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"no", b'{"manifests": [], "layers": []}', b'{"mediaType": "text/plain"}'],
)
def test_what_is_neither_or_both_is_refused(body: bytes) -> None:
    with pytest.raises(ImageUnavailable):
        manifests.is_index(body, "it")


def test_schema_1_is_refused_by_name() -> None:
    body = document(schemaVersion=1, fsLayers=[{"blobSum": "sha256:" + "0" * 64}], history=[])
    assert not manifests.is_index(body, "it")
    with pytest.raises(ImageUnavailable, match="schema 1"):
        manifests.parts(body, "it")


def test_an_artifact_that_is_not_an_image_is_refused() -> None:
    chart = {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": LAYER.diff_id}
    body = document(config={**chart, "size": 2}, layers=[])
    with pytest.raises(ImageUnavailable, match=r"not a container image.*helm"):
        manifests.parts(body, "it")


@pytest.mark.parametrize(
    "media_type", ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "application/x-qcow2"]
)
def test_layers_that_are_not_archives_are_refused(media_type: str) -> None:
    layer = LAYER.blob.descriptor() | {"mediaType": media_type}
    config = images.build(LAYER).blobs[0].descriptor()
    with pytest.raises(ImageUnavailable, match="layer of the kind"):
        manifests.parts(document(config=config, layers=[layer]), "it")


def test_more_layers_than_can_be_mounted_are_refused() -> None:
    with pytest.raises(ImageUnavailable, match="has 128 layers"):
        manifests.parts(images.build(*[LAYER] * 128).manifest.data, "it")


@pytest.mark.parametrize("digest", ["", "sha256:00", "md5:" + "0" * 64, "sha256:" + "g" * 64])
def test_a_digest_that_is_none_is_refused(digest: str) -> None:
    layer = LAYER.blob.descriptor() | {"digest": digest}
    config = images.build(LAYER).blobs[0].descriptor()
    with pytest.raises(ImageUnavailable, match=r"layers\.0\.digest"):
        manifests.parts(document(config=config, layers=[layer]), "it")


@pytest.mark.parametrize("docker", [False, True])
def test_what_the_program_needs_is_read_from_the_config(docker: bool) -> None:
    built = images.build(
        LAYER, docker=docker, architecture="amd64",
        entrypoint=["/run"], cmd=["a", "b"], env=["A=1", "B=x=y"],
        User="1000:100", WorkingDir="/srv", StopSignal="SIGINT",
        ExposedPorts={"8080/tcp": {}, "53/udp": {}},
    )  # fmt: skip
    parts = manifests.parts(built.manifest.data, "it")
    found = manifests.contents(built.blobs[0].data, parts, AMD64, "it")
    assert found.config == ImageConfig(
        ("/run",), ("a", "b"), ("A=1", "B=x=y"), "1000:100", "/srv", "SIGINT",
        ("53/udp", "8080/tcp"),
    )  # fmt: skip
    assert found.diff_ids == [LAYER.diff_id]


def test_a_command_of_one_word_may_be_a_string() -> None:
    built = images.build(LAYER, architecture="amd64", Entrypoint="/bin/one word", Cmd=None)
    parts = manifests.parts(built.manifest.data, "it")
    found = manifests.contents(built.blobs[0].data, parts, AMD64, "it")
    assert (found.config.entrypoint, found.config.cmd) == (("/bin/one word",), ())


def test_a_config_with_nothing_in_it_says_nothing() -> None:
    built = images.build(LAYER, architecture="amd64")
    parts = manifests.parts(built.manifest.data, "it")
    body = json.dumps({"config": None, "rootfs": {"diff_ids": [LAYER.diff_id]}}).encode()
    assert manifests.contents(body, parts, AMD64, "it").config == ImageConfig()


def test_an_image_for_another_computer_is_refused() -> None:
    built = images.build(LAYER, architecture="arm64", variant="v8")
    parts = manifests.parts(built.manifest.data, "it")
    with pytest.raises(ImageUnavailable, match="is for linux/arm64/v8, and this computer is"):
        manifests.contents(built.blobs[0].data, parts, AMD64, "it")


def test_a_config_that_does_not_fit_its_manifest_is_refused() -> None:
    built = images.build(LAYER, LAYER, architecture="amd64")
    parts = manifests.parts(images.build(LAYER, architecture="amd64").manifest.data, "it")
    with pytest.raises(ImageUnavailable, match="its manifest has 1 layers, its config 2"):
        manifests.contents(built.blobs[0].data, parts, AMD64, "it")


@pytest.mark.parametrize(
    "config",
    [
        {"entrypoint": ["/run\0"]},
        {"cmd": ["a\0b"]},
        {"env": ["A=\0"]},
        {"User": "\0"},
        {"WorkingDir": "/a\0b"},
    ],
)
def test_a_config_that_no_program_can_be_given_is_refused(config: dict[str, Any]) -> None:
    built = images.build(LAYER, architecture="amd64", **config)
    parts = manifests.parts(built.manifest.data, "it")
    with pytest.raises(ImageUnavailable, match="has a NUL character in it"):
        manifests.contents(built.blobs[0].data, parts, AMD64, "it")


def test_what_a_registry_says_is_shown_short_and_without_control_characters() -> None:
    kind = "\x1b[2J" + "x" * 1000
    with pytest.raises(ImageUnavailable) as refused:
        manifests.is_index(document(mediaType=kind), "it")
    assert "\\x1b[2J" in refused.value.message
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 200
