"""App secrets and secret keys: bytes as base64 or as numbers, versions in both spellings."""

from __future__ import annotations

from ephemera.wire.secrets import (
    AppSecret,
    SecretChange,
    SecretKey,
    SecretKeyChange,
    SecretRemoval,
    SecretsChange,
)
from tests.contract.client_cases.case import Case, Cases

CASES: Cases = {
    "secrets.list": [
        Case(
            lambda c: c.secrets.list("demo", min_version=7, show_secrets=True),
            "GET /v1/apps/demo/secrets?min_version=7&show_secrets=true",
            answer=(200, {"secrets": [{"name": "A", "digest": "d", "value": "x"}]}),
            result=[AppSecret(name="A", digest="d", value="x")],
        ),
        Case(
            lambda c: c.secrets.list("demo"),
            "GET /v1/apps/demo/secrets",
            answer=(200, {"secrets": None}),
            result=[],
        ),
    ],
    "secrets.update": [
        Case(
            lambda c: c.secrets.update("demo", {"A": "x", "B": None}),
            "POST /v1/apps/demo/secrets",
            {"values": {"A": "x", "B": None}},
            (200, {"Version": 8, "version": 8, "secrets": [{"name": "A"}]}),
            SecretsChange.model_validate({"Version": 8, "version": 8, "secrets": [{"name": "A"}]}),
        )
    ],
    "secrets.get": [
        Case(
            lambda c: c.secrets.get("demo", "A", min_version=7, show_secrets=True),
            "GET /v1/apps/demo/secrets/A?min_version=7&show_secrets=true",
            answer=(200, {"name": "A", "digest": "d"}),
            result=AppSecret(name="A", digest="d"),
        )
    ],
    "secrets.set": [
        Case(
            lambda c: c.secrets.set("demo", "A", "x"),
            "POST /v1/apps/demo/secrets/A",
            {"value": "x"},
            (201, {"name": "A", "Version": 9}),
            SecretChange(name="A", version=9),
        )
    ],
    "secrets.delete": [
        Case(
            lambda c: c.secrets.delete("demo", "A"),
            "DELETE /v1/apps/demo/secrets/A",
            answer=(200, {"version": 10}),
            result=SecretRemoval(version=10),
        )
    ],
    "secret_keys.list": [
        Case(
            lambda c: c.secret_keys.list("demo", types=["hs256", "es256"], min_version=7),
            "GET /v1/apps/demo/secretkeys?min_version=7&types=hs256%2Ces256",
            answer=(200, {"secret_keys": [{"name": "k", "type": "es256", "public_key": "aGk="}]}),
            result=[SecretKey(name="k", type="es256", public_key=b"hi")],
        )
    ],
    "secret_keys.get": [
        Case(
            lambda c: c.secret_keys.get("demo", "k", min_version=7),
            "GET /v1/apps/demo/secretkeys/k?min_version=7",
            answer=(200, {"name": "k", "public_key": [104, 105]}),
            result=SecretKey(name="k", public_key=b"hi"),
        )
    ],
    "secret_keys.set": [
        Case(
            lambda c: c.secret_keys.set("demo", "k", type="hs256", value=b"\x00\xff"),
            "POST /v1/apps/demo/secretkeys/k",
            {"type": "hs256", "value": "AP8="},
            (201, {"name": "k", "version": 3, "public_key": None}),
            SecretKeyChange(name="k", version=3),
        )
    ],
    "secret_keys.generate": [
        Case(
            lambda c: c.secret_keys.generate("demo", "k", type="nacl_sign"),
            "POST /v1/apps/demo/secretkeys/k/generate",
            {"type": "nacl_sign"},
            (201, {"name": "k", "version": 3, "public_key": "aGk="}),
            SecretKeyChange(name="k", version=3, public_key=b"hi"),
        )
    ],
    "secret_keys.delete": [
        Case(
            lambda c: c.secret_keys.delete("demo", "k"),
            "DELETE /v1/apps/demo/secretkeys/k",
            answer=(200, {"Version": 4}),
            result=SecretRemoval(version=4),
        )
    ],
    "secret_keys.encrypt": [
        Case(
            lambda c: c.secret_keys.encrypt("demo", "k", b"hi", associated_data=b"", min_version=7),
            "POST /v1/apps/demo/secretkeys/k/encrypt?min_version=7",
            {"plaintext": "aGk=", "associated_data": ""},
            (200, {"ciphertext": [0, 255]}),
            b"\x00\xff",
        )
    ],
    "secret_keys.decrypt": [
        Case(
            lambda c: c.secret_keys.decrypt(
                "demo", "k", b"\x00\xff", associated_data=b"hi", min_version=7
            ),
            "POST /v1/apps/demo/secretkeys/k/decrypt?min_version=7",
            {"ciphertext": "AP8=", "associated_data": "aGk="},
            (200, {"plaintext": "aGk="}),
            b"hi",
        )
    ],
    "secret_keys.sign": [
        Case(
            lambda c: c.secret_keys.sign("demo", "k", b"hi", min_version=7),
            "POST /v1/apps/demo/secretkeys/k/sign?min_version=7",
            {"plaintext": "aGk="},
            (200, {"signature": "AP8="}),
            b"\x00\xff",
        )
    ],
    "secret_keys.verify": [
        Case(
            lambda c: c.secret_keys.verify("demo", "k", b"hi", b"\x00\xff", min_version=7),
            "POST /v1/apps/demo/secretkeys/k/verify?min_version=7",
            {"plaintext": "aGk=", "signature": "AP8="},
            (204, None),
        )
    ],
}
