"""Secret keys: made or brought, used, and never seen again."""

from __future__ import annotations

import base64
from typing import Any

import httpx2
import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused

ENCRYPTING = ("nacl_box", "nacl_secretbox", "xaes256gcm")
SIGNING = ("es256", "hs256", "hs384", "hs512", "nacl_auth", "nacl_sign")
ALL = (*ENCRYPTING, *SIGNING)
WITH_PUBLIC_PART = ("es256", "nacl_box", "nacl_sign")


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(said: str | list[int]) -> bytes:
    """Read bytes in the form of the wire, or in that of the document."""
    return base64.b64decode(said) if isinstance(said, str) else bytes(said)


def _generate(app: AppUnderTest, kind: str, name: str = "key") -> dict[str, Any]:
    answer = app.ask("POST", f"/secretkeys/{name}/generate", json={"type": kind})
    assert answered(answer).status_code == 201
    made: dict[str, Any] = answer.json()
    return made


def _use(app: AppUnderTest, verb: str, **body: Any) -> httpx2.Response:
    said = {
        field: _b64(value) if isinstance(value, bytes) else value for field, value in body.items()
    }
    return app.ask("POST", f"/secretkeys/key/{verb}", json=said)


def _encrypt(app: AppUnderTest, plaintext: bytes, **more: Any) -> bytes:
    said = answered(_use(app, "encrypt", plaintext=plaintext, **more)).json()
    return _bytes(said["ciphertext"])


def _decrypt(app: AppUnderTest, ciphertext: bytes, **more: Any) -> bytes:
    said = answered(_use(app, "decrypt", ciphertext=ciphertext, **more)).json()
    return _bytes(said["plaintext"])


def _sign(app: AppUnderTest, plaintext: bytes) -> bytes:
    return _bytes(answered(_use(app, "sign", plaintext=plaintext)).json()["signature"])


class SecretKeysContract(Contract):
    """The nine calls on an app's secret keys."""

    @pytest.mark.parametrize("kind", ALL)
    def test_a_key_of_each_type_is_made_and_shown_without_its_private_part(
        self, app: AppUnderTest, kind: str
    ) -> None:
        made = _generate(app, kind)
        assert (made["name"], made["type"]) == ("key", kind)
        assert (made.get("version") or made["Version"]) > 0
        shown = app.get("/secretkeys/key")
        assert (shown["name"], shown["type"]) == ("key", kind)
        assert "value" not in shown
        public = _bytes(shown.get("public_key") or "")
        assert bool(public) == (kind in WITH_PUBLIC_PART)
        assert public == _bytes(made.get("public_key") or "")

    @pytest.mark.parametrize("kind", ENCRYPTING)
    def test_what_is_encrypted_is_decrypted(self, app: AppUnderTest, kind: str) -> None:
        _generate(app, kind)
        for plaintext in (b"a message \x00\xff", b"", bytes(range(256)) * 64):
            ciphertext = _encrypt(app, plaintext)
            assert plaintext == b"" or plaintext not in ciphertext
            assert _decrypt(app, ciphertext) == plaintext

    @pytest.mark.parametrize("kind", ENCRYPTING)
    def test_each_encryption_is_another(self, app: AppUnderTest, kind: str) -> None:
        _generate(app, kind)
        assert _encrypt(app, b"same") != _encrypt(app, b"same")

    @pytest.mark.parametrize("kind", ENCRYPTING)
    def test_a_damaged_ciphertext_is_refused(self, app: AppUnderTest, kind: str) -> None:
        _generate(app, kind)
        whole = bytearray(_encrypt(app, b"a message"))
        for damaged in (whole[:-1], whole[:5], b"", bytes([whole[0] ^ 1]) + whole[1:]):
            refused(_use(app, "decrypt", ciphertext=bytes(damaged)), 400)

    def test_associated_data_must_be_the_same_again(self, app: AppUnderTest) -> None:
        _generate(app, "xaes256gcm")
        ciphertext = _encrypt(app, b"a message", associated_data=b"row 7")
        assert _decrypt(app, ciphertext, associated_data=b"row 7") == b"a message"
        refused(_use(app, "decrypt", ciphertext=ciphertext, associated_data=b"row 8"), 400)
        refused(_use(app, "decrypt", ciphertext=ciphertext), 400)

    @pytest.mark.parametrize("kind", SIGNING)
    def test_what_is_signed_is_verified(self, app: AppUnderTest, kind: str) -> None:
        _generate(app, kind)
        for plaintext in (b"a message \x00\xff", b""):
            signature = _sign(app, plaintext)
            answer = _use(app, "verify", plaintext=plaintext, signature=signature)
            assert (answer.status_code, answer.text) == (204, "")

    @pytest.mark.parametrize("kind", SIGNING)
    def test_a_signature_of_something_else_is_refused(self, app: AppUnderTest, kind: str) -> None:
        _generate(app, kind)
        signature = _sign(app, b"a message")
        wrong = bytes([signature[0] ^ 1]) + signature[1:]
        refused(_use(app, "verify", plaintext=b"another", signature=signature), 400)
        for one in (wrong, signature[:-1], signature + b"\0", b""):
            refused(_use(app, "verify", plaintext=b"a message", signature=one), 400)

    @pytest.mark.parametrize("kind", ALL)
    def test_a_key_does_only_what_its_type_is_for(self, app: AppUnderTest, kind: str) -> None:
        _generate(app, kind)
        if kind in ENCRYPTING:
            answers = [
                _use(app, "sign", plaintext=b"x"),
                _use(app, "verify", plaintext=b"x", signature=b"x"),
            ]
        else:
            answers = [
                _use(app, "encrypt", plaintext=b"x"),
                _use(app, "decrypt", ciphertext=b"x"),
            ]
        assert all(kind in refused(answer, 400) for answer in answers)

    def test_bytes_may_be_sent_as_base64_or_as_numbers(self, app: AppUnderTest) -> None:
        _generate(app, "nacl_sign")
        answer = _use(app, "sign", plaintext=list(b"a message"))
        signature = _bytes(answered(answer).json()["signature"])
        both: tuple[Any, ...] = (signature, list(signature))
        for form in both:
            answered(_use(app, "verify", plaintext=b"a message", signature=form))

    @pytest.mark.parametrize("kind", ["hs256", "nacl_auth", "nacl_secretbox", "xaes256gcm"])
    def test_a_key_that_was_brought_along_is_used(self, app: AppUnderTest, kind: str) -> None:
        body = {"type": kind, "value": _b64(bytes(range(32)))}
        assert app.ask("POST", "/secretkeys/key", json=body).status_code == 201
        before = _sign(app, b"x") if kind in SIGNING else _encrypt(app, b"x")
        app.post("/secretkeys/key/generate", json={"type": kind})
        app.post("/secretkeys/key", json=body)
        if kind in SIGNING:
            assert _sign(app, b"x") == before
        else:
            assert _decrypt(app, before) == b"x"

    @pytest.mark.parametrize("kind", ALL)
    @pytest.mark.parametrize("length", [0, 5, 31, 5000])
    def test_a_value_of_a_wrong_length_is_refused(
        self, app: AppUnderTest, kind: str, length: int
    ) -> None:
        body = {"type": kind, "value": _b64(b"\x01" * length)}
        refused(app.ask("POST", "/secretkeys/key", json=body), 400, 422)
        refused(app.ask("GET", "/secretkeys/key"), 404)

    def test_they_are_listed_by_type(self, app: AppUnderTest) -> None:
        for kind in ("hs256", "nacl_box", "es256"):
            _generate(app, kind, name=f"my-{kind}")
        assert self._listed(app) == {"my-hs256", "my-nacl_box", "my-es256"}
        assert self._listed(app, types="hs256,es256") == {"my-hs256", "my-es256"}
        assert self._listed(app, types="nacl_auth") == set()

    def test_a_removed_key_is_gone(self, app: AppUnderTest) -> None:
        version = _generate(app, "nacl_auth")["version"]
        removed = answered(app.ask("DELETE", "/secretkeys/key")).json()
        assert removed["version"] > version
        refused(app.ask("GET", "/secretkeys/key"), 404)
        refused(_use(app, "sign", plaintext=b"x"), 404)
        assert self._listed(app) == set()

    def test_a_new_key_of_the_name_takes_the_place_of_the_old(self, app: AppUnderTest) -> None:
        old = _generate(app, "nacl_sign")
        signature = _sign(app, b"x")
        new = _generate(app, "nacl_sign")
        assert new["version"] > old["version"]
        assert new["public_key"] != old["public_key"]
        refused(_use(app, "verify", plaintext=b"x", signature=signature), 400)

    def test_a_version_may_be_insisted_on(self, app: AppUnderTest) -> None:
        version = _generate(app, "nacl_auth")["version"]
        for query, is_there in ((version, True), (version + 1000, False)):
            params = {"min_version": str(query)}
            asked = [
                app.ask("GET", "/secretkeys", params=params),
                app.ask("GET", "/secretkeys/key", params=params),
                app.ask(
                    "POST", "/secretkeys/key/sign", params=params, json={"plaintext": _b64(b"x")}
                ),
            ]
            for answer in asked:
                assert answer.is_success or refused(answer, 400, 404, 408, 412, 422)
                assert answer.is_success == is_there

    def test_another_app_cannot_use_a_key(self, app: AppUnderTest) -> None:
        _generate(app, "nacl_auth")
        with AppUnderTest.made(app.subject, app.http) as other:
            assert self._listed(other) == set()
            refused(_use(other, "sign", plaintext=b"x"), 404)

    @pytest.mark.parametrize("verb", ["encrypt", "decrypt", "sign", "verify"])
    def test_a_key_that_is_not_there_does_nothing(self, app: AppUnderTest, verb: str) -> None:
        body = {"plaintext": b"x", "ciphertext": b"x", "signature": b"x"}
        refused(_use(app, verb, **body), 404)
        refused(app.ask("DELETE", "/secretkeys/key"), 404)

    @pytest.mark.parametrize("kind", ["", "rsa", "nacl", "es256\n", "HS 256", "../hs256"])
    def test_an_unknown_type_is_refused(self, app: AppUnderTest, kind: str) -> None:
        refused(app.ask("POST", "/secretkeys/key/generate", json={"type": kind}), 400, 422)
        body = {"type": kind, "value": _b64(bytes(32))}
        refused(app.ask("POST", "/secretkeys/key", json=body), 400, 422)
        assert self._listed(app) == set()

    @pytest.mark.parametrize("name", ["a%20b", "%00", "-a", "..%2fa", "a%0a", "%C3%A4", "k" * 256])
    def test_a_name_that_is_none_is_refused(self, app: AppUnderTest, name: str) -> None:
        answer = app.ask("POST", f"/secretkeys/{name}/generate", json={"type": "nacl_auth"})
        refused(answer, 400, 404, 422)
        assert self._listed(app) == set()

    @pytest.mark.parametrize(
        ("verb", "body"),
        [
            ("generate", {}),
            ("generate", {"type": 1}),
            ("generate", []),
            ("encrypt", {}),
            ("encrypt", {"plaintext": "not base64!"}),
            ("encrypt", {"plaintext": [256]}),
            ("encrypt", {"plaintext": [-1]}),
            ("encrypt", {"plaintext": ["1"]}),
            ("encrypt", {"plaintext": {"0": 1}}),
            ("encrypt", {"plaintext": 7}),
            ("decrypt", {"ciphertext": True}),
            ("decrypt", {"plaintext": ""}),
        ],
    )
    def test_a_body_of_nonsense_is_refused(self, app: AppUnderTest, verb: str, body: Any) -> None:
        _generate(app, "xaes256gcm")
        refused(app.ask("POST", f"/secretkeys/key/{verb}", json=body), 400)

    def _listed(self, app: AppUnderTest, **query: str) -> set[str]:
        return {one["name"] for one in app.get("/secretkeys", params=query)["secret_keys"]}
