"""What a host tells of its containers: nothing that may hold secrets."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from gapless.hostside.calls import Call
from gapless.hostside.containers import containers
from gapless.hostside.faults import Fault

INSPECTED: dict[str, Any] = {
    "Id": "1" * 64,
    "Name": "/shop-web-1",
    "Image": "sha256:1",
    "RestartCount": 0,
    "State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00Z"},
    "Config": {
        "Image": "web:1",
        "Env": ["TOKEN=hush"],
        "Cmd": ["web", "--token=hush"],
        "Labels": {"com.docker.compose.project": "shop", "gapless.slot": "a", "theirs": "hush"},
        "StopTimeout": 3,
    },
    "HostConfig": {"AutoRemove": False},
    "NetworkSettings": {"Networks": {"shop_default": {"IPAddress": "10.0.0.2"}}},
    "Mounts": [
        {"Type": "volume", "Name": "data", "Source": "/x", "RW": True, "Destination": "/data"}
    ],
}


@contextlib.contextmanager
def engine(path: Path, answers: dict[str, Any]) -> Iterator[list[str]]:
    """Answers each path as told, 404 for any other; yields what it was asked."""
    asked: list[str] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    talk(listening.accept()[0])

        def talk(connection: socket.socket) -> None:
            with connection, connection.makefile("rb") as stream:
                target = unquote(stream.readline().split()[1].decode())
                while stream.readline().strip():
                    pass
                asked.append(target)
                found = next((a for begin, a in answers.items() if target.startswith(begin)), None)
                status = 404 if found is None else found.get("status", 200)
                body = json.dumps((found or {"body": {"message": "no such thing"}})["body"])
                chunk = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
                head = f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n"
                connection.sendall((head + chunk).encode())

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield asked
        finally:
            over.set()
            server.join()


def look(path: Path) -> dict[str, Any]:
    return containers(
        Call(1, "containers", {"socket": str(path), "labels": ["a=b"], "timeout": 5.0})
    )


def test_no_environment_no_command_and_no_foreign_label_leave_the_host(tmp_path: Path) -> None:
    path = tmp_path / "s"
    answers = {
        "/containers/json": {"body": [{"Id": "1" * 64}, {"Id": "2" * 64}]},
        f"/containers/{'1' * 64}/json": {"body": INSPECTED},
        "/images/web:1/json": {"body": {"Id": "sha256:2"}},
    }
    with engine(path, answers) as asked:
        told = look(path)
    assert "hush" not in json.dumps(told)
    one = told["containers"]
    assert len(one) == 1, "the second has gone between two questions"
    assert one[0]["name"] == "shop-web-1"
    assert one[0]["addresses"] == {"shop_default": "10.0.0.2"}
    assert one[0]["volumes"] == ["data"]
    assert told["images"] == {"web:1": "sha256:2"}
    assert '{"label": ["a=b"]}' in asked[0]


def test_what_the_engine_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    path = tmp_path / "s"
    refused = {"/containers/json": {"status": 500, "body": {"message": "no space left"}}}
    with engine(path, refused), pytest.raises(Fault, match="no space left"):
        look(path)


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=str(tmp_path / "none")):
        look(tmp_path / "none")
