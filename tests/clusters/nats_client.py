"""A small client of NATS, so that it is spoken to without gapless."""

from __future__ import annotations

import itertools
import json
import socket
import time
from typing import Any

_PATIENCE = 40.0
_NO_PEERS_YET = 10005
"""What JetStream says for some seconds after a server that has just started."""


class Client:
    """One connection; one question at a time. Everything raises OSError where it comes to
    nothing."""

    _numbers = itertools.count()

    def __init__(self, address: str, port: int, user: str, password: str) -> None:
        self._socket = socket.create_connection((address, port), timeout=2.0)
        self._came = b""
        self._inbox = f"_INBOX.test{next(self._numbers)}"
        options = {"user": user, "pass": password, "headers": True, "no_responders": True}
        options |= {"verbose": False, "pedantic": False, "lang": "test", "version": "1"}
        self._line()
        said = f"CONNECT {json.dumps(options)}\r\nSUB {self._inbox}.* 1\r\nPING\r\n"
        self._socket.sendall(said.encode())
        answer = self._line()
        if answer != ["PONG"]:
            raise OSError(" ".join(answer))

    def close(self) -> None:
        self._socket.close()

    def api(self, subject: str, data: Any = None) -> dict[str, Any]:
        """Asked until it is not refused for the moment."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                text = b"" if data is None else json.dumps(data).encode()
                answer = self.request(f"$JS.API.{subject}", text, timeout=5.0)
            except TimeoutError:
                answer = {"error": {"code": 503, "description": "no answer"}}
            error = answer.get("error", {})
            if error.get("code") != 503 and error.get("err_code") != _NO_PEERS_YET:
                assert "error" not in answer, answer
                return answer
            assert time.monotonic() < until, answer
            time.sleep(0.1)

    def publish(self, subject: str, text: str, timeout: float) -> dict[str, Any]:
        """With an id of its own, so that to say it twice keeps it once."""
        header = f"NATS/1.0\r\nNats-Msg-Id: {text}\r\n\r\n"
        answer = self.request(subject, text.encode(), timeout, header.encode())
        if "error" in answer:
            raise OSError(str(answer["error"]))
        return answer

    def publish_in_the_end(self, subject: str, text: str) -> None:
        """Said again while nobody leads the stream."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self.publish(subject, text, 5.0)
            except OSError as error:
                assert time.monotonic() < until, error
                time.sleep(0.1)
            else:
                return

    def request(
        self, subject: str, data: bytes, timeout: float, header: bytes = b""
    ) -> dict[str, Any]:
        inbox = f"{self._inbox}.{next(self._numbers)}"
        sizes = f"{len(header)} {len(header) + len(data)}" if header else f"{len(data)}"
        verb = "HPUB" if header else "PUB"
        self._socket.settimeout(timeout)
        head = f"{verb} {subject} {inbox} {sizes}\r\n".encode()
        self._socket.sendall(head + header + data + b"\r\n")
        while True:
            words = self._line()
            if words[0] == "PING":
                self._socket.sendall(b"PONG\r\n")
            elif words[0] in ("MSG", "HMSG"):
                body = self._body(int(words[-1]))
                if words[1] == inbox:  # else an answer that came too late
                    if words[0] == "HMSG":
                        raise OSError(body.decode().strip())
                    found: dict[str, Any] = json.loads(body)
                    return found
            elif words[0] == "-ERR":
                raise OSError(" ".join(words))

    def _line(self) -> list[str]:
        while b"\r\n" not in self._came:
            self._more()
        line, _, self._came = self._came.partition(b"\r\n")
        return line.decode().split() or [""]

    def _body(self, length: int) -> bytes:
        while len(self._came) < length + 2:
            self._more()
        body, self._came = self._came[:length], self._came[length + 2 :]
        return body

    def _more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise OSError("the server closed")
        self._came += data
