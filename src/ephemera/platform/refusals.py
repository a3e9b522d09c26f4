"""Every "no" of the platform, with the status and the text of the real API.

Source: the table of observed errors of the Machines API; texts without a source there are ours.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime


class Refusal(Exception):
    """The platform's answer is no.

    Args:
        status: The HTTP status.
        error: What went wrong, with the names in it.
        code: The API's word for it, where it has one.
    """

    def __init__(self, status: int, error: str, *, code: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code

    def body(self) -> dict[str, str]:
        """Return the JSON of the answer."""
        return {"error": self.error, "status": self.code} if self.code else {"error": self.error}

    def headers(self) -> dict[str, str]:
        """Return what the answer says beside its body."""
        return {}


class LeaseRefusal(Refusal):
    """A lease is held by somebody else; the lease endpoints answer it in their own form."""

    def body(self) -> dict[str, str]:
        """Return the JSON of the answer, in the envelope of the lease endpoints."""
        return {"status": "error", "message": self.error, "code": "invalid"}


class RateLimited(Refusal):
    """Asked too often; the answer says when to ask again."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(429, "resource_exhausted: rate limit exceeded")
        self.wait_s = wait_s

    def headers(self) -> dict[str, str]:
        """Return the whole seconds after which there is room again."""
        return {"retry-after": str(math.ceil(self.wait_s))}


def unauthenticated() -> Refusal:
    """No token, or not ours."""
    return Refusal(401, "Authenticate: token validation error")


def unauthorized() -> Refusal:
    """The token is valid, and is not for this."""
    return Refusal(403, "unauthorized")


def rate_limited(wait_s: float) -> Refusal:
    """Asked too often; there is room again in `wait_s` seconds."""
    return RateLimited(wait_s)


def app_not_found() -> Refusal:
    """No such app."""
    return Refusal(404, "app not found")


def machine_not_found() -> Refusal:
    """No such machine in this app."""
    return Refusal(404, "machine not found")


def invalid(why: str) -> Refusal:
    """The request is wrong."""
    return Refusal(400, f"invalid_argument: {why}")


def unsupported(what: str) -> Refusal:
    """The request is right, but this platform cannot do it."""
    return Refusal(400, f"unsupported: {what}")


def upgrade_required() -> Refusal:
    """It is spoken over a WebSocket only."""
    return Refusal(426, "upgrade required: this endpoint is a WebSocket")


def app_name_invalid() -> Refusal:
    """The name of a new app is not one."""
    return Refusal(
        422,
        "Validation failed: Name under 63 chars using numbers, lowercase letters and dashes",
    )


def app_name_taken() -> Refusal:
    """A live app has the name."""
    return Refusal(422, "Validation failed: Name has already been taken", code="name_taken")


def app_has_machines(count: int) -> Refusal:
    """An app is only deleted with `force` while it has running machines."""
    return Refusal(
        412, f"failed_precondition: app still has {count} machines that are not stopped; use force"
    )


def machine_name_taken(name: str, machine_id: str) -> Refusal:
    """A live machine of the app has the name."""
    return Refusal(
        409,
        f"already_exists: unique machine name violation, machine ID {machine_id} "
        f'already exists with name "{name}"',
    )


def no_room(why: str) -> Refusal:
    """The disk is nearly full, so no more machines are started."""
    return Refusal(
        409,
        "aborted: could not reserve resource for machine: insufficient disk available to fulfill "
        f"request on the current host: {why}",
        code="insufficient_capacity",
    )


def cannot_start(state: str) -> Refusal:
    """It is not at rest."""
    texts = {
        "stopping": "failed_precondition: machine still active, refusing to start",
        "replacing": "failed_precondition: machine getting replaced, refusing to start",
    }
    fallback = f"failed_precondition: unable to start machine from current state: '{state}'"
    return Refusal(412, texts.get(state, fallback))


def wrong_state(verb: str, state: str) -> Refusal:
    """It is not in a state that allows this."""
    return Refusal(
        412, f"failed_precondition: unable to {verb} machine from current state: '{state}'"
    )


def nothing_left(verb: str) -> Refusal:
    """It rests, and has no file system: it never ran, or got another version since."""
    return Refusal(
        412,
        f"failed_precondition: unable to {verb} machine: its program never ran, or it was updated "
        "since, and nothing is left of it",
    )


def no_terminal_at_rest(state: str) -> Refusal:
    """Its program has ended; what that left can be looked at."""
    return Refusal(
        412,
        f"failed_precondition: unable to open a terminal in machine from current state: "
        f"'{state}'; `look` opens one in a copy of what it left",
    )


def cannot_suspend(why: str) -> Refusal:
    """It runs, and is not one that can be suspended."""
    return Refusal(412, f"failed_precondition: unable to suspend machine: {why}")


def not_stopped() -> Refusal:
    """Destroying something that runs takes `force`."""
    return Refusal(412, "failed_precondition: unable to destroy machine, not currently stopped")


def changed_meanwhile() -> Refusal:
    """Somebody else wrote a newer version first."""
    return Refusal(409, "aborted: machine update failed due to concurrent update")


def version_mismatch(current: str) -> Refusal:
    """A metadata write was meant for another version."""
    return Refusal(412, f"failed_precondition: machine version is now {current}")


def version_not_found(version: str) -> Refusal:
    """The machine never had this version, or so long ago that it is forgotten."""
    return Refusal(404, f"machine version '{version[:40]}' not found")


def version_replaced(version: str, current: str) -> Refusal:
    """What is waited for cannot come any more: there is a newer version."""
    return Refusal(412, f"failed_precondition: machine version {version} is replaced, by {current}")


def lease_held(machine_id: str, owner: str, expires_at: float) -> Refusal:
    """A gated write came without the nonce of the lease."""
    until = datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Refusal(
        409,
        f"aborted: machine ID {machine_id} lease currently held by {owner}, expires at {until}",
    )


def lease_conflict(machine_id: str, owner: str, expires_at: float) -> LeaseRefusal:
    """Somebody else asked for a lease while one is held."""
    until = datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
    return LeaseRefusal(
        409, f"machine ID {machine_id} lease currently held by {owner}, expires at {until}"
    )


def not_reached(wanted: str, current: str) -> Refusal:
    """A wait ended without the state."""
    return Refusal(
        408,
        f"deadline_exceeded: machine failed to reach desired state, {wanted}, currently {current}",
    )


def lease_not_found() -> Refusal:
    """Nobody holds the machine, or not any more."""
    return Refusal(404, "lease not found")


def metadata_key_not_found(key: str) -> Refusal:
    """The machine has no such label."""
    return Refusal(404, f"metadata key '{key}' not found")


def stop_timeout_too_long() -> Refusal:
    """A program may not be given longer than this to end."""
    return invalid("invalid stop_config.timeout, cannot exceed 5 minutes")


def exec_timed_out(timeout: int) -> Refusal:
    """The command did not end in time and was killed."""
    return Refusal(408, f"deadline_exceeded: command did not end within {timeout} seconds")


def wait_timeout_invalid() -> Refusal:
    """A wait may take 1 to 60 seconds."""
    return Refusal(
        400,
        "invalid_argument: invalid WaitMachineRequest.Timeout: "
        "value must be inside range [1s, 1m0s]",
    )


def stopping_server() -> Refusal:
    """The server is going away; the machines are not."""
    return Refusal(503, "unavailable: the server is shutting down")


def address_not_found(ip: str) -> Refusal:
    """The app does not have this address."""
    return Refusal(404, f"ip address '{ip}' not found")


def too_many_addresses(most: int) -> Refusal:
    """An app has enough of them."""
    return Refusal(422, f"app has {most} ip addresses already, which is the most it may have")


def hostname_invalid(hostname: str) -> Refusal:
    """No certificate can be for it."""
    return Refusal(422, f"hostname {hostname[:80]!r} is not the name of a host")


def hostname_taken(hostname: str) -> Refusal:
    """An app has the host name; whose it is is not said."""
    return Refusal(422, f"hostname '{hostname}' is already used by another app")


def certificate_invalid(why: str) -> Refusal:
    """A certificate was uploaded that cannot be used."""
    return Refusal(422, f"certificate cannot be used: {why}")


def certificate_not_found(hostname: str) -> Refusal:
    """The app does not have this host name, or it has no certificate."""
    return Refusal(404, f"certificate for hostname {hostname[:80]!r} not found")


def acme_unavailable() -> Refusal:
    """Nobody outside could reach this computer to find out whose name it is."""
    return Refusal(
        422,
        "ACME certificates are not available on this platform: "
        "upload one of your own with POST .../certificates/custom",
    )
