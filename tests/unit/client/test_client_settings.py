"""Where a client goes and as whom: every way to say it, and the order of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ephemera.client import settings
from ephemera.client.settings import (
    Address,
    authorization,
    check_url,
    choose,
    embedded,
    is_loopback,
)
from ephemera.errors import ConfigError


def _choose(
    folder: Path, url: str | None = None, token: str | None = None, **environ: str
) -> Address | None:
    return choose(url, token, environ, folder)


def _url(address: Address | None) -> str | None:
    return address.url if address else None


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, None),
        ({"FLY_API_TOKEN": ""}, None),
        ({"FLY_API_TOKEN": "t"}, "https://api.machines.dev"),
        ({"token": "t"}, "https://api.machines.dev"),
        ({"FLY_MACHINE_ID": "m", "FLY_API_TOKEN": "t"}, "http://_api.internal:4280"),
        ({"EPHEMERA_URL": "http://a", "FLY_API_TOKEN": "t"}, "http://a"),
        ({"EPHEMERA_URL": "http://a", "FLY_MACHINE_ID": "m", "FLY_API_TOKEN": "t"}, "http://a"),
        (
            {"FLY_FLAPS_BASE_URL": "http://b", "EPHEMERA_URL": "http://a", "FLY_API_TOKEN": "t"},
            "http://b",
        ),
        ({"url": "http://c", "FLY_FLAPS_BASE_URL": "http://b", "FLY_API_TOKEN": "t"}, "http://c"),
        ({"FLY_FLAPS_BASE_URL": "", "EPHEMERA_URL": "http://a", "token": "t"}, "http://a"),
    ],
)
def test_the_url_is_the_first_that_is_given(
    tmp_path: Path, given: dict[str, str], url: str | None
) -> None:
    assert _url(_choose(tmp_path, **given)) == url


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ({"token": "a", "FLY_API_TOKEN": "b"}, "Bearer a"),
        ({"FLY_API_TOKEN": "b"}, "Bearer b"),
        ({}, "Bearer kept"),
    ],
)
def test_the_token_is_the_first_that_is_given(
    tmp_path: Path, given: dict[str, str], header: str
) -> None:
    (tmp_path / "token").write_text("kept\n")
    address = _choose(tmp_path, url="http://127.0.0.1:4280", **given)
    assert address is not None
    assert address.authorization == header


def test_the_platforms_own_token_never_leaves_this_computer(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("kept\n")
    with pytest.raises(ConfigError, match="no API token"):
        _choose(tmp_path, url="http://example.com")


@pytest.mark.parametrize("given", [{"url": "http://localhost:1"}, {"FLY_MACHINE_ID": "m"}])
def test_an_address_without_a_token_is_refused(tmp_path: Path, given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="no API token") as caught:
        _choose(tmp_path, **given)
    assert "FLY_API_TOKEN" in caught.value.hint


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("abc", "Bearer abc"),
        ("Bearer abc", "Bearer abc"),
        ("FlyV1 fm2_abc,fm2_def", "FlyV1 fm2_abc,fm2_def"),
        ("fm2_abc,fm2_def", "FlyV1 fm2_abc,fm2_def"),
        ("fm1r_abc", "FlyV1 fm1r_abc"),
        ("fm1a_abc", "FlyV1 fm1a_abc"),
        ("abc,fm2_def", "FlyV1 abc,fm2_def"),
        ("xfm2_abc", "Bearer xfm2_abc"),
        ("Bearer FlyV1 fm2_abc", "FlyV1 fm2_abc"),
        ("Bearer fm2_abc", "FlyV1 fm2_abc"),
        ("  abc\n", "Bearer abc"),
    ],
)
def test_a_token_gets_its_scheme(token: str, header: str) -> None:
    assert authorization("FLY_API_TOKEN", token) == header


@pytest.mark.parametrize(
    "token", ["", "  ", "s3c ret", "s3c\nret", "s3c\tret", "s3crét", "s3c\x00ret", "Bearer a b"]
)
def test_what_is_not_a_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="FLY_API_TOKEN is not a token") as caught:
        authorization("FLY_API_TOKEN", token)
    assert "s3c" not in str(caught.value)
    assert f"{len(token)} characters" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.machines.dev",
        "127.0.0.1:4280",
        "ftp://x",
        "http://",
        "http:///v1",
        "http://x:99999",
        "http://x:0",
        "http://[::1",
        "http://a b",
        "http://x?y=1",
        "http://x#y",
        "http://x\n",
        "http://%41",
        "http://a..b",
        "http://.",
        f"http://{'a' * 64}.example",
    ],
)
def test_what_is_not_a_base_url_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match="MY_SETTING"):
        check_url("MY_SETTING", url)


def test_what_is_no_text_is_refused_by_name() -> None:
    wrong: Any = b"http://x"
    with pytest.raises(ConfigError, match="MY_SETTING is text, not a bytes"):
        check_url("MY_SETTING", wrong)
    with pytest.raises(ConfigError, match="MY_SETTING is text, not a bytes"):
        authorization("MY_SETTING", wrong)


def test_the_refused_url_is_shown() -> None:
    with pytest.raises(ConfigError, match=r"'api\.machines\.dev'"):
        check_url("EPHEMERA_URL", "api.machines.dev")


@pytest.mark.parametrize("url", ["http://me:s3cret@x", "me:s3cret@x", "http://me:s3cret@x:0"])
def test_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_url("EPHEMERA_URL", url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://x/", "http://x"),
        ("https://x.example:8443", "https://x.example:8443"),
        ("http://[::1]:4280", "http://[::1]:4280"),
        ("http://_api.internal:4280", "http://_api.internal:4280"),
        ("http://x.example.:80", "http://x.example.:80"),
        ("http://X/behind/a/proxy/", "http://X/behind/a/proxy"),
    ],
)
def test_a_base_url_is_kept_without_slashes_at_its_end(url: str, kept: str) -> None:
    assert check_url("url", url) == kept


@pytest.mark.parametrize(
    ("url", "environ", "logs"),
    [
        ("https://api.machines.dev", {}, "https://api.fly.io"),
        ("http://_api.internal:4280", {}, "https://api.fly.io"),
        ("http://127.0.0.1:4280", {}, "http://127.0.0.1:4280"),
        ("https://api.machines.dev", {"FLY_API_BASE_URL": "http://l/"}, "http://l"),
    ],
)
def test_logs_are_where_the_api_keeps_them(
    tmp_path: Path, url: str, environ: dict[str, str], logs: str
) -> None:
    address = _choose(tmp_path, url=url, token="t", **environ)
    assert address is not None
    assert address.logs_url == logs


def test_a_bad_address_for_logs_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="FLY_API_BASE_URL"):
        _choose(tmp_path, url="http://x", token="t", FLY_API_BASE_URL="nowhere")


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("http://demo.localhost:80", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("https://api.machines.dev", False),
    ],
)
def test_loopback_is_this_computer(url: str, here: bool) -> None:
    assert is_loopback(url) is here


@pytest.fixture
def fly_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a socket in the place of a Fly machine's own."""
    path = str(tmp_path / "api")
    Path(path).touch()
    monkeypatch.setattr(settings, "FLY_SOCKET", path)
    return path


def test_a_fly_machine_without_a_token_goes_through_its_socket(
    tmp_path: Path, fly_socket: str
) -> None:
    address = _choose(tmp_path, FLY_MACHINE_ID="m")
    assert address is not None
    assert (address.socket, address.authorization) == (fly_socket, "")
    assert (address.shown, address.fly) == (f"unix:{fly_socket}", True)
    assert address.logs_url == "https://api.fly.io"


@pytest.mark.parametrize(
    "given",
    [
        {"FLY_MACHINE_ID": "m", "FLY_API_TOKEN": "t"},
        {"FLY_MACHINE_ID": "m", "token": "t"},
        {"FLY_MACHINE_ID": "m", "FLY_FLAPS_BASE_URL": "http://127.0.0.1:1"},
        {"FLY_MACHINE_ID": "m", "url": "http://127.0.0.1:1"},
        {},
        {"EPHEMERA_API_SOCKET": "/s", "FLY_API_TOKEN": "t"},
        {"EPHEMERA_API_SOCKET": "/s", "url": "http://127.0.0.1:1"},
        {"EPHEMERA_API_SOCKET": "/s", "FLY_FLAPS_BASE_URL": "http://127.0.0.1:1"},
    ],
)
def test_a_token_or_an_address_of_ones_own_goes_before_the_socket(
    tmp_path: Path, fly_socket: str, given: dict[str, str]
) -> None:
    (tmp_path / "token").write_text("kept\n")
    address = _choose(tmp_path, **given)
    assert address is None or address.socket is None


def test_a_machine_whose_socket_is_not_there_needs_a_token(tmp_path: Path, fly_socket: str) -> None:
    Path(fly_socket).unlink()
    with pytest.raises(ConfigError, match="no API token"):
        _choose(tmp_path, FLY_MACHINE_ID="m")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"FLY_MACHINE_ID": "m"},
        # What a machine of the embedded platform finds, without the right to read its token.
        {"FLY_MACHINE_ID": "m", "FLY_FLAPS_BASE_URL": "http://127.0.0.1:1"},
    ],
)
def test_a_machine_of_the_embedded_platform_goes_through_the_socket_that_it_is_given(
    tmp_path: Path, fly_socket: str, environ: dict[str, str]
) -> None:
    address = _choose(tmp_path, EPHEMERA_API_SOCKET="/run/m1", **environ)
    assert address is not None
    assert (address.socket, address.authorization, address.fly) == ("/run/m1", "", False)
    assert address.logs_url == address.url


@pytest.mark.parametrize(
    ("url", "fly"),
    [
        ("https://api.machines.dev", True),
        ("http://_api.internal:4280", True),
        ("http://127.0.0.1:4280", False),
        ("https://api.machines.dev.example.com", False),
    ],
)
def test_flys_own_api_is_known_by_its_name(tmp_path: Path, url: str, fly: bool) -> None:
    address = _choose(tmp_path, url=url, token="t")
    assert address is not None
    assert address.fly is fly


def test_an_address_never_shows_its_token(tmp_path: Path) -> None:
    assert "s3cret" not in repr(_choose(tmp_path, url="http://x", token="s3cret"))


def test_the_embedded_platforms_token_is_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("kept\n")
    address = embedded("http://127.0.0.1:7", tmp_path, {})
    assert (address.url, address.authorization) == ("http://127.0.0.1:7", "Bearer kept")


def test_an_embedded_platform_without_a_token_is_said_to_be_odd(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no token file"):
        embedded("http://127.0.0.1:7", tmp_path, {})


@pytest.mark.parametrize(
    ("environ", "fly"),
    [
        ({"FLY_FLAPS_BASE_URL": "http://_api.internal:4280", "FLY_API_TOKEN": "t"}, False),
        ({}, False),
        ({"url": "https://api.machines.dev", "token": "t"}, True),
    ],
)
def test_in_a_machine_of_ours_the_api_has_fly_s_names_and_is_not_fly(
    tmp_path: Path, environ: dict[str, str], fly: bool
) -> None:
    inside = {"FLY_MACHINE_ID": "m", "EPHEMERA_API_SOCKET": "/.fly/api"}
    address = _choose(tmp_path, **inside, **environ)
    assert address is not None
    assert address.fly is fly
    assert (address.logs_url == settings.FLY_LOGS_URL) is fly
