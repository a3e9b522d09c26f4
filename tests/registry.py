"""A real registry on loopback for the length of a `with`: Debian's `docker-registry`.

```python
with running_registry(tmp_path, users=True) as registry:
    reference = registry.push("busybox", images.busybox())  # 127.0.0.1:40123/busybox:latest
    registry.stop()  # it goes away; `registry.start()` has it back at the same address
```

The fixture `registry` is one for the whole run that lets everybody in.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.images import Blob, Built
from tests.ports import free_port
from tests.registry_access import Certified, TokenService, certify, token_service

USER, PASSWORD = "ephemera", "secret"
#: bcrypt of the password, which is the only form that the registry takes.
_HTPASSWD = f"{USER}:$2b$04$at.qvaALDuim7je4OjiSmOKWidljmlr1/8IQ.NDdHbgh/fXAqv5CO\n"
_LISTENING = b"listening on "
#: Long enough for a slow computer, and never waited for where all is well.
_PATIENCE_S = 60.0
_PAUSE_S = 0.01


class Registry:
    """A registry that runs. Made by `running_registry`.

    Attributes:
        address: `127.0.0.1:PORT`, with which references begin.
        folder: Where it keeps what was pushed; files of it may be changed to do harm.
        certificates: How it is known, where it speaks TLS.
        tokens: Who gives out tokens for it, where it asks for them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: bool = False,
        certificates: Certified | None = None,
        tokens: TokenService | None = None,
    ) -> None:
        self.folder = folder
        self.certificates = certificates
        self.tokens = tokens
        self._users = users
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.certificates else 'http'}://{self.address}"

    def start(self) -> None:
        """Serve, each time at the same address."""
        config = self.folder / "config.yml"
        config.write_text(self._config())
        log = self.folder / "log"
        with log.open("ab") as out:
            at = out.tell()
            self._process = subprocess.Popen(
                [_program(), "serve", str(config)],
                stdout=out,
                stderr=out,
                env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
            )
        self._await_listening(log, at)

    def stop(self) -> None:
        """Go away, in the middle of whatever is under way. Repeating is safe."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def push(self, name: str, image: Built, tag: str = "latest") -> str:
        """Put an image, or an index with its images, under a tag; return its reference."""
        with self._http(name) as http:
            push(http, name, image, tag)
        return f"{self.address}/{name}:{tag}"

    def push_blob(self, name: str, blob: Blob) -> None:
        """Put a blob that no manifest refers to yet."""
        with self._http(name) as http:
            push_blob(http, name, blob)

    def blob_file(self, digest: str) -> Path:
        """Return where the registry keeps a blob, for tests that damage or remove it."""
        hexadecimal = digest.removeprefix("sha256:")
        blobs = self.folder / "data/docker/registry/v2/blobs/sha256"
        return blobs / hexadecimal[:2] / hexadecimal / "data"

    def log(self) -> str:
        """Return what it said, a line for each request among it."""
        return (self.folder / "log").read_text(errors="replace")

    def requests(self, method: str, part: str, *, expected: int = 0) -> int:
        """Return how many requests it has answered whose path has this part.

        Args:
            expected: So many there must be: what has a long answer is in the log only a moment
                after its last byte is sent.
        """
        asked = re.compile(rf'"{method} [^ ]*{re.escape(part)}')
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            found = sum(1 for line in self.log().splitlines() if asked.search(line))
            if found >= expected or time.monotonic() > deadline:
                return found
            time.sleep(_PAUSE_S)

    def _http(self, name: str) -> httpx2.Client:
        headers = {}
        if self._users:
            shown = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            headers["authorization"] = f"Basic {shown}"
        if self.tokens:
            token = self.tokens.token(f"repository:{name}:pull,push")
            headers["authorization"] = f"Bearer {token}"
        verify = self.certificates.trusting() if self.certificates else False
        return httpx2.Client(
            base_url=self.url, headers=headers, verify=verify, trust_env=False, timeout=30
        )

    def _config(self) -> str:
        """Return its config; JSON, which the YAML that it reads includes."""
        http = {"addr": f"127.0.0.1:{self._port}", "secret": "made-for-a-test"}
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": f"{self.folder}/data"}},
            "http": http,
        }
        if self.certificates:
            pair = self.certificates
            config["http"] |= {"tls": {"certificate": str(pair.certificate), "key": str(pair.key)}}
        if self._users:
            path = self.folder / "htpasswd"
            path.write_text(_HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(path)}}
        if self.tokens:
            config["auth"] = {"token": self.tokens.config()}
        return json.dumps(config)

    def _await_listening(self, log: Path, at: int) -> None:
        """Return once it listens: it says so in its log, and nowhere else."""
        assert self._process
        while self._process.poll() is None:
            if _LISTENING in log.read_bytes()[at:]:
                return
            time.sleep(_PAUSE_S)
        raise AssertionError(f"the registry did not start: {self.log()}")


def push(http: httpx2.Client, name: str, image: Built, tag: str) -> None:
    """Put an image, or an index with its images, under a tag of any registry."""
    for child in image.children:
        push(http, name, child, child.digest)
    for blob in image.blobs:
        push_blob(http, name, blob)
    http.put(
        f"/v2/{name}/manifests/{tag}",
        content=image.manifest.data,
        headers={"content-type": image.manifest.media_type},
    ).raise_for_status()


def push_blob(http: httpx2.Client, name: str, blob: Blob) -> None:
    """Put a blob into a repository of any registry, if it is not there."""
    if http.head(f"/v2/{name}/blobs/{blob.digest}").status_code == 200:
        return
    begun = http.post(f"/v2/{name}/blobs/uploads/").raise_for_status()
    place = httpx2.URL(begun.headers["location"]).copy_merge_params({"digest": blob.digest})
    octets = {"content-type": "application/octet-stream"}
    http.put(place, content=blob.data, headers=octets).raise_for_status()


@contextmanager
def running_registry(
    folder: Path, *, users: bool = False, tls: bool = False, tokens: bool = False
) -> Iterator[Registry]:
    """Serve a registry on a free port of loopback.

    Args:
        folder: For its data, its log and its keys; made where it does not exist.
        users: Let in only `USER` with `PASSWORD`, by basic authentication.
        tls: Speak TLS, with a certificate that only `Registry.certificates` vouch for.
        tokens: Let in only who shows a token; who is `USER` with `PASSWORD` gets one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _program()
    with ExitStack() as stack:
        certificates = certify(folder) if tls else None
        service = stack.enter_context(token_service(folder, USER, PASSWORD)) if tokens else None
        registry = Registry(folder, users=users, certificates=certificates, tokens=service)
        stack.callback(registry.stop)
        yield registry


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry for the whole run that lets everybody in, in plain HTTP."""
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def _program() -> str:
    """Return where the registry's program is; skip the test, saying why, where it is not."""
    found = shutil.which("docker-registry")
    if found is None:
        pytest.skip("there is no docker-registry: install Debian's package of that name")
    return found
