from __future__ import annotations

import socket

import pytest

from ephemera.platform.drivers.monitoring import frames
from ephemera.platform.drivers.monitoring.frames import Decoder, Message

MESSAGES: list[Message] = [{"do": "attach"}, {"say": "failed", "error": "ü" * 1000}, {}]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100_000])
def test_messages_survive_arriving_in_pieces_of_any_size(size: int) -> None:
    data = b"".join(frames.encode(message) for message in MESSAGES)
    decoder = Decoder()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [message for piece in pieces for message in decoder.feed(piece)] == MESSAGES


def test_what_is_not_json_is_an_error() -> None:
    with pytest.raises(ValueError):
        list(Decoder().feed(b"\0\0\0\1x"))


def test_receive_returns_one_message_and_leaves_the_next() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(frames.encode(MESSAGES[0]) + frames.encode(MESSAGES[1]))
        assert frames.receive(ours) == MESSAGES[0]
        assert frames.receive(ours) == MESSAGES[1]


@pytest.mark.parametrize("sent", [0, 2, 6])
def test_a_message_that_was_cut_off_is_none(sent: int) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(frames.encode(MESSAGES[0])[:sent])
        theirs.close()
        assert frames.receive(ours) is None


def test_last_words_to_somebody_who_left_are_no_error() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        frames.send_last(ours, {"say": "gone"})
