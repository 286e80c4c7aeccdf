"""Addresses that a program is reached at, in the one form the supervisor reads.

Numbers and ``localhost`` only: a name server may keep the supervisor waiting, or answer something
else at the next flip.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from gapless.config.slots import differs, each, joined

PROBE = "probe:"
"""In front of what is asked on the private socket of a copy."""

_LOOPBACK = "127.0.0.1"
_SCHEME = re.compile(r"([a-z0-9+]+)://", re.IGNORECASE)
_UNIX_HTTP = re.compile(r"(/[^:]*|@[^:]+)(?::(/.*)?)?")
_PATH_LIMIT = 107
"""Bytes that a unix address may have."""


def parse_listen(value: Any) -> str:
    """``tcp://…``, ``udp://…`` or ``unix://…`` of a socket that is opened once, for both copies.
    In each of two processes that are a pair it is another."""
    return each(_text(value), _listen)


def _listen(text: str) -> str:
    scheme, rest = _split(text)
    if scheme == "unix":
        return f"unix://{_unix(rest, text)}"
    if scheme not in ("tcp", "udp"):
        raise ValueError(f"'{text}': write tcp://, udp:// or unix://")
    return f"{scheme}://{_internet(rest, text, least=0)}"


def parse_stream(value: Any) -> str:
    """The same without UDP."""
    address = parse_listen(value)
    if address.startswith("udp"):
        raise ValueError(f"'{value}': only connections are passed on; give listen to UDP programs")
    return address


def parse_forward(value: Any) -> str:
    """``HOST:PORT`` or ``unix:/PATH`` that differs between the slots."""
    if isinstance(value, Mapping):
        if sorted(value) != ["a", "b"]:
            raise ValueError("a mapping has exactly the keys a and b")
        text = joined(*(_forward(_text(value[slot])) for slot in ("a", "b")))
    else:
        text = each(_text(value), _forward)
    if not differs(text):
        raise ValueError(
            f"'{text}' is the same address for both copies; write {{slot}} in it, or a mapping of "
            "a and b"
        )
    return text


def _forward(text: str) -> str:
    scheme, rest = _split(text)
    if scheme not in ("tcp", "unix"):
        raise ValueError(f"'{text}': write HOST:PORT or unix:///path")
    return f"unix:{_unix(rest, text)}" if scheme == "unix" else _internet(rest, text)


def parse_http(value: Any) -> str:
    """``HOST:PORT/PATH``, ``unix:/SOCKET:/PATH`` or ``probe:/PATH``."""
    return each(_text(value), _http)


def _http(text: str) -> str:
    if text.startswith(PROBE):
        return PROBE + _url_path(text.removeprefix(PROBE) or "/", text)
    scheme, rest = _split(text)
    if scheme == "https":
        raise ValueError("https is not asked; use a command, for example: curl -fsk https://…")
    if scheme == "unix":
        found = _UNIX_HTTP.fullmatch(rest)
        if found is None:
            raise ValueError(f"'{text}': write unix:/path/of.sock:/path/to/ask")
        return f"unix:{_unix(found[1], text)}:{_url_path(found[2] or '/', text)}"
    if scheme not in ("http", "tcp"):
        raise ValueError(f"'{text}' is not an http address")
    host, slash, path = rest.partition("/")
    port = ":80" if _SCHEME.match(text) and not re.search(r":\d*$", host) else ""
    return _internet(host + port, text) + _url_path(slash + path or "/", text)


def parse_tcp(value: Any) -> str:
    """``HOST:PORT``."""
    return each(_text(value), _tcp)


def _tcp(text: str) -> str:
    _no_probe(text)
    scheme, rest = _split(text)
    if scheme != "tcp":
        raise ValueError(f"'{text}': write HOST:PORT")
    return _internet(rest, text)


def parse_unix(value: Any) -> str:
    """A path, or ``@NAME``."""
    return each(_text(value), _path)


def _path(text: str) -> str:
    _no_probe(text)
    return _unix(_split(f"unix:{text}" if text.startswith("@") else text)[1], text)


def _no_probe(text: str) -> None:
    if text in (PROBE, PROBE[:-1]):
        raise ValueError(
            "gapless opens the private socket itself: it accepts before the program runs, and "
            "proves nothing; ask for an answer: http: probe:/…"
        )


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("write an address: 127.0.0.1:8080 or unix:///run/web.sock")
    return str(value).strip()


def _split(text: str) -> tuple[str, str]:
    """Scheme and rest; what it is by its looks when no scheme is given."""
    if match := _SCHEME.match(text):
        return match[1].lower(), text[match.end() :]
    if text.startswith("unix:"):
        return "unix", text.removeprefix("unix:")
    return ("unix", text) if text.startswith("/") else ("tcp", text)


def _unix(path: str, text: str) -> str:
    name = path[1:]
    if not path.startswith(("/", "@")) or not name or name.endswith("/"):
        raise ValueError(f"'{text}': write a whole path (unix:///run/web.sock), or unix://@name")
    if len(path.encode()) > _PATH_LIMIT:
        raise ValueError(
            f"'{text}' is longer than the {_PATH_LIMIT} bytes a socket's path can have"
        )
    return path


def _internet(rest: str, text: str, least: int = 1) -> str:
    """``HOST:PORT`` with a numeric host; a port alone is on loopback."""
    alone = rest.isascii() and rest.isdigit()
    host, colon, port = (_LOOPBACK, ":", rest) if alone else rest.rpartition(":")
    if not colon or port.endswith("]"):
        raise ValueError(f"'{text}' has no port")
    if not (port.isascii() and port.isdigit() and least <= int(port) <= 65535):
        raise ValueError(f"'{port}' is not a port in '{text}'")
    return f"{_host(host, text)}:{int(port)}"


def _host(host: str, text: str) -> str:
    if host in ("", "*"):
        raise ValueError(
            f"'{text}' names no host; write 127.0.0.1 (this machine only), 0.0.0.0 or [::] (all)"
        )
    if host == "localhost":
        return _LOOPBACK
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        raise ValueError(f"'{host}' is not a number; names are not looked up here") from None
    if found.version == 6 and bare == host:
        raise ValueError(f"'{text}': write [{host}]")
    return f"[{bare}]" if found.version == 6 else bare


def _url_path(path: str, text: str) -> str:
    if not path.startswith("/") or not path.isascii() or re.search(r"[\x00-\x20\x7f]", path):
        raise ValueError(f"'{text}': a path begins with / and has no blanks; write others as %20")
    return path
