"""What a client that openapi-python-client generates sees: generated.py FOLDER URL TOKEN APP.

FOLDER holds the generated package `machines_api`. Runs with the Python that has its dependencies,
and prints one JSON object. A status that the official document does not name ends it.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any, get_args

FOLDER, URL, TOKEN, APP = sys.argv[1:]
sys.path.insert(0, FOLDER)
client = import_module("machines_api").AuthenticatedClient(
    URL, TOKEN, raise_on_unexpected_status=True
)


def call(group: str, operation: str, *path: str, body: dict[str, Any] | None = None, **query: Any):  # type: ignore[no-untyped-def]
    """Return what an operation answers, read by the model that the document has for it."""
    module = import_module(f"machines_api.api.{group}.{operation}")
    if body is not None:
        query["body"] = _model(module, body)
    answer = module.sync_detailed(*path, client=client, **query)
    return answer.parsed if answer.parsed is not None else answer.status_code


def _model(module: Any, body: dict[str, Any]) -> Any:
    kind = module.sync_detailed.__annotations__["body"]
    return (get_args(kind) or (kind,))[0].from_dict(body)


def shown(value: Any) -> Any:
    """Return an answer as JSON has it."""
    if isinstance(value, list):
        return [shown(one) for one in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


def main() -> None:
    """Go through the life of an app.

    Without `exec`: the document names two content types for its answer, and the generator takes
    the wrong one, bytes.
    """
    call("apps", "apps_create", body={"name": APP, "org_slug": "personal"})
    config = {"image": "host", "init": {"exec": ["sleep", "600"]}, "restart": {"policy": "no"}}
    machine = call("machines", "machines_create", APP, body={"config": config})
    at = (APP, machine.id)
    call("machines", "machines_wait", *at, timeout=30)
    seen = {
        "app": call("apps", "apps_show", APP),
        "machine": call("machines", "machines_show", *at),
        "machines": call("machines", "machines_list", APP),
        "events": call("machines", "machines_list_events", *at),
        "processes": call("machines", "machines_list_processes", *at),
        "versions": call("machines", "machines_list_versions", *at),
        "memory": call("machines", "machines_get_memory", *at),
        "stopped": call("machines", "machines_stop", *at, body={"signal": "SIGTERM"}),
        "volume": call("volumes", "volumes_create", APP, body={"name": "data", "size_gb": 1}),
        "volumes": call("volumes", "volumes_list", APP),
        "secrets": call("secrets", "secrets_update", APP, body={"values": {"PASSWORD": "x"}}),
        "key": call("secrets", "secretkey_generate", APP, "signing", body={"type": "nacl_sign"}),
        "keys": call("secrets", "secretkeys_list", APP),
        "token": call("tokens", "current_token_show"),
        "regions": call("platform", "platform_regions_get"),
    }
    stopped = import_module("machines_api.models").MachinesWaitState.STOPPED
    seen["rested"] = call("machines", "machines_wait", *at, state=stopped, timeout=30)
    seen["deleted"] = call("apps", "apps_delete", APP)
    print(json.dumps({name: shown(value) for name, value in seen.items()}))


main()
