"""What a `fly.toml` asks for and the platform does not do is said, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.deploy import flytoml
from ephemera.deploy.release import unserved

UDP = "[[services]]\ninternal_port = 53\nprotocol = 'udp'\n[[services.ports]]\nport = 53\n"
PORT = "[[services]]\ninternal_port = 5432\n[[services.ports]]\nport = 5432\n"
WEB = "[http_service]\ninternal_port = 8080\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (WEB + "force_https = true\n[http_service.http_options]\ncompress = true\n", []),
        (UDP, ["protocol = 'udp' of internal_port 53 is not served"]),
        (PORT + "handlers = ['pg_tls']\n", ["handler pg_tls of internal_port 5432 is not served"]),
        (
            WEB + "[http_service.http_options]\nh2_backend = true\n",
            ["http_options.h2_backend of internal_port 8080"],
        ),
        (
            PORT + "tls_options = { versions = ['TLSv1.3'] }\n",
            ["tls_options of internal_port 5432"],
        ),
        (PORT + "tls_options = {}\n", []),
        (WEB + "[[statics]]\nguest_path = '/a'\nurl_prefix = '/b'\n", ["[[statics]]"]),
        (WEB + "[metrics]\nport = 9000\npath = '/m'\n", ["[[metrics]]"]),
        (
            "[processes]\na = 'x'\nb = 'y'\n"
            + UDP.replace("[[services.p", "processes = ['a', 'b']\n[[services.p"),
            ["protocol = 'udp'"],
        ),
    ],
)
def test_each_key_that_does_nothing_is_named_once(
    tmp_path: Path, text: str, named: list[str]
) -> None:
    file = tmp_path / "fly.toml"
    file.write_text(f'app = "shop"\n{text}')
    found = unserved.complaints(flytoml.load(file))
    assert len(found) == len(named)
    for line, name in zip(found, named, strict=True):
        assert name in line
