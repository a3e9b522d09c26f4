from __future__ import annotations

import pytest

from ephemera.platform.access.header import TOKENS_MAX, shown_tokens


@pytest.mark.parametrize(
    ("header", "tokens"),
    [
        ("", []),
        ("   ", []),
        ("Bearer", []),
        ("Bearer ", []),
        ("Bearer a", ["a"]),
        ("bearer a", ["a"]),
        ("FLYV1 a", ["a"]),
        ("FlyV1 a,b", ["a", "b"]),
        ("Bearer FlyV1 a, b", ["a", "b"]),
        ("  Bearer   FlyV1   a  ", ["a"]),
        ("a", ["a"]),
        ("a,,b,", ["a", "b"]),
        ("Basic dXNlcjpwYXNz", []),
        ("Bearer a\tb", []),
        ("Bearer a b,c", ["c"]),
        (",,,", []),
        ("bearers a", []),
        ("Bearer Bearer FlyV1 a", []),
    ],
)
def test_tokens_are_found_whatever_is_around_them(header: str, tokens: list[str]) -> None:
    assert shown_tokens(header) == tokens


def test_only_so_many_are_looked_at() -> None:
    assert shown_tokens("Bearer " * 10_000 + "a") == []
    shown = shown_tokens("FlyV1 " + ",".join(str(number) for number in range(10_000)))
    assert shown == [str(number) for number in range(TOKENS_MAX)]
