from __future__ import annotations

import pytest

from ephemera.errors import ImageUnavailable
from ephemera.oci.reference import parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "written_out"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/library/busybox", "docker.io/library/busybox:latest"),
        ("me/app", "docker.io/me/app:latest"),
        ("docker.io/me/app:V1.0_rc-1", "docker.io/me/app:V1.0_rc-1"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("ghcr.io/a/b/c", "ghcr.io/a/b/c:latest"),
        ("localhost/a", "localhost/a:latest"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
        ("127.0.0.1:5000/a:b", "127.0.0.1:5000/a:b"),
        ("[::1]:5000/a:b", "[::1]:5000/a:b"),
        ("LOUD/a", "LOUD/a:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"busybox:1@{DIGEST}", f"docker.io/library/busybox:1@{DIGEST}"),
        ("a__b/c--d/e.f", "docker.io/a__b/c--d/e.f:latest"),
    ],
)
def test_a_reference_is_written_out_as_docker_does_it(text: str, written_out: str) -> None:
    assert str(parse(text)) == written_out
    assert str(parse(written_out)) == written_out


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "@", "/", "a:", "a@", "Upper", "host.io/Upper", "a//b", "a/", "-a", "a-", "a:b:c",
        "a b", "a\n", "a:-b", f"a:{'b' * 129}", "a@sha256:0", f"a@{DIGEST.upper()}", "a@md5:00",
        f"a@{DIGEST}@{DIGEST}", "ho_st:5000/a", "http://host.io/a", "../a", "a/../b", "host.io:x/a",
        "host.io:0/a", "host.io:65536/a", f"{'h' * 64}.io/a", "h..io/a", "a" * 2000,
        "a" * 256, "host.io/" + "a/" * 200 + "a", "ünïcode",
    ],
)  # fmt: skip
def test_what_is_not_a_reference_is_refused_and_says_so(text: str) -> None:
    with pytest.raises(ImageUnavailable, match="is not an image reference"):
        parse(text)


def test_a_digest_is_asked_for_before_a_tag() -> None:
    assert parse(f"busybox:1@{DIGEST}").asked == DIGEST
    assert parse("busybox:1").asked == "1"


def test_the_same_repository_has_other_images() -> None:
    assert str(parse("ghcr.io/a/b:1").at(DIGEST)) == f"ghcr.io/a/b@{DIGEST}"
