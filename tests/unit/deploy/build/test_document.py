from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ephemera.deploy.build import document
from ephemera.deploy.build.layers import Layer
from ephemera.oci.manifests import Descriptor

OURS = Layer(Path("layer"), "sha256:" + "a" * 64, "sha256:" + "b" * 64, 7, "tar+zstd")
BASE: dict[str, Any] = {
    "architecture": "arm64",
    "os": "linux",
    "variant": "v8",
    "created": "2026-01-01T00:00:00Z",
    "config": {"Env": ["PATH=/bin", "LANG=C"], "Entrypoint": ["/entry"], "StopSignal": "SIGINT"},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "c" * 64]},
    "history": [{"created_by": "base"}],
}


def made(base: dict[str, Any] = BASE) -> dict[str, Any]:
    settings = {"Env": ["PATH=/opt/bin:/bin"], "Cmd": ["run"]}
    found: dict[str, Any] = json.loads(document.config(base, [OURS], settings).body)
    return found


def test_a_config_is_that_of_its_base_with_layers_above() -> None:
    found = made()
    assert found["rootfs"]["diff_ids"] == ["sha256:" + "c" * 64, "sha256:" + "b" * 64]
    assert (found["architecture"], found["os"], found["variant"]) == ("arm64", "linux", "v8")
    assert found["config"]["StopSignal"] == "SIGINT"
    assert len(found["history"]) == 2


def test_variables_of_the_base_stay_and_ours_count() -> None:
    assert made()["config"]["Env"] == ["PATH=/opt/bin:/bin", "LANG=C"]


def test_our_command_is_what_starts() -> None:
    assert made()["config"]["Cmd"] == ["run"]
    assert "Entrypoint" not in made()["config"]


def test_an_image_does_not_say_when_it_was_made() -> None:
    assert "created" not in made()


def test_a_base_that_tells_no_history_has_none_above() -> None:
    assert "history" not in made({name: BASE[name] for name in BASE if name != "history"})


def test_a_manifest_calls_layers_of_docker_by_their_names_in_oci() -> None:
    kind = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    below = Descriptor(mediaType=kind, digest="sha256:" + "d" * 64, size=3)
    config = document.config(BASE, [OURS], {})
    found = json.loads(document.manifest(config, [below], [OURS]).body)
    assert found["config"]["digest"] == config.digest
    assert [one["mediaType"] for one in found["layers"]] == [
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "tar+zstd",
    ]
