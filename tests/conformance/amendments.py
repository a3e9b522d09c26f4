"""Where Fly.io is known to answer something else than its document says.

The document is held to be right in everything else. An amendment names what it changes and why;
none of them switches a check off for an operation as a whole.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.conformance.document import operations

Document = dict[str, Any]
Schema = dict[str, Any]

_ERROR: Schema = {"$ref": "#/components/schemas/ErrorResponse"}
_ACTION = "#/components/schemas/resset.Action"


@dataclass(frozen=True)
class Amendment:
    """One difference between the document and the wire."""

    reason: str
    apply: Callable[[Document], None]


def amended(document: Document) -> Document:
    """Return a copy of the document with every amendment made to it."""
    fresh = copy.deepcopy(document)
    for amendment in AMENDMENTS:
        amendment.apply(fresh)
    return fresh


# statuses

#: Statuses that any operation may answer, with the reason.
EVERYWHERE = {
    400: "a request that is not what the document says; `invalid_argument:`",
    401: "no token, or none that is valid",
    403: "a token for less than this",
    404: "an unknown app, machine, volume, ...: the document has it for one operation only",
    413: "a body longer than 1 MiB; ours",
    429: "rate limits",
    503: "the server is about to stop",
}

_MACHINE = "/v1/apps/{app_name}/machines/{machine_id}"
_VOLUME = "/v1/apps/{app_name}/volumes/{volume_id}"
_GATED = "held by a lease of somebody else"
_STATE = "`failed_precondition:` the machine is not in a state for it"

#: Statuses of single operations that the document does not have, with the reason.
SINGLE: dict[str, dict[int, str]] = {
    "DELETE /v1/apps/{app_name}": {412: "it has machines that are not stopped"},
    "POST /v1/apps/{app_name}/machines": {
        409: "the name is taken, or there is no capacity",
        412: "the host of its volume is full, or the secrets are not there yet",
        422: "no capacity, or a guest that cannot be",
    },
    f"POST {_MACHINE}": {409: f"{_GATED}, or a concurrent update", 412: _STATE, 422: "a guest"},
    f"DELETE {_MACHINE}": {409: _GATED, 412: "it is not stopped"},
    f"POST {_MACHINE}/start": {409: _GATED, 412: _STATE},
    f"POST {_MACHINE}/stop": {409: _GATED, 412: _STATE},
    f"POST {_MACHINE}/restart": {408: "it was not up in time", 409: _GATED, 412: _STATE},
    f"POST {_MACHINE}/suspend": {409: _GATED, 412: _STATE},
    f"POST {_MACHINE}/cordon": {409: _GATED, 412: _STATE},
    f"POST {_MACHINE}/uncordon": {409: _GATED, 412: _STATE},
    f"POST {_MACHINE}/signal": {409: _GATED, 412: _STATE},
    f"POST {_MACHINE}/exec": {408: "the command did not end in time", 412: _STATE},
    f"GET {_MACHINE}/ps": {412: _STATE},
    f"GET {_MACHINE}/memory": {412: _STATE},
    f"PUT {_MACHINE}/memory": {409: _GATED, 412: _STATE},
    f"POST {_MACHINE}/memory/reclaim": {409: _GATED, 412: _STATE},
    f"GET {_MACHINE}/wait": {
        408: "the state was not reached in time",
        412: "the version that it is about was replaced",
    },
    f"POST {_MACHINE}/lease": {409: "somebody else holds it"},
    f"POST {_MACHINE}/metadata/{{key}}": {412: "the machine is destroyed"},
    f"DELETE {_MACHINE}/metadata/{{key}}": {412: "the machine is destroyed"},
    "POST /v1/apps/{app_name}/volumes": {412: "what it is to be made from is not there yet"},
    f"DELETE {_VOLUME}": {412: "a machine has it"},
    f"POST {_VOLUME}/snapshots": {412: "another one is under way"},
}


def _allow_statuses(document: Document) -> None:
    for operation in operations(document):
        responses = operation.definition["responses"]
        for status in (*EVERYWHERE, *SINGLE.get(operation.name, ())):
            responses.setdefault(str(status), _error_response())


def _error_response() -> Schema:
    content = {"application/json": {"schema": dict(_ERROR)}}
    return {"description": "Refused", "content": content}


# bodies


def _errors_are_json(document: Document) -> None:
    for operation in operations(document):
        for status, response in operation.definition["responses"].items():
            if int(status) >= 400:
                response["content"] = _error_response()["content"]


def _lease_envelope(document: Document) -> None:
    lease = document["paths"][_MACHINE + "/lease"]
    data = {"$ref": "#/components/schemas/Lease"}
    for method, status in (("get", "200"), ("post", "201")):
        lease[method]["responses"][status]["content"]["application/json"]["schema"] = {
            "type": "object",
            "properties": {"status": {"type": "string"}, "data": data},
            "required": ["status", "data"],
        }
    refused = lease["post"]["responses"]["409"]["content"]["application/json"]
    refused["schema"] = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("status", "message", "code")},
        "required": ["status", "message", "code"],
    }


def _property(schema: str, name: str, *also: Schema) -> Callable[[Document], None]:
    """Return what lets a property of a schema have other forms too."""

    def apply(document: Document) -> None:
        properties = document["components"]["schemas"][schema]["properties"]
        properties[name] = {"anyOf": [properties[name], *also]}

    return apply


def _bytes_as_base64(document: Document) -> None:
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if field.get("type") == "array" and field.get("items") == {"type": "integer"}:
                schema["properties"][name] = {"anyOf": [field, {"type": "string"}]}


def _nulls(document: Document) -> None:
    for name, schema in document["components"]["schemas"].items():
        if name.startswith("fly."):
            _may_be_null(schema.get("properties", {}).values())


def _may_be_null(fields: Iterable[Schema]) -> None:
    for field in fields:
        if "$ref" in field:
            field["allOf"] = [{"$ref": field.pop("$ref")}]
        field["nullable"] = True
        if "enum" in field:
            field["enum"] = [*field["enum"], None]


def _tokens_as_fly_writes_them(document: Document) -> None:
    schemas = document["components"]["schemas"]
    number = schemas["resset.Action"]
    schemas["resset.Action"] = {"anyOf": [number, {"type": "string", "pattern": "^[rwcdC]*$"}]}
    # The document calls it an object and a number at once, which nothing is.
    schemas["main.TokenAccess"]["properties"]["action"] = {"$ref": _ACTION}
    caveats = schemas["macaroon.CaveatSet"]
    schemas["macaroon.CaveatSet"] = {"anyOf": [caveats, caveats["properties"]["caveats"]]}


def _exec_is_json(document: Document) -> None:
    for response in document["paths"][_MACHINE + "/exec"]["post"]["responses"].values():
        response["content"].pop("application/octet-stream", None)


AMENDMENTS = [
    Amendment(
        "the document lists few of the errors that are known to be answered", _allow_statuses
    ),
    Amendment("an error is JSON, also where the answer would be text", _errors_are_json),
    Amendment(
        "a lease comes in an envelope, as fly-go and the documentation have it", _lease_envelope
    ),
    Amendment(
        "autostop is answered as a boolean too",
        _property("fly.MachineService", "autostop", {"type": "boolean"}),
    ),
    Amendment(
        "persist_rootfs is a number too",
        _property("fly.MachineGuest", "persist_rootfs", {"type": "integer"}),
    ),
    Amendment("Go writes bytes as base64", _bytes_as_base64),
    Amendment("Go clients send null for what is empty, and get back what they sent", _nulls),
    Amendment("an exec answers JSON: nobody has seen anything else", _exec_is_json),
    Amendment(
        "actions are letters and caveats an array in the library that Fly and its clients share",
        _tokens_as_fly_writes_them,
    ),
]
