"""Questions to an engine, and what answers in its place."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gapless.hostside.container_engine import Engine
from gapless.hostside.faults import Fault

from .engine import engine


@contextlib.contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """Once, with these bytes."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as stream:
                while stream.readline().strip():
                    pass
                connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        yield
        server.join()


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with engine(path, {"/containers/json": {"body": []}}):
        assert Engine(str(path), 5.0).ask("GET", "/containers/x/json") is None
        assert Engine(str(path), 5.0).pack("x", "/banner") is None
        assert Engine(str(path), 5.0).labelled(["a=b"]) == []


def test_what_is_not_there_cannot_be_ordered(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with engine(path, {}), pytest.raises(Fault, match="no such thing"):
        Engine(str(path), 5.0).ask("POST", "/containers/x/start")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"220 mail.example.org ESMTP\r\n", "not an HTTP answer"),
        (b"", "the connection was closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{}", "after 2 of 30 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<p>hush</", "not JSON"),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 9\r\n\r\n<p>hush</", "not JSON"),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 2\r\n\r\n[]", "answered with status 502"),
        (b"HTTP/1.1 500 Bad\r\nContent-Length: 0\r\n\r\n", "answered with status 500"),
    ],
    ids=["no HTTP", "nothing", "cut off", "no JSON", "a proxy", "no words", "nothing said"],
)
def test_what_is_no_engine_is_named_and_not_quoted(
    tmp_path: Path, answer: bytes, told: str
) -> None:
    path = tmp_path / "s"
    with answering(path, answer), pytest.raises(Fault, match=f"^{path} .*{told}") as caught:
        Engine(str(path), 5.0).ask("GET", "/containers/x/json")
    assert "hush" not in str(caught.value.to_json())
