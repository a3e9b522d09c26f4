"""Numbers as headers of tar archives have them."""

from __future__ import annotations

from ephemera.platform.unpacker.problems import BadLayer, shown

#: More digits than the largest number that anything can be.
_DIGITS_MAX = 20


def number(digits: bytes) -> int:
    """Return a number of a header: octal digits, or GNU's binary where they do not suffice.

    Raises:
        BadLayer: it is neither.
    """
    if digits[0] & 0x80:
        value = int.from_bytes(digits, "big")
        bits = 8 * len(digits)
        return value - (1 << bits) if digits[0] == 0xFF else value & ~(1 << (bits - 1))
    text = digits.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError as error:
        raise _not_a_number(digits) from error


def decimal(digits: bytes) -> int:
    """Return a number of a pax header.

    Raises:
        BadLayer: it is not one, or one that nothing can be.
    """
    if not digits.isdigit() or len(digits) > _DIGITS_MAX:
        raise _not_a_number(digits)
    return int(digits)


def _not_a_number(digits: bytes) -> BadLayer:
    text = shown(digits.decode("utf-8", "surrogateescape"))
    return BadLayer(
        f"it is not a tar archive, or a broken one: a header has {text} where a number should be"
    )
