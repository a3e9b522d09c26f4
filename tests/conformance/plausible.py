"""Bodies that make sense, which those that are made up by chance seldom do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.conformance.amendments import Document
from tests.conformance.document import operations

_MACHINE = "/v1/apps/{app_name}/machines/{machine_id}"
_KEY = "/v1/apps/{app_name}/secretkeys/{secret_name}"

_CONFIGS: list[dict[str, Any]] = [
    {"image": "host", "init": {"exec": ["run"]}},
    {
        "image": "registry-1.docker.io/library/ubuntu:latest",
        "init": {"entrypoint": ["run"], "cmd": ["x"]},
        "env": {"NAME": "value"},
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
        "restart": {"policy": "on-failure", "max_retries": 1},
        "stop_config": {"signal": "SIGTERM", "timeout": "1s"},
        "metadata": {"key": "value"},
        "auto_destroy": True,
    },
    {
        "image": "host",
        "init": {"exec": ["run"]},
        "files": [{"guest_path": "/etc/name", "raw_value": "dmFsdWU="}],
        "services": [
            {
                "protocol": "tcp",
                "internal_port": 8080,
                "autostop": "stop",
                "autostart": True,
                "ports": [{"port": 443, "handlers": ["http", "tls"]}],
                "concurrency": {"type": "requests", "soft_limit": 20},
            }
        ],
        "checks": {"up": {"type": "tcp", "port": 8080, "interval": "15s", "timeout": "2s"}},
    },
]

#: By operation. Bytes are arrays of numbers, as the document has them.
BODIES: dict[str, list[dict[str, Any]]] = {
    "POST /v1/apps": [{"name": "another", "org_slug": "personal"}],
    "POST /v1/apps/{app_name}/deploy_token": [{"expiry": "1h"}, {}],
    "POST /v1/apps/{app_name}/machines": [
        {"config": _CONFIGS[0]},
        {"config": _CONFIGS[1], "region": "local", "lease_ttl": 1},
        {"config": _CONFIGS[2], "skip_launch": True},
    ],
    f"POST {_MACHINE}": [{"config": one} for one in _CONFIGS],
    f"POST {_MACHINE}/exec": [{"command": ["print", "x"]}, {"cmd": "cat", "stdin": "x"}],
    f"POST {_MACHINE}/lease": [{"ttl": 1, "description": "a test"}],
    f"POST {_MACHINE}/signal": [{"signal": "SIGUSR1"}],
    f"POST {_MACHINE}/stop": [{"signal": "SIGTERM", "timeout": "1s"}],
    f"PUT {_MACHINE}/memory": [{"limit_mb": 128}],
    f"POST {_MACHINE}/memory/reclaim": [{"amount_mb": 1}],
    f"PUT {_MACHINE}/metadata": [{"metadata": {"key": "value"}}],
    f"POST {_MACHINE}/metadata/{{key}}": [{"value": "value"}],
    f"PATCH {_MACHINE}/metadata": [{"metadata": {"other": "value"}}],
    "POST /v1/apps/{app_name}/volumes": [{"name": "data", "size_gb": 1, "region": "local"}],
    "PUT /v1/apps/{app_name}/volumes/{volume_id}": [{"snapshot_retention": 7}],
    "PUT /v1/apps/{app_name}/volumes/{volume_id}/extend": [{"size_gb": 9}],
    "POST /v1/apps/{app_name}/secrets": [{"values": {"ONE": "1", "TWO": "2"}}],
    "POST /v1/apps/{app_name}/secrets/{secret_name}": [{"value": "value"}],
    f"POST {_KEY}": [{"type": "hs256", "value": [7] * 32}],
    f"POST {_KEY}/generate": [{"type": "hs256"}, {"type": "nacl_box"}],
    f"POST {_KEY}/encrypt": [{"plaintext": [1, 2, 3]}],
    f"POST {_KEY}/sign": [{"plaintext": [1, 2, 3]}],
    "POST /v1/apps/{app_name}/certificates/acme": [{"hostname": "conformance.example"}],
    "POST /v1/apps/{app_name}/ip_assignments": [{"type": "shared_v4"}, {"type": "private_v6"}],
    "POST /v1/platform/placements": [{"org_slug": "personal", "region": "local,any", "count": 2}],
    "POST /v1/tokens/oidc": [{"aud": "https://example.com"}],
}


def with_bodies(document: Document, bodies_of: Mapping[str, list[dict[str, Any]]]) -> Document:
    """Add bodies to a document, by operation, as examples."""
    for operation in operations(document):
        bodies = bodies_of.get(operation.name)
        if bodies:
            content = operation.definition["requestBody"]["content"]["application/json"]
            content["examples"] = {str(n): {"value": body} for n, body in enumerate(bodies)}
    return document
