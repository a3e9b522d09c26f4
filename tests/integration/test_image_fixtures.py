"""The registry and the images of the tests are real: another program can use them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import images, needs
from tests.registry import PASSWORD, USER, Registry, running_registry

pytestmark = [needs.registry, needs.skopeo, needs.busybox, needs.zstd]


def inspect(reference: str, *options: str) -> dict[str, object]:
    done = subprocess.run(
        ["skopeo", "inspect", *options, f"docker://{reference}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_an_image_that_was_pushed_is_seen_by_other_programs(registry: Registry) -> None:
    reference = registry.push("seen", images.busybox())
    assert inspect(reference, "--tls-verify=false")["Digest"] == images.busybox().digest


def test_an_index_and_zstd_layers_are_taken(registry: Registry) -> None:
    layer = images.layer(images.file("a", b"1"), compression="zstd")
    both = images.index(images.build(layer), images.build(layer, architecture="s390x"))
    assert registry.push("both", both).endswith("/both:latest")


@pytest.mark.parametrize("kind", ["users", "tokens"])
def test_a_guarded_registry_lets_in_who_knows_the_password(kind: str, tmp_path: Path) -> None:
    with running_registry(tmp_path, users=kind == "users", tokens=kind == "tokens") as registry:
        reference = registry.push("guarded", images.busybox())
        known = inspect(reference, "--tls-verify=false", f"--creds={USER}:{PASSWORD}")
        assert known["Architecture"] == images.HERE


def test_a_registry_with_tls_is_known_by_its_own_authority(tmp_path: Path) -> None:
    with running_registry(tmp_path, tls=True) as registry:
        reference = registry.push("safe", images.busybox())
        (tmp_path / "certs").mkdir()
        (tmp_path / "certs/ca.crt").symlink_to(tmp_path / "ca.crt")
        assert inspect(reference, f"--cert-dir={tmp_path}/certs")["Name"]
