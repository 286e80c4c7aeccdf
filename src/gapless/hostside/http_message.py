"""One HTTP/1.1 request as it is sent, and its answer as it is read (RFC 9112).

``http.client`` would do it, but it imports ``email`` and ``ssl``: 30 ms of every host's processor
before the first question, more than the rest of the helper together.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_LONGEST_LINE = 65536
_MOST_HEADERS = 256
_SWITCHING = 101
"""The one answer below 200 after which no other comes: the connection speaks another protocol."""
_WITH_BODY = ("POST", "PUT", "PATCH")
"""Methods of which servers want to know the length of the body, also when there is none."""


class Malformed(Exception):
    """What was answered is not HTTP."""


class CutOff(Malformed):
    """The connection ended before the answer did."""


class Url:
    """The parts of a URL that a request needs. Raises ValueError for what cannot be asked."""

    def __init__(self, text: str) -> None:
        scheme, found, rest = text.strip().partition("://")
        self.scheme, rest = scheme.lower(), rest.partition("#")[0]
        cut = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
        netloc, self.target = rest[:cut], rest[cut:]
        self.netloc = netloc.rpartition("@")[2]
        self.host, self.port = _host_and_port(self.netloc, 443 if self.scheme == "https" else 80)
        if not found or self.scheme not in ("http", "https") or not self.host:
            raise ValueError(f"not a URL that can be asked: {text}")
        if not self.target.startswith("/"):
            self.target = "/" + self.target


def _host_and_port(netloc: str, usual: int) -> tuple[str, int]:
    host, colon, port = netloc.rpartition(":")
    if not colon or port.endswith("]"):  # no port, or an address of colons in brackets
        return netloc.strip("[]"), usual
    return host.strip("[]"), int(port) if port else usual


class Headers:
    """The fields of an answer; a name is found however it is written."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def add(self, name: str, value: str) -> None:
        """One more field; those of the same name are one list."""
        key = name.lower()
        self._fields[key] = f"{self._fields[key]}, {value}" if key in self._fields else value

    def get(self, name: str) -> str | None:
        """The value of a field."""
        return self._fields.get(name.lower())


def request(method: str, target: str, headers: dict[str, str]) -> bytes:
    """The bytes of a request without a body. Raises ValueError when something in it would end a
    line too early."""
    names = {name.lower() for name in headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    if method in _WITH_BODY and not names & {"content-length", "transfer-encoding"}:
        lines.append("Content-Length: 0")
    if any(char in line for line in lines for char in "\r\n\0") or " " in target:
        raise ValueError("a request line or a header cannot hold this")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def read_answer(stream: BinaryIO, method: str, largest: int) -> tuple[int, Headers, bytes]:
    """Status, headers and at most ``largest`` bytes of body. Raises Malformed."""
    status = 100
    while 100 <= status < 200 and status != _SWITCHING:  # provisional: another one follows
        status = _status(_line(stream))
        headers = _headers(stream)
    if method == "HEAD" or status in (_SWITCHING, 204, 304):
        return status, headers, b""
    return status, headers, _body(stream, headers, largest)


def _status(line: str) -> int:
    if not line:
        raise CutOff("the connection was closed without an answer")
    version, _, rest = line.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (_is_number(code) and len(code) == 3):
        raise Malformed(f"not an HTTP answer: {line[:100]!r}")
    return int(code)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _headers(stream: BinaryIO) -> Headers:
    fields: list[tuple[str, str]] = []
    for _ in range(_MOST_HEADERS):
        line = _line(stream)
        if not line:
            break
        name, colon, value = line.partition(":")
        if line[0] in " \t":  # the rest of the field before
            if fields:
                fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip()}")
        elif colon:  # else it is no field, and nobody minds
            fields.append((name.strip(), value.strip()))
    else:
        raise Malformed(f"more than {_MOST_HEADERS} headers")
    headers = Headers()
    for name, value in fields:
        headers.add(name, value)
    return headers


def _line(stream: BinaryIO) -> str:
    line = stream.readline(_LONGEST_LINE + 1)
    if len(line) > _LONGEST_LINE:
        raise Malformed(f"a line of more than {_LONGEST_LINE} bytes")
    return line.rstrip(b"\r\n").decode("latin-1")


def _body(stream: BinaryIO, headers: Headers, largest: int) -> bytes:
    if "chunked" in (headers.get("transfer-encoding") or "").lower():
        return _chunks(stream, largest)
    given = headers.get("content-length")
    if given is None:
        return stream.read(largest)
    length, *others = {one.strip() for one in given.split(",")}  # said twice it is the same
    if others or not _is_number(length):
        raise Malformed(f"not a length: {given[:100]!r}")
    return _exactly(stream, min(int(length), largest))


def _chunks(stream: BinaryIO, largest: int) -> bytes:
    body = bytearray()
    while len(body) < largest:
        length = _chunk_length(_line(stream).partition(";")[0].strip())
        if length == 0:
            break
        body += _exactly(stream, min(length, largest - len(body)))
        if len(body) < largest:
            _line(stream)
    return bytes(body)


def _chunk_length(size: str) -> int:
    if not size or size.strip("0123456789abcdefABCDEF"):
        raise Malformed(f"not the length of a chunk: {size[:100]!r}")
    return int(size, 16)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise CutOff(f"the answer ended after {len(data)} of {count} bytes")
    return data
