"""The identifiers of the Machines API: machine ids, ULIDs, app ids and machine names."""

from __future__ import annotations

import os
import secrets
import threading
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
#: How far a forked child is ahead of its parent at most: less than a millisecond.
_APART_BITS = 72
#: A ULID is 26 digits of 5 bits: 13 pairs, each looked up at once.
_PAIRS = [first + second for first in _CROCKFORD for second in _CROCKFORD]
_PAIR_SHIFTS = range(120, -1, -10)

_ADJECTIVES = (
    "amber", "brisk", "calm", "dawn", "early", "faint", "gentle", "hidden", "idle", "keen",
    "lucky", "mellow", "nimble", "odd", "pale", "quick", "rapid", "silent", "tidy", "wild",
)  # fmt: skip
_NOUNS = (
    "bank", "cloud", "dew", "ember", "field", "glade", "haze", "inlet", "lake", "meadow",
    "mist", "pond", "reed", "ripple", "river", "shore", "spark", "stream", "wing", "wood",
)  # fmt: skip
#: A name's number has four digits.
_NUMBERS = range(1000, 10_000)


class UlidFactory:
    """Makes ULIDs that sort in the order in which they were made.

    Two made in the same millisecond differ by one, so a list of events sorted by id is in the
    order in which the events happened, also when the clock of the host is set back.
    """

    def __init__(self) -> None:
        self._last = 0
        self.start_afresh()

    def start_afresh(self) -> None:
        """Go on in a forked child: by another way than the parent, which may be in the same moment.

        Who is making one is forgotten: that thread is not there any more.
        """
        self._lock = threading.Lock()
        self._last += int.from_bytes(os.urandom(_APART_BITS // 8))

    def __call__(self) -> str:
        """Return a new 26-character ULID. Safe to call from any thread."""
        with self._lock:
            chance = int.from_bytes(os.urandom(_RANDOM_BITS // 8))
            fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | chance
            same_or_earlier_ms = fresh >> _RANDOM_BITS <= self._last >> _RANDOM_BITS
            self._last = self._last + 1 if same_or_earlier_ms else fresh
            number = self._last
        return "".join([_PAIRS[number >> shift & 1023] for shift in _PAIR_SHIFTS])


new_ulid = UlidFactory()
os.register_at_fork(after_in_child=new_ulid.start_afresh)


def new_machine_id() -> str:
    """Return a machine id in Fly's form: 14 hexadecimal digits."""
    return secrets.token_hex(7)


def new_app_id() -> str:
    """Return an app id in Fly's form: 16 lower-case letters and digits."""
    return _letters_and_digits()


def new_volume_id() -> str:
    """Return a volume id in Fly's form, such as `vol_2n0l3vl60qpv635d`."""
    return f"vol_{_letters_and_digits()}"


def new_snapshot_id() -> str:
    """Return the id of a volume's snapshot in Fly's form, such as `vs_2n0l3vl60qpv635d`."""
    return f"vs_{_letters_and_digits()}"


def _letters_and_digits() -> str:
    return "".join(secrets.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _ in range(16))


def new_machine_name() -> str:
    """Return a name such as `calm-river-7371` for a machine whose creator gave none."""
    chance = secrets.randbelow(len(_ADJECTIVES) * len(_NOUNS) * len(_NUMBERS))
    words, number = divmod(chance, len(_NUMBERS))
    adjective, noun = divmod(words, len(_NOUNS))
    return f"{_ADJECTIVES[adjective]}-{_NOUNS[noun]}-{_NUMBERS[number]}"
