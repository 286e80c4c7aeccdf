"""What is said to Redis and what comes back, without one."""

from __future__ import annotations

import pytest

from gapless.drivers.clusters.redis_resp import NonsenseError, Refusal, Reply, read, written


def test_commands_are_arrays_of_bulk_strings() -> None:
    said = written((("PING",), ("SET", "k", "ä b")))
    assert said == b"*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\xc3\xa4 b\r\n"


@pytest.mark.parametrize(
    ("data", "replies"),
    [
        (b"+OK\r\n", ("OK",)),
        (b":-7\r\n", (-7,)),
        (b"$-1\r\n*-1\r\n", (None, None)),
        (b"-ERR no\r\n", (Refusal("ERR no"),)),
        (b"$4\r\na\r\nb\r\n", ("a\r\nb",)),
        (b"*2\r\n$1\r\na\r\n*1\r\n:3\r\n", (("a", (3,)),)),
        (b"*0\r\n", ((),)),
        (b"", ()),
        (b"+OK\r\n$10\r\nabc", ("OK",)),  # cut off
        (b"+OK\r\n*2\r\n:1\r\n", ("OK",)),
        (b"+OK\r\n+no end", ("OK",)),
    ],
)
def test_whole_replies_are_read(data: bytes, replies: tuple[Reply, ...]) -> None:
    assert read(data) == replies


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0", b"$x\r\n", b"*?\r\n"]
)
def test_what_is_not_resp_is_nonsense(data: bytes) -> None:
    with pytest.raises(NonsenseError):
        read(data)
