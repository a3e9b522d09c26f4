"""How a registry is guarded in tests: certificates of its own, and a service that gives tokens."""

from __future__ import annotations

import base64
import ipaddress
import json
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.answering import answering

_ISSUER = "test-issuer"
_SERVICE = "test-registry"


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate for this computer's loopback addresses, and its own authority."""

    authority: Path
    certificate: Path
    key: Path

    def trusting(self) -> ssl.SSLContext:
        """Return a context for clients that trust the authority."""
        return ssl.create_default_context(cafile=str(self.authority))


def certify(folder: Path) -> Certified:
    """Make an authority and a certificate of it for `localhost`, 127.0.0.1 and ::1."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = _name("Test Authority")
    is_authority = x509.BasicConstraints(ca=True, path_length=0)
    authority = (
        _certificate(name, name, authority_key.public_key())
        .add_extension(is_authority, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    own = (
        _certificate(_name("localhost"), name, key.public_key())
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("localhost"),
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    x509.IPAddress(ipaddress.ip_address("::1")),
                ]
            ),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    paths = Certified(folder / "ca.crt", folder / "own.crt", folder / "own.key")
    paths.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    paths.certificate.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    paths.key.write_bytes(_pem(key))
    return paths


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@dataclass
class TokenService:
    """Gives tokens to those who say the password, as the real registries' services do.

    Attributes:
        url: Where it is asked; the realm of the registry's challenge.
        asked: What it was asked for, oldest first: the scopes.
    """

    user: str
    password: str
    authority: Path
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: str = field(repr=False)
    url: str = ""
    asked: list[str] = field(default_factory=list)
    #: What may be shown instead of a password, as `docker login` stores it for some registries.
    refresh_token: str = field(default_factory=secrets.token_hex, repr=False)

    def token(self, scope: str) -> str:
        """Return a token that opens what `scope` names."""
        now = int(datetime.now(UTC).timestamp())
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        access = [{"type": kind, "name": name, "actions": actions.split(",")}] if scope else []
        claims = {
            "iss": _ISSUER,
            "aud": _SERVICE,
            "sub": self.user,
            "nbf": now - 5,
            "exp": now + 300,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        return jwt.encode(claims, self.key, "ES256", headers={"x5c": [self.chain]})

    def config(self) -> dict[str, str]:
        """Return what the registry's config says about it."""
        return {
            "realm": self.url,
            "service": _SERVICE,
            "issuer": _ISSUER,
            "rootcertbundle": str(self.authority),
        }

    def allows(self, authorization: str) -> bool:
        shown = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return authorization == f"Basic {shown}"


@contextmanager
def token_service(folder: Path, user: str, password: str) -> Iterator[TokenService]:
    """Run a token service on a free port of loopback."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Test Tokens")
    signed = _certificate(name, name, key.public_key()).sign(key, hashes.SHA256())
    authority = folder / "tokens.crt"
    authority.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    chain = base64.b64encode(signed.public_bytes(serialization.Encoding.DER)).decode()
    service = TokenService(user, password, authority, key, chain)
    with answering(_handler(service)) as port:
        service.url = f"http://127.0.0.1:{port}/token"
        yield service


def _handler(service: TokenService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            self._give(asked, service.allows(self.headers.get("authorization", "")))

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            asked = parse_qs(self.rfile.read(length).decode())
            self._give(asked, asked.get("refresh_token") == [service.refresh_token])

        def _give(self, asked: dict[str, list[str]], allowed: bool) -> None:
            scope = asked.get("scope", [""])[0]
            service.asked.append(scope)
            if allowed:
                self._answer(200, {"token": service.token(scope), "expires_in": 300})
            else:
                self._answer(401, {"details": "incorrect username or password"})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing: what matters is in `asked`."""

    return Handler
