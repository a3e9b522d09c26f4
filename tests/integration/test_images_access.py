"""Registries that ask who is there: passwords, tokens, certificates, and detours."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ephemera.errors import ImageUnavailable
from ephemera.oci.trust import may_be_plain, split_host
from tests import images, needs
from tests.answering import answering
from tests.pulling import TIMEOUT_S, Pulls
from tests.registry import PASSWORD, USER, Registry, running_registry

pytestmark = [pytest.mark.root, needs.root, needs.registry]

IMAGE = images.build(images.layer(images.file("it", b"private")))


@pytest.fixture
def pulls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulls:
    """A folder for images, for somebody who has logged in nowhere."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return Pulls(tmp_path / "images")


def log_in(folder: Path, registry: Registry, user: str, password: str, token: str = "") -> None:
    """Write down what `docker login` does."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    login = {"auth": pair, **({"identitytoken": token} if token else {})}
    (folder / "docker").mkdir(exist_ok=True)
    (folder / "docker/config.json").write_text(json.dumps({"auths": {registry.address: login}}))


@pytest.mark.parametrize("kind", ["users", "tokens"])
def test_a_private_image_is_had_by_who_has_logged_in(
    kind: str, pulls: Pulls, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "r", users=kind == "users", tokens=kind == "tokens") as guard:
        reference = guard.push("private", IMAGE)
        with pytest.raises(ImageUnavailable, match="nobody has logged in") as refused:
            pulls.prepare(reference)
        assert f"docker login {guard.address}" in refused.value.hint
        log_in(tmp_path, guard, USER, "wrong")
        with pytest.raises(ImageUnavailable, match=f"does not take the login of '{USER}'") as no:
            pulls.prepare(reference)
        assert "wrong" not in str(no.value)
        log_in(tmp_path, guard, USER, PASSWORD)
        assert pulls.prepare(reference)[0].digest == IMAGE.digest


def test_a_token_is_asked_for_the_one_repository_and_for_pulling_only(
    pulls: Pulls, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "r", tokens=True) as guard:
        log_in(tmp_path, guard, USER, PASSWORD)
        pulls.prepare(guard.push("private/image", IMAGE))
        assert guard.tokens
        assert guard.tokens.asked == ["repository:private/image:pull"]


def test_a_login_may_be_a_token_that_is_exchanged(pulls: Pulls, tmp_path: Path) -> None:
    with running_registry(tmp_path / "r", tokens=True) as guard:
        assert guard.tokens
        log_in(tmp_path, guard, "", "", guard.tokens.refresh_token)
        assert pulls.prepare(guard.push("private", IMAGE))[0].digest == IMAGE.digest


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that is slow to say whether it speaks TLS is waited for."""
    monkeypatch.setattr("ephemera.oci.trust._HANDSHAKE_TIMEOUT_S", TIMEOUT_S)


@pytest.mark.usefixtures("patient")
def test_tls_with_an_authority_of_its_own(
    pulls: Pulls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_registry(tmp_path / "r", tls=True) as registry:
        reference = registry.push("safe", IMAGE)
        with pytest.raises(ImageUnavailable, match="certificate verify failed") as untrusted:
            pulls.prepare(reference)
        assert f"/etc/docker/certs.d/{registry.address}/ca.crt" in untrusted.value.hint
        assert registry.certificates
        monkeypatch.setenv("SSL_CERT_FILE", str(registry.certificates.authority))
        assert pulls.prepare(reference)[0].digest == IMAGE.digest


@pytest.mark.usefixtures("patient")
def test_tls_with_an_authority_in_the_place_where_docker_has_it(
    pulls: Pulls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ephemera.oci.trust._CERTIFICATES", tmp_path / "certs.d")
    with running_registry(tmp_path / "r", tls=True) as registry:
        folder = tmp_path / "certs.d" / registry.address
        folder.mkdir(parents=True)
        assert registry.certificates
        (folder / "ca.crt").write_bytes(registry.certificates.authority.read_bytes())
        assert pulls.prepare(registry.push("safe", IMAGE))[0].digest == IMAGE.digest


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("localhost", True), ("localhost:5000", True), ("127.0.0.1:5000", True),
        ("127.9.9.9", True), ("[::1]:5000", True), ("docker.io", False), ("10.0.0.1:5000", False),
        ("localhost.evil.io", False), ("127.0.0.1.evil.io", False), ("named:5000", True),
        ("named", False),
    ],
)  # fmt: skip
def test_plain_http_is_for_this_computer_and_for_hosts_that_are_named(
    host: str, plain: bool
) -> None:
    environ = {"EPHEMERA_INSECURE_REGISTRIES": "other, named:5000"}
    assert may_be_plain(host, environ) == plain


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        ("a.io", ("a.io", None)), ("a.io:1", ("a.io", 1)), ("[::1]", ("::1", None)),
        ("[::1]:2", ("::1", 2)),
    ],
)  # fmt: skip
def test_hosts_are_split_from_their_ports(host: str, parts: tuple[str, int | None]) -> None:
    assert split_host(host) == parts


# registries that send us elsewhere


class Frontend:
    """Stands before a registry: sends on what it is asked for, and remembers what it was shown.

    Attributes:
        address: With which references begin.
        shown: The `Authorization` of each request to the other place that blobs are sent from.
    """

    def __init__(self) -> None:
        self.shown: list[str | None] = []
        self.address = ""
        self.elsewhere = ""
        self.challenge = 'Basic realm="front"'


@contextmanager
def frontend(registry: Registry) -> Iterator[Frontend]:
    """Serve a registry that wants a password, and sends its blobs from another address."""
    front = Frontend()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            here = self.headers["host"] == front.address
            if here and "authorization" not in self.headers:
                self._answer(401, {"www-authenticate": front.challenge})
            elif here and "/blobs/" in self.path:
                self._answer(307, {"location": front.elsewhere + self.path})
            else:
                if not here:
                    front.shown.append(self.headers.get("authorization"))
                self._answer(302, {"location": registry.url + self.path})

        def _answer(self, status: int, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "content-length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with answering(Handler) as port:
        front.address = f"127.0.0.1:{port}"
        front.elsewhere = f"http://localhost:{port}"
        yield front


def logged_in_at(folder: Path, address: str) -> None:
    (folder / "docker").mkdir(exist_ok=True)
    login = {"username": USER, "password": PASSWORD}
    (folder / "docker/config.json").write_text(json.dumps({"auths": {address: login}}))


def test_only_the_registry_sees_the_password_and_not_where_it_sends_us(
    registry: Registry, pulls: Pulls, tmp_path: Path
) -> None:
    registry.push("moved", IMAGE)
    with frontend(registry) as front:
        logged_in_at(tmp_path, front.address)
        assert pulls.prepare(f"{front.address}/moved")[0].digest == IMAGE.digest
        assert front.shown == [None, None]


@pytest.mark.parametrize(
    ("elsewhere", "said"),
    [
        ("ftp://localhost", "from http to ftp"),
        ("http://localhost:99999", "to nowhere"),
        (f"http://{'h' * 64}.io", "to nowhere"),
        ("http://[::1]:http", "to nowhere"),
        ("", "in circles"),
    ],
)
def test_detours_that_lead_nowhere_are_an_error(
    elsewhere: str, said: str, registry: Registry, pulls: Pulls, tmp_path: Path
) -> None:
    registry.push("moved", IMAGE)
    with frontend(registry) as front:
        front.elsewhere = elsewhere
        logged_in_at(tmp_path, front.address)
        with pytest.raises(ImageUnavailable, match=f"sends us .*{said}"):
            pulls.prepare(f"{front.address}/moved")


@pytest.mark.parametrize(
    ("challenge", "said"),
    [
        ("Negotiate", "does not take the login"),
        ('Bearer realm="http://tokens.invalid/"', "which is not safe"),
        ('Bearer realm="no url"', "which is not safe"),
        ("", "does not take the login"),
    ],
)
def test_a_password_is_sent_to_nobody_who_asks_for_it_in_the_open(
    challenge: str, said: str, registry: Registry, pulls: Pulls, tmp_path: Path
) -> None:
    with frontend(registry) as front:
        front.challenge = challenge
        logged_in_at(tmp_path, front.address)
        with pytest.raises(ImageUnavailable, match=said):
            pulls.prepare(f"{front.address}/moved")
