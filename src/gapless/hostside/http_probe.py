"""The http probe: one request over TCP, TLS or a unix socket; redirects are not followed."""

from __future__ import annotations

import contextlib
import socket
import threading

from gapless.hostside.exchange import connect
from gapless.hostside.faults import Fault
from gapless.hostside.http_message import Headers, Malformed, Url, read_answer, request
from gapless.hostside.matching import Expectation, UnreadablePattern
from gapless.hostside.probes import FAIL, INCONCLUSIVE, PASS, no_answer, one_line, trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext
    from typing import Any

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
    except (UnreadablePattern, KeyError) as error:
        return {**verdict, "status": INCONCLUSIVE, "answer": f"cannot judge: {error!r}"}
    except (OSError, Malformed, Fault, ValueError) as error:
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

    def ask(self) -> tuple[int, Headers, str]:
        """Status, headers and body. Raises OSError, Malformed or ValueError."""
        timer = threading.Timer(self.limit, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return self._talk(Url(self.spec["url"]), self.spec.get("method", "GET"))
        finally:
            timer.cancel()
            if self._socket is not None:
                self._socket.close()

    def _talk(self, url: Url, method: str) -> tuple[int, Headers, str]:
        self._connect(url)
        assert self._socket is not None
        self._socket.sendall(request(method, url.target, self._headers(url)) + self._body())
        with self._socket.makefile("rb") as stream:
            status, headers, body = read_answer(stream, method, _LARGEST)
        if self.expired:
            raise TimeoutError
        return status, headers, body.decode("utf-8", "replace")

    def _body(self) -> bytes:
        return (self.spec.get("send") or "").encode()

    def _expire(self) -> None:
        self.expired = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _connect(self, url: Url) -> None:
        host = f"[{url.host}]" if ":" in url.host else url.host
        self._socket = connect(self.spec.get("unix") or f"{host}:{url.port}", self.limit)
        if url.scheme == "https":
            name = self.spec.get("server_name") or url.host
            self._socket = self._context().wrap_socket(self._socket, server_hostname=name)

    def _context(self) -> SSLContext:
        import ssl

        context = ssl.create_default_context(cafile=self.spec.get("ca"))
        if self.spec.get("insecure"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _headers(self, url: Url) -> dict[str, str]:
        usual = {
            "Host": self.spec.get("server_name") or url.netloc,
            "Connection": "close",
            "User-Agent": "gapless",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }
        body = self._body()
        if body:
            usual["Content-Length"] = str(len(body))
        given = self.spec.get("headers") or {}
        named = {name.lower() for name in given}
        return {**{k: v for k, v in usual.items() if k.lower() not in named}, **given}
