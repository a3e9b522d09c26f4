"""Why a token does not let somebody in, or cannot be made. Statuses and texts as on Fly.io."""

from __future__ import annotations

from ephemera.platform.refusals import Refusal, invalid


def no_tokens(status: int = 401) -> Refusal:
    """There is a header, and no token of any form that we know in it."""
    return Refusal(status, "verify: invalid token: no tokens found in header")


def token_not_found() -> Refusal:
    """No such token, or not any more."""
    return Refusal(404, "token not found")


def expiry_invalid(expiry: str, longest: str) -> Refusal:
    """A token cannot be good for so long, or for no time at all."""
    return invalid(f"expiry {expiry[:80]!r} is not a duration from 1s to {longest}")


def audience_invalid(most: int) -> Refusal:
    """Nobody is called like this."""
    return invalid(f"aud is longer than {most} characters, or has control characters in it")


def not_in_a_machine() -> Refusal:
    """It is the machine that asks whom the answer is about."""
    return invalid(
        "an identity token is for the machine that asks for it: ask from inside, through its "
        "API socket and without a token"
    )


def action_invalid(action: str | int) -> Refusal:
    """Not a set of actions."""
    said = repr(action)[:80]
    return invalid(f"access.action {said} is not made of r, w, c, d and C, nor a sum of 1 to 16")


def access_incomplete(part: str, whole: str) -> Refusal:
    """A part of something, and not of what."""
    return invalid(f"access.{part} needs access.{whole} beside it")


def access_ambiguous(names: str) -> Refusal:
    """An access is to one thing."""
    return invalid(f"access is to one of {names}, not to several of them")


def access_unspecified() -> Refusal:
    """An access to nothing."""
    return invalid("access names no organisation, app, machine or volume")


def access_inconsistent(app: str, org: str) -> Refusal:
    """Things that do not belong together."""
    return invalid(f"access.app_name {app[:80]!r} is not an app of access.org_slug {org[:80]!r}")
