"""A container engine that says what a test has it say."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@contextlib.contextmanager
def engine(path: Path, answers: dict[str, Any]) -> Iterator[list[str]]:
    """Answers what begins with a path as told, in JSON unless it is bytes, and 404 for any other;
    yields what it was asked."""
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
                body = (found or {"body": {"message": "no such thing"}})["body"]
                sent = body if isinstance(body, bytes) else json.dumps(body).encode()
                head = f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n"
                connection.sendall(head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(sent), sent))

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield asked
        finally:
            over.set()
            server.join()
