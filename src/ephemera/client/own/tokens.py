"""The tokens that the embedded platform has made for apps."""

from __future__ import annotations

from ephemera.client.call import Call, nothing, reader, segment
from ephemera.client.own.face import OwnFace
from ephemera.wire.own import ListedToken, TokenList


class OwnTokens(OwnFace):
    """The platform's own endpoints for tokens. Safe to use from any thread.

    All raise `Unauthorized` for a token that is for one app only, and `NotFound` where it is no
    platform of ours.
    """

    about = "listing and revoking tokens"
    instead = "`fly tokens list` and `fly tokens revoke` do it there"

    def list(self) -> list[ListedToken]:
        """Return the tokens for apps that are good, of all apps."""
        call = Call(
            doing="listing the tokens",
            method="GET",
            path="/ephemera/tokens",
            read=reader(TokenList),
            repeatable=True,
        )
        return self._link.run(call).tokens

    def revoke(self, token_id: str) -> None:
        """Make a token worthless, at once.

        Raises:
            NotFound: there is no such token; after a lost answer it may have been this very call.
        """
        call = Call(
            doing=f"revoking token {token_id!r}",
            method="DELETE",
            path="/ephemera/tokens/" + segment("a token's id", token_id),
            read=nothing,
            repeatable=True,
        )
        self._link.run(call)
