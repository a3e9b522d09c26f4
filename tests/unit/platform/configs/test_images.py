from __future__ import annotations

import pytest

from ephemera.platform import configs

from .accepting import HOST_ONLY, checked, refusal

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("image", "registry", "repository", "tag", "digest"),
    [
        ("host", "", "host", "", ""),
        ("ubuntu:24.04", "", "ubuntu", "24.04", ""),
        ("library/ubuntu", "", "library/ubuntu", "", ""),
        ("registry.fly.io/app:d-1", "registry.fly.io", "app", "d-1", ""),
        ("localhost:5000/a/b", "localhost:5000", "a/b", "", ""),
        (f"ghcr.io/a@{DIGEST}", "ghcr.io", "a", "", DIGEST),
    ],
)
def test_an_image_reference_is_accepted_and_taken_apart(
    image: str, registry: str, repository: str, tag: str, digest: str
) -> None:
    assert checked(image=image)["image"] == image
    assert configs.image_ref(image) == {
        "registry": registry,
        "repository": repository,
        "tag": tag,
        "digest": digest,
    }


@pytest.mark.parametrize(
    "image",
    ["a b", "a:", "../a", "a\n", "a\0", "UPPER case", "a@sha256:12", "http://a/b", "a" * 2000],
)
def test_what_is_no_image_reference_is_refused(image: str) -> None:
    assert f"config.image {image[:4]!r}"[:-1] in refusal(image=image)


@pytest.mark.parametrize("image", [None, ""])
def test_a_config_without_an_image_is_refused(image: str | None) -> None:
    assert "config.image is required" in refusal(HOST_ONLY, image=image)
