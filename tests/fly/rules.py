"""What may be asked of Fly.io: its document, strictly, and what its own clients send besides.

A request that is not of this kind is one that only a platform of ours understands.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from jsonschema_rs import Draft202012Validator

from tests.conformance.amendments import amended
from tests.conformance.document import Operation, load, operations

API, LOGS = "api.machines.dev", "api.fly.io"

#: Queries that the document does not have, by operation, and who sends them.
ALSO = {
    "POST /v1/apps": {"wait": "fly-go, always"},
    "DELETE /v1/apps/{app_name}": {"force": "Fly's documentation of apps"},
}
#: Fields that may be null, and what that means; the document knows no null.
NULLABLE = {
    ("updateMetadataRequest", "metadata"): "takes the key away: the document's own words",
    ("AppSecretsUpdateRequest", "values"): "takes the secret away: fly-go has pointers there",
}
#: The log is an older API, which no document describes: these are what fly-go sends.
_LOG_PATH, _LOG_QUERY = re.compile("/api/v1/apps/[^/]+/logs"), {"next_token", "instance", "region"}
_NONCE = "fly-machine-lease-nonce"
_HEADERS = frozenset(
    "accept accept-encoding authorization connection content-length content-type host user-agent"
    f" {_NONCE}".split()
)
_IN_A_PATH = re.compile("{[^}]+}")
#: Seconds that a wait may be held.
_HELD_S = range(1, 61)


class Rules:
    """What may be asked, and what is answered."""

    def __init__(self) -> None:
        document = load()
        self._operations = [
            (re.compile(f"{one.method.upper()} {one.pattern}"), one) for one in operations(document)
        ]
        self._strict = _strict(document)
        self._answers = amended(document)

    def name(self, request: httpx2.Request) -> str:
        """Return which operation a request is of: `GET /v1/apps/{app_name}`; empty for none."""
        if request.url.host == LOGS and _LOG_PATH.fullmatch(request.url.path):
            return f"{request.method} /api/v1/apps/{{app_name}}/logs"
        found = self._operation(request)
        return found.name if found else ""

    def problems(self, request: httpx2.Request) -> list[str]:
        """Return what is wrong with a request; nothing where Fly.io is known to take it."""
        asked = f"{request.method} {request.url}"
        return [f"{asked}: {problem}" for problem in self._problems(request)]

    def known_part(self, request: httpx2.Request, status: int, answer: object) -> object:
        """Return an answer without what the document does not have of it."""
        found = self._operation(request)
        responses = found.definition["responses"] if found else {}
        described = self._answers["paths"][found.path][found.method] if found else {}
        content = described.get("responses", responses).get(str(status), {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return self._kept(schema, answer) if schema else answer

    def _problems(self, request: httpx2.Request) -> Iterator[str]:
        query = parse_qsl(request.url.query.decode(), keep_blank_values=True)
        yield from (f"header {one}" for one in request.headers if one.lower() not in _HEADERS)
        if request.url.host == LOGS:
            yield from (f"query {name}" for name, _ in query if name not in _LOG_QUERY)
        elif request.url.host != API:
            yield f"not a host of Fly.io's: {request.url.host}"
        if not self.name(request):
            yield "no such operation"
        elif operation := self._operation(request):
            yield from self._query_problems(operation, query)
            yield from self._body_problems(operation, request)

    def _query_problems(self, operation: Operation, query: list[tuple[str, str]]) -> Iterator[str]:
        described = {
            one["name"]: one["schema"]
            for one in operation.definition.get("parameters", ())
            if one["in"] == "query"
        }
        described |= {name: {} for name in ALSO.get(operation.name, ())}
        for name, value in query:
            schema = described.get("metadata.{key}" if name.startswith("metadata.") else name)
            if schema is None:
                yield f"query {name}"
            elif not _is_of(schema, value):
                yield f"query {name}={value}"
        if operation.path.endswith("/wait"):
            held = [int(value) for name, value in query if name == "timeout"]
            yield from (f"held for {one} s" for one in held if one not in _HELD_S)

    def _body_problems(self, operation: Operation, request: httpx2.Request) -> Iterator[str]:
        body = request.content
        described = operation.definition.get("requestBody", {}).get("content", {})
        if not described:
            if body:
                yield "a body, of which nobody knows"
            return
        schema = next(iter(described.values()))["schema"]
        if not body:
            # what needs one says EOF, whatever the document has about it
            if operation.method != "post" or not operation.path.endswith(("/stop", "/oidc")):
                yield "no body"
            return
        for error in self._validator(schema["$ref"]).iter_errors(json.loads(body)):
            yield f"body at {'.'.join(map(str, error.instance_path)) or 'its top'}: {error.message}"

    @cache  # noqa: B019 - there is one for each platform
    def _validator(self, schema: str) -> Draft202012Validator:
        return Draft202012Validator({"$ref": schema, "components": self._strict})

    def _operation(self, request: httpx2.Request) -> Operation | None:
        if request.url.host != API:
            return None
        asked = f"{request.method} {request.url.path}"
        found = [one for pattern, one in self._operations if pattern.fullmatch(asked)]
        # `/secrets/all` would be a name too: the fewer of them a path has, the better it fits
        return min(found, key=lambda one: len(_IN_A_PATH.findall(one.path)), default=None)

    def _kept(self, schema: Mapping[str, Any], value: Any) -> Any:
        for one in (schema, *schema.get("allOf", ()), *schema.get("anyOf", ())):
            if "$ref" in one:
                named = one["$ref"].rpartition("/")[2]
                return self._kept(self._answers["components"]["schemas"][named], value)
        if isinstance(value, list) and "items" in schema:
            return [self._kept(schema["items"], one) for one in value]
        if isinstance(value, dict) and "properties" in schema:
            known = schema["properties"]
            return {key: self._kept(known[key], one) for key, one in value.items() if key in known}
        if isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
            inner = schema["additionalProperties"]
            return {key: self._kept(inner, one) for key, one in value.items()}
        return value


def _is_of(schema: Mapping[str, Any], value: str) -> bool:
    if schema.get("type") == "integer":
        return value.isdecimal()
    if schema.get("type") == "boolean":
        return value in ("true", "false")
    return value in schema.get("enum", (value,))


def _strict(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas such that a field which they do not name is a mistake."""
    components: dict[str, Any] = copy.deepcopy(document["components"])
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    for name, key in NULLABLE:
        values = components["schemas"][name]["properties"][key]["additionalProperties"]
        values["type"] = [values["type"], "null"]
    return components
