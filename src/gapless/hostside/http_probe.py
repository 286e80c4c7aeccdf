"""The http probe: one request over TCP, TLS or a unix socket; redirects are not followed."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
from typing import Any
from urllib.parse import urlsplit

from gapless.hostside.exchange import connect
from gapless.hostside.faults import Fault
from gapless.hostside.matching import Expectation
from gapless.hostside.probes import FAIL, INCONCLUSIVE, PASS, no_answer, one_line, trouble

_LARGEST = 1 << 20


def ask_http(spec: dict[str, Any], limit: float) -> dict[str, Any]:
    """Ask and judge."""
    asked = f"{spec.get('method', 'GET')} {spec['url']}"
    asked += f" through {spec['unix']}" if spec.get("unix") else ""
    expectation = Expectation(spec.get("expect") or {})
    verdict = {"asked": asked, "wanted": expectation.words()}
    request = Request(spec, limit)
    try:
        status, headers, body = request.ask()
        missed = expectation.misses(status, headers, body)
    except (re.error, KeyError) as error:
        return {**verdict, "status": INCONCLUSIVE, "answer": f"cannot judge: {error!r}"}
    except (OSError, http.client.HTTPException, Fault, ValueError) as error:
        answer = no_answer(limit) if request.expired else trouble(error, limit)
        return {**verdict, "status": FAIL, "answer": answer}
    if missed:
        verdict["wanted"] = ", ".join(missed)
    return {**verdict, "status": FAIL if missed else PASS, "answer": one_line(f"{status} {body}")}


class Request:
    """One request with a limit on all of it, however slowly the answer drips."""

    def __init__(self, spec: dict[str, Any], limit: float) -> None:
        self.spec = spec
        self.limit = limit
        self.expired = False
        self._socket: socket.socket | None = None

    def ask(self) -> tuple[int, http.client.HTTPMessage, str]:
        """Status, headers and body. Raises OSError, HTTPException or ValueError."""
        timer = threading.Timer(self.limit, self._expire)
        timer.daemon = True
        timer.start()
        connection = self._connection()
        try:
            connection.request(
                self.spec.get("method", "GET"), self._target(), headers=self._headers()
            )
            response = connection.getresponse()
            body = response.read(_LARGEST).decode("utf-8", "replace")
            if self.expired:
                raise TimeoutError
            return response.status, response.headers, body
        finally:
            timer.cancel()
            connection.close()

    def _expire(self) -> None:
        self.expired = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _connection(self) -> http.client.HTTPConnection:
        url = urlsplit(self.spec["url"])
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"not a URL that can be asked: {self.spec['url']}")
        port = url.port or (443 if url.scheme == "https" else 80)
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        raw = connect(self.spec.get("unix") or f"{host}:{port}", self.limit)
        self._socket = raw
        if url.scheme == "https":
            try:
                name = self.spec.get("server_name") or url.hostname
                raw = self._socket = self._context().wrap_socket(raw, server_hostname=name)
            except BaseException:
                raw.close()
                raise
        connection = http.client.HTTPConnection(url.hostname, port, timeout=self.limit)
        connection.sock = raw
        return connection

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.spec.get("ca"))
        if self.spec.get("insecure"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _target(self) -> str:
        url = urlsplit(self.spec["url"])
        return (url.path or "/") + (f"?{url.query}" if url.query else "")

    def _headers(self) -> dict[str, str]:
        headers = {"Connection": "close", "User-Agent": "gapless", "Accept": "*/*"}
        url = urlsplit(self.spec["url"])
        netloc = url.netloc.rpartition("@")[2]
        headers["Host"] = self.spec.get("server_name") or netloc
        headers.update(self.spec.get("headers") or {})
        return headers
