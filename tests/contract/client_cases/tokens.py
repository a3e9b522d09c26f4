"""Tokens."""

from __future__ import annotations

from ephemera.wire.tokens import (
    Authorization,
    Caveats,
    GrantedAccess,
    TokenAccess,
    TokenInfo,
    TokenNonce,
    VerifiedToken,
)
from tests.contract.client_cases.case import Case, Cases

ACCESS = {"app_name": "demo", "action": "rw"}

CASES: Cases = {
    "tokens.create_deploy": [
        Case(
            lambda c: c.tokens.create_deploy("demo", expiry=48 * 3600),
            "POST /v1/apps/demo/deploy_token",
            {"expiry": "48h0m0s"},
            (200, {"token": "FlyV1 fm2_x"}),
            "FlyV1 fm2_x",
        ),
        Case(
            lambda c: c.tokens.create_deploy("demo"),
            "POST /v1/apps/demo/deploy_token",
            {},
            (200, {"token": "FlyV1 fm2_x"}),
            "FlyV1 fm2_x",
        ),
    ],
    "tokens.current": [
        Case(
            lambda c: c.tokens.current(),
            "GET /v1/tokens/current",
            answer=(200, {"tokens": [{"token_id": "t1", "apps": ["demo"], "user": None}]}),
            result=[TokenInfo(token_id="t1", apps=["demo"])],
        )
    ],
    "tokens.authenticate": [
        Case(
            lambda c: c.tokens.authenticate("FlyV1 fm2_x"),
            "POST /v1/tokens/authenticate",
            {"header": "FlyV1 fm2_x"},
            (
                200,
                [
                    {
                        "nonce": {"kid": [1, 2], "rnd": "aGk=", "proof": True},
                        "caveats": {"caveats": [{"type": "x"}]},
                    }
                ],
            ),
            [
                VerifiedToken(
                    nonce=TokenNonce(kid=b"\x01\x02", rnd=b"hi", proof=True),
                    caveats=Caveats(caveats=[{"type": "x"}]),
                )
            ],
        )
    ],
    "tokens.authorize": [
        Case(
            lambda c: c.tokens.authorize("FlyV1 fm2_x", TokenAccess.model_validate(ACCESS)),
            "POST /v1/tokens/authorize",
            {"header": "FlyV1 fm2_x", "access": ACCESS},
            (200, {"access": {"appid": 7, "action": 3, "sourceApp": None}}),
            Authorization(access=GrantedAccess(appid=7, action=3)),
        ),
        Case(
            lambda c: c.tokens.authorize("FlyV1 fm2_x", {"action": 3}),
            "POST /v1/tokens/authorize",
            {"header": "FlyV1 fm2_x", "access": {"action": 3}},
            (200, {}),
            Authorization(),
        ),
    ],
    "tokens.oidc": [
        Case(
            lambda c: c.tokens.oidc(aud="https://example.com", aws_principal_tags=True),
            "POST /v1/tokens/oidc",
            {"aud": "https://example.com", "aws_principal_tags": True},
            (200, "header.claims.signature\n"),
            "header.claims.signature",
        )
    ],
    "tokens.kms": [
        Case(
            lambda c: c.tokens.kms(),
            "POST /v1/tokens/kms",
            answer=(200, "a token"),
            result="a token",
        )
    ],
}
