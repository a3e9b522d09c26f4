"""Identity tokens: a machine proves to others which machine it is.

```
machine ── POST /v1/tokens/oidc ──► a JWT, signed ──► somebody else
                                                        │ GET <iss>/.well-known/openid-configuration
   the platform ◄── its public keys (JWKS) ─────────────┘ and checks the signature
```

As on Fly.io each organisation is an issuer of its own, and the subject is
`organisation:app:machine`. The key is made when it is first needed, and kept sealed.

Source: https://fly.io/docs/security/openid-connect/ for the claims; RFC 7517 and OpenID Connect
Discovery 1.0 for the documents.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ephemera.platform import configs
from ephemera.platform.access.records import SigningKeyRecord
from ephemera.platform.access.store import AccessStore
from ephemera.platform.edge.networks import numeric_id
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.platform.secrets.vault import Vault

if TYPE_CHECKING:  # what signs is imported late: few platforms are asked for an identity token
    from cryptography.hazmat.primitives.asymmetric import rsa

#: How long an identity token is good for, as on Fly.io.
LIFETIME_S = 600
_ALGORITHM = "RS256"
_KEY_BITS = 2048
_AWS_TAGS = "https://aws.amazon.com/tags"
#: What AWS is told about a machine, where it is asked for: claims as the tags of a session.
_TAGGED = ("org_name", "app_name", "machine_id", "machine_name", "machine_version", "region")


class Issuer:
    """Signs for the machines of one platform.

    Args:
        url: The platform's base URL, where its documents are read.
    """

    def __init__(
        self, store: AccessStore, vault: Vault, url: str, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._vault = vault
        self._url = url
        self._clock = clock
        self._making = asyncio.Lock()
        self._key: tuple[str, rsa.RSAPrivateKey] | None = None

    def url(self, org_slug: str) -> str:
        """Return what the `iss` claim of an organisation's tokens says."""
        return f"{self._url}/oidc/{quote(org_slug, safe='')}"

    def configuration(self, org_slug: str) -> dict[str, Any]:
        """Return the discovery document of an organisation."""
        issuer = self.url(org_slug)
        return {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/.well-known/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [_ALGORITHM],
            "scopes_supported": ["openid"],
        }

    async def jwks(self) -> dict[str, Any]:
        """Return the public keys that tokens are verified with."""
        from jwt.algorithms import RSAAlgorithm

        key_id, key = await self._signing_key()
        shown = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
        shown.pop("key_ops", None)  # `use` says it, and RFC 7517 wants one of the two
        return {"keys": [shown | {"kid": key_id, "use": "sig", "alg": _ALGORITHM}]}

    async def token(
        self,
        app: AppRecord,
        machine: MachineRecord,
        audience: str,
        *,
        aws_principal_tags: bool,
    ) -> str:
        """Return a signed token that says which machine this is, good for ten minutes.

        Args:
            audience: Whom it is shown to; empty for the issuer itself.
            aws_principal_tags: Whether AWS is to know the machine by the tags of its session.
        """
        import jwt

        key_id, key = await self._signing_key()
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": self.url(app.org_slug),
            "aud": audience or self.url(app.org_slug),
            "sub": f"{app.org_slug}:{app.name}:{machine.name}",
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_S,
            **_about(app, machine),
        }
        if aws_principal_tags:
            tags = {name: [claims[name]] for name in _TAGGED}
            claims[_AWS_TAGS] = {"principal_tags": tags, "transitive_tag_keys": list(_TAGGED)}
        return jwt.encode(claims, key, _ALGORITHM, headers={"kid": key_id})

    async def _signing_key(self) -> tuple[str, rsa.RSAPrivateKey]:
        async with self._making:  # two who come first at once must not make two
            if self._key is None:
                kept = self._store.signing_keys()
                self._key = self._opened(kept[-1]) if kept else await self._new_key()
            return self._key

    def _opened(self, record: SigningKeyRecord) -> tuple[str, rsa.RSAPrivateKey]:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        plain = self._vault.open(record.sealed, _bound(record.id))
        key = serialization.load_der_private_key(plain, password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return record.id, key

    async def _new_key(self) -> tuple[str, rsa.RSAPrivateKey]:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        # 30 to 300 ms of arithmetic: not on the event loop.
        key = await asyncio.to_thread(rsa.generate_private_key, 65537, _KEY_BITS)
        plain = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        key_id = secrets.token_hex(8)
        sealed = self._vault.seal(plain, _bound(key_id))
        self._store.add_signing_key(SigningKeyRecord(key_id, sealed, self._clock()))
        return key_id, key


def _bound(key_id: str) -> str:
    return f"signing_key/{key_id}"


def _about(app: AppRecord, machine: MachineRecord) -> dict[str, str]:
    image: str = machine.config["image"]
    return {
        "app_id": str(numeric_id(app.id)),
        "app_name": app.name,
        "image": image,
        "image_digest": configs.image_ref(image)["digest"],
        "machine_id": machine.id,
        "machine_name": machine.name,
        "machine_version": machine.instance_id,
        "org_id": str(numeric_id(app.org_slug)),
        "org_name": app.org_slug,
        "region": machine.region,
    }
