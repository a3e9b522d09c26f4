from __future__ import annotations

import base64

from ephemera.platform.access import views
from ephemera.platform.access.door import Shown
from ephemera.platform.access.principal import OWNER, of_app_token
from ephemera.platform.access.records import TokenRecord
from ephemera.platform.records import AppRecord

APP = AppRecord("app-1", "demo", "personal", "", 0.0)
RECORD = TokenRecord("0123456789abcdef", APP.id, "digest", 1000.0, 4600.0)
SHOWN = Shown("ephd_0123456789abcdef_x", of_app_token(RECORD.id, APP.id), RECORD)


def test_a_verified_token_says_what_it_is_restricted_to_in_the_words_of_macaroons() -> None:
    verified = views.verified(SHOWN, APP)
    organisation, if_present, window = verified["caveats"]
    assert organisation["type"] == "Organization"
    assert organisation["body"]["mask"] == "rwcdC"
    (apps,) = if_present["body"]["ifs"]
    assert list(apps["body"]["apps"].values()) == ["rwcdC"]
    assert if_present["body"]["else"] == "r"
    assert window["body"] == {"not_before": 1000, "not_after": 4600}


def test_whoever_shows_a_token_gets_it_back_as_bytes_in_base64() -> None:
    verified = views.verified(SHOWN, APP)
    assert base64.b64decode(verified["permission_token"]) == SHOWN.token.encode()
    assert verified["header"] == f"FlyV1 {SHOWN.token}"
    assert base64.b64decode(verified["nonce"]["kid"]) == RECORD.id.encode()


def test_the_platforms_own_token_is_restricted_to_nothing() -> None:
    assert views.verified(Shown("eph_x", OWNER, None), None)["caveats"] == []


def test_no_token_is_in_what_is_printed_of_one() -> None:
    assert SHOWN.token not in repr(SHOWN)
    assert RECORD.digest not in repr(RECORD)
