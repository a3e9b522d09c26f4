"""What a machine may do is held against every endpoint that there is, so that none slips in."""

from __future__ import annotations

import pytest

from ephemera.platform.access import rights
from ephemera.platform.app import ROUTES

ME, OTHER = "0123456789abcd", "fedcba98765432"
APP = "/v1/apps/{app_name}"
MACHINE = APP + "/machines/{machine_id}"

#: What a machine may do, to whatever machine of its app the path names.
READS = {
    f"GET {APP}",
    f"GET {APP}/machines",
    f"GET {MACHINE}",
    f"GET {MACHINE}/wait",
    f"GET {MACHINE}/events",
    f"GET {MACHINE}/versions",
    f"GET {MACHINE}/ps",
    f"GET {MACHINE}/memory",
    f"GET {MACHINE}/metadata",
    f"GET {MACHINE}/metadata/{{key}}",
    "GET /api/v1/apps/{app_name}/logs",
    "GET /v1/tokens/current",
    "GET /v1/platform/regions",
    "POST /v1/tokens/oidc",
    "POST /v1/tokens/kms",
}
#: What it may do to itself only.
TO_ITSELF = {
    *(f"POST {MACHINE}/{verb}" for verb in ("start", "stop", "suspend", "restart", "signal")),
    *(f"POST {MACHINE}/{verb}" for verb in ("cordon", "uncordon")),
    *(f"{method} {MACHINE}/metadata" for method in ("PUT", "PATCH")),
    *(f"{method} {MACHINE}/metadata/{{key}}" for method in ("POST", "DELETE")),
}
PUBLIC = {
    "GET /",
    "GET /oidc/{org_slug}/.well-known/openid-configuration",
    "GET /oidc/{org_slug}/.well-known/jwks",
    "POST /v1/tokens/authenticate",
    "POST /v1/tokens/authorize",
}
ALL = sorted(
    f"{method} {route.path}" for route in ROUTES for method in (route.methods or set()) - {"HEAD"}
)


def filled(path: str, machine: str) -> str:
    for name, value in (
        ("{app_name}", "demo"),
        ("{machine_id}", machine),
        ("{key}", "k"),
        ("{org_slug}", "personal"),
    ):
        path = path.replace(name, value)
    return path


@pytest.mark.parametrize("endpoint", ALL)
def test_a_machine_may_do_what_is_listed_and_nothing_else(endpoint: str) -> None:
    method, path = endpoint.split(" ")
    of_itself = rights.machine_may(ME, method, filled(path, ME))
    assert of_itself == (endpoint in READS | TO_ITSELF | PUBLIC)
    of_another = rights.machine_may(ME, method, filled(path, OTHER))
    assert of_another == (endpoint in READS | PUBLIC)


@pytest.mark.parametrize("endpoint", ALL)
def test_everybody_may_do_what_is_public_and_nothing_else(endpoint: str) -> None:
    method, path = endpoint.split(" ")
    assert rights.everybody_may(method, filled(path, ME)) == (endpoint in PUBLIC)


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/apps/demo/machines/{OTHER}/../{ME}/stop",
        f"/v1/apps/demo/machines/{OTHER}/stop/{ME}",
        f"/v1/apps/demo/machines/{ME}/stop/",
        f"/v1/apps/demo/machines/{ME}/exec",
        f"/v1/apps/demo/machines/{ME}",
        f"/v1/apps/demo/machines//{ME}/stop",
        f"/v1/apps/demo/machines/{ME}\n/stop",
        f"/v1/apps/a/b/machines/{ME}/stop",
        "/v1/tokens/oidc/",
        "/v1/tokens/authenticate/x",
        "/v1/apps",
        "/",
    ],
)
def test_a_path_that_only_looks_like_one_of_them_is_none(path: str) -> None:
    assert not rights.machine_may(ME, "POST", path)
    assert not rights.everybody_may("POST", path)
