"""A platform with something of every kind on it, so that fuzzed requests find what they ask for."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ephemera.testing.machines_api import MOCK, AppUnderTest, Subject, answered
from ephemera.testing.serving import Server

_APP, _HOSTNAME = "conformance", "conformance.example"
_MACHINE = "/v1/apps/{app_name}/machines/{machine_id}"
_KEY = "/v1/apps/{app_name}/secretkeys/{secret_name}"
_PLAIN = [1, 2, 3]
#: Each can be done with a machine that nobody has leased and that is started.
_OF_A_MACHINE_OF_ITS_OWN = ("", "/lease", "/signal", "/restart", "/stop", "/suspend")
#: None of them changes whether it is started, or its metadata.
_OF_STARTED_MACHINES = (
    f"GET {_MACHINE}/ps",
    f"GET {_MACHINE}/memory",
    f"PUT {_MACHINE}/memory",
    f"POST {_MACHINE}/memory/reclaim",
    f"POST {_MACHINE}/exec",
    f"GET {_MACHINE}/metadata/{{key}}",
)


@dataclass
class World:
    """What there is on a platform, in the words of the document."""

    server: Server
    #: For each parameter, such as `path.machine_id`: what there is.
    names: dict[str, list[str]] = field(default_factory=dict)
    #: The same for single operations, which need something of their own.
    own: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    #: Bodies that only make sense with what there is, by operation.
    bodies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def make(server: Server) -> World:
    """Make something of every kind on a platform with the mock driver."""
    world = World(server)
    subject = Subject(server.endpoint.url, server.token, programs=MOCK)
    with subject.connect() as http:
        app = AppUnderTest(subject, http)
        for app.name in ("doomed", _APP):
            answered(http.post("/v1/apps", json={"name": app.name, "org_slug": "personal"}))
        world.names = {"path.app_name": [_APP], "path.org_slug": ["personal"]}
        world.own["DELETE /v1/apps/{app_name}"] = {"path.app_name": ["doomed"]}
        for part in (_machines, _volumes, _secrets, _secret_keys, _certificate, _address, _token):
            part(world, app)
    return world


def _machines(world: World, app: AppUnderTest) -> None:
    metadata = {"key": "value", "doomed": "value"}
    machines = [app.running(metadata=metadata) for _ in range(4)]
    gone = app.ended()
    answered(app.ask("DELETE", f"/machines/{gone}"))
    app.reaches(gone, "destroyed")
    world.names |= {"path.machine_id": machines, "path.key": ["key"]}
    doomed = [app.ended() for _ in range(3)]
    world.own[f"DELETE {_MACHINE}"] = {"path.machine_id": [*doomed, gone]}
    world.own[f"DELETE {_MACHINE}/metadata/{{key}}"] = {"path.key": ["doomed"]}
    # a machine that moves no more answers every wait at once
    read = app.get(f"/machines/{gone}")
    world.own[f"GET {_MACHINE}/wait"] = {
        "path.machine_id": [gone],
        "query.version": [read["instance_id"]],
        "query.from_event_id": [read["events"][-1]["id"]],
    }
    for method in ("GET", "DELETE"):
        world.own[f"{method} {_MACHINE}/lease"] = {"path.machine_id": [_leased(world, app)]}
    # or others would find all of them leased, and these none that is in a state for it
    for operation in _OF_A_MACHINE_OF_ITS_OWN:
        world.own[f"POST {_MACHINE}{operation}"] = {"path.machine_id": [app.running()]}
    world.own[f"POST {_MACHINE}/start"] = {"path.machine_id": [app.ended()]}
    started = app.running(metadata=metadata)
    for operation in _OF_STARTED_MACHINES:
        world.own[operation] = {"path.machine_id": [started]}


def _leased(world: World, app: AppUnderTest) -> str:
    machine = app.running()
    lease = app.post(f"/machines/{machine}/lease", json={"ttl": 3600})["data"]
    world.names["header.fly-machine-lease-nonce"] = [lease["nonce"]]
    return machine


def _volumes(world: World, app: AppUnderTest) -> None:
    made, doomed = (app.post("/volumes", json={"name": "data", "size_gb": 1}) for _ in range(2))
    world.names["path.volume_id"] = [made["id"]]
    world.own["DELETE /v1/apps/{app_name}/volumes/{volume_id}"] = {"path.volume_id": [doomed["id"]]}


def _secrets(world: World, app: AppUnderTest) -> None:
    app.post("/secrets", json={"values": {"SECRET": "value", "DOOMED": "value"}})
    path = "/v1/apps/{app_name}/secrets/{secret_name}"
    world.names["path.secret_name"] = ["SECRET"]
    world.own[f"DELETE {path}"] = {"path.secret_name": ["DOOMED"]}


def _secret_keys(world: World, app: AppUnderTest) -> None:
    for kind in ("nacl_sign", "nacl_secretbox", "hs256", "hs512"):
        app.post(f"/secretkeys/{kind}/generate", json={"type": kind})
    seals, signs = "/secretkeys/nacl_secretbox", "/secretkeys/nacl_sign"
    sealed = app.post(f"{seals}/encrypt", json={"plaintext": _PLAIN})["ciphertext"]
    signed = app.post(f"{signs}/sign", json={"plaintext": _PLAIN})["signature"]
    world.bodies[f"POST {_KEY}/decrypt"] = [{"ciphertext": _numbers(sealed)}]
    proof = {"plaintext": _PLAIN, "signature": _numbers(signed)}
    world.bodies[f"POST {_KEY}/verify"] = [proof]
    names = {
        f"POST {_KEY}/encrypt": "nacl_secretbox",
        f"POST {_KEY}/decrypt": "nacl_secretbox",
        f"POST {_KEY}/sign": "nacl_sign",
        f"POST {_KEY}/verify": "nacl_sign",
        f"GET {_KEY}": "nacl_sign",
        f"POST {_KEY}": "hs256",
        f"POST {_KEY}/generate": "hs256",
        f"DELETE {_KEY}": "hs512",
    }
    world.own |= {operation: {"path.secret_name": [name]} for operation, name in names.items()}


def _numbers(text: str) -> list[int]:
    return list(base64.b64decode(text))


def _certificate(world: World, app: AppUnderTest) -> None:
    path = "/v1/apps/{app_name}/certificates"
    for hostname in (_HOSTNAME, "all.example", "custom.example", "acme.example"):
        app.post("/certificates/custom", json=_self_signed(hostname))
    world.names["path.hostname"] = [_HOSTNAME]
    world.own[f"DELETE {path}/{{hostname}}"] = {"path.hostname": ["all.example"]}
    world.own[f"DELETE {path}/{{hostname}}/custom"] = {"path.hostname": ["custom.example"]}
    world.own[f"DELETE {path}/{{hostname}}/acme"] = {"path.hostname": ["acme.example"]}
    world.bodies[f"POST {path}/custom"] = [_self_signed(_HOSTNAME)]


def _self_signed(hostname: str) -> dict[str, str]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return {
        "hostname": hostname,
        "fullchain": certificate.public_bytes(pem).decode(),
        "private_key": private.decode(),
    }


def _address(world: World, app: AppUnderTest) -> None:
    made = app.post("/ip_assignments", json={"type": "private_v6"})
    world.names["path.ip"] = [made["ip"]]


def _token(world: World, app: AppUnderTest) -> None:
    header = f"Bearer {world.server.token}"
    world.bodies["POST /v1/tokens/authenticate"] = [{"header": header}]
    access = {"app_name": app.name, "action": 1}
    world.bodies["POST /v1/tokens/authorize"] = [{"header": header, "access": access}]
