"""What can be told of an address without asking anybody: scheme, host, port, placeholders.

Works on plain data and tolerates anything, as :mod:`gapless.config.references` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gapless.config.problems import did_you_mean
from gapless.config.references import Finding, Path
from gapless.config.slots import at_number, in_both

CHECK_FIELDS = ("host", "name", "address", "service", "instance", "release", "slot", "number")
"""Placeholders that checks know."""

COMMAND_FIELDS = ("host", "name", "service", "address", "slot", "number")
"""Placeholders that balancers and the commands of services know; other braces stay as they are
there."""

_FIELD = re.compile(r"\{([a-z_]+)\}")
_OWN_FIELD = re.compile(r"(?<!\$)" + _FIELD.pattern)
"""As above, but not what a shell fills in."""
_BRACKETED = re.compile(r"\[\{[a-z_]+\}\]")
_LIKENESS = 0.85
"""So near to a known name is a mistyped one, where other braces are allowed."""


class Objection(NamedTuple):
    """What is wrong with an address, and what to write."""

    text: str
    hint: str = ""


def url_objection(url: str) -> Objection | None:
    """What makes a URL one that nobody can ask, in either slot; None when it may be asked."""
    return next(filter(None, map(_url_objection, in_both(at_number(url, 1)))), None)


def _url_objection(url: str) -> Objection | None:
    filled = _FIELD.sub("x", _BRACKETED.sub("[::1]", url.strip()))
    scheme, found, _ = filled.partition("://")
    if not found:
        return Objection(f"'{url}' has no scheme", f"write http://{url.lstrip('/') or 'host'}")
    if scheme.lower() not in ("http", "https"):
        return Objection(f"'{url}' is not an http or https URL")
    try:
        parts = urlsplit(filled)
        port = parts.port
    except ValueError:
        return _bad_port(url, filled) or Objection(f"'{url}' is not a URL")
    if not parts.hostname:
        return Objection(f"'{url}' names no host")
    return _out_of_range(url, "0") if port == 0 else None


def _bad_port(url: str, filled: str) -> Objection | None:
    found = re.match(r"[a-z]+://[^/?#]*:([^/?#:\]]+)(?:[/?#]|$)", filled, re.IGNORECASE)
    if found is None:
        return None
    return _out_of_range(url, found[1]) if found[1].isdigit() else _no_number(url, found[1])


def tcp_objection(address: str) -> Objection | None:
    """What makes ``host:port`` one that nobody can connect to, in either slot."""
    return next(filter(None, map(_tcp_objection, in_both(at_number(address, 1)))), None)


def _tcp_objection(address: str) -> Objection | None:
    filled = _FIELD.sub("x", _BRACKETED.sub("[::1]", address.strip()))
    if "://" in filled:
        return Objection(f"'{address}' is a URL", "write host:port")
    _, colon, port = filled.rpartition(":")
    if not colon or port.endswith("]"):
        return Objection(f"'{address}' has no port", f"write {address or 'host'}:PORT")
    if not (port.isascii() and port.isdigit()):
        return _no_number(address, port)
    return None if 1 <= int(port) <= 65535 else _out_of_range(address, port)


def _no_number(address: str, port: str) -> Objection:
    return Objection(f"'{port}' is not a port in '{address}'", "a port is 1 to 65535")


def _out_of_range(address: str, port: str) -> Objection:
    return Objection(f"there is no port {port} in '{address}'", "a port is 1 to 65535")


def check_addresses(data: dict[str, Any]) -> Iterator[Finding]:
    """Every address of a file that could never be asked, and every unknown placeholder."""
    for name, service in _items(data.get("services")):
        for key in ("health", "warm", "verify"):
            for index, entry in _entries(service.get(key)):
                yield from _question(("services", name, key, *index), entry)
        for key, value in _items({"command": service.get("command")}):
            for verb in ("start", "stop", "status", "reload", "log"):
                yield from mistyped_fields(("services", name, key, verb), value.get(verb))
    for name, balancer in _items(data.get("balancers")):
        yield from _balancer(("balancers", name), balancer)
    prove = data.get("prove")
    if isinstance(prove, dict):
        yield from _told(("prove", "url"), prove.get("url"), url_objection)


def own_fields(text: str) -> list[str]:
    """The placeholders in a text, as they are written."""
    return [f"{{{word}}}" for word in _OWN_FIELD.findall(text) if word in CHECK_FIELDS]


def _question(path: Path, entry: dict[str, Any]) -> Iterator[Finding]:
    yield from _evidence(path, entry)
    http = entry.get("http")
    url = (*path, "http", "url") if isinstance(http, dict) else (*path, "http")
    yield from _told(url, http.get("url") if isinstance(http, dict) else http, url_objection)
    yield from _told((*path, "tcp"), entry.get("tcp"), tcp_objection)
    for key in ("http", "expect", "tcp", "unix", "command"):
        yield from unknown_fields((*path, key), entry.get(key))


def _evidence(path: Path, entry: dict[str, Any]) -> Iterator[Finding]:
    """What only ``verify`` has."""
    endpoints = entry.get("endpoints")
    asked = endpoints.get("ask") if isinstance(endpoints, dict) else endpoints
    place: Path = (
        (*path, "endpoints", "ask") if isinstance(endpoints, dict) else (*path, "endpoints")
    )
    for index, one in enumerate(asked if isinstance(asked, list) else ()):
        url = one.get("url") if isinstance(one, dict) else one
        if isinstance(url, str) and not url.startswith("/"):
            here: Path = (*place, index, "url") if isinstance(one, dict) else (*place, index)
            yield from _told(here, url, url_objection)
    for key in ("endpoints", "openapi"):
        yield from unknown_fields((*path, key), entry.get(key))
    for key in ("logs", "level", "prometheus", "graphite", "elasticsearch", "loki"):
        section = entry.get(key)
        if isinstance(section, dict):
            for field in ("files", "query", "errors", "total", "alive"):
                yield from mistyped_fields((*path, key, field), section.get(field))


def _balancer(path: Path, balancer: dict[str, Any]) -> Iterator[Finding]:
    haproxy, command = balancer.get("haproxy"), balancer.get("command")
    if isinstance(haproxy, dict):
        socket = haproxy.get("socket")
        if isinstance(socket, str) and not socket.startswith(("/", "unix:/")):
            yield from _told((*path, "haproxy", "socket"), socket, tcp_objection)
        yield from mistyped_fields((*path, "haproxy", "server"), haproxy.get("server"))
        yield from mistyped_fields((*path, "haproxy", "dynamic"), haproxy.get("dynamic"))
    if isinstance(command, dict):
        for key in ("drain", "admit", "state"):
            yield from mistyped_fields((*path, "command", key), command.get(key))
    for kind, key in (
        ("caddy", "upstream"),
        ("consul", "service"),
        ("consul", "id"),
        ("etcd", "key"),
        ("etcd", "verify"),
        ("elbv2", "target"),
        ("envoy", "server"),
        ("ipvs", "server"),
        ("nginx", "server"),
        ("traefik", "server"),
        ("traefik_labels", "server"),
    ):
        chosen = balancer.get(kind)
        if isinstance(chosen, dict):
            yield from mistyped_fields((*path, kind, key), chosen.get(key))


def _told(path: Path, value: Any, objection: Any) -> Iterator[Finding]:
    found = objection(value) if isinstance(value, str) else None
    if found is not None:
        yield Finding(path, f"{_key(path)}: {found.text}", found.hint)


def _key(path: Path) -> str:
    return str(path[-2] if path[-1] == "url" and path[-2] != "prove" else path[-1])


def unknown_fields(
    path: Path, value: Any, fields: Sequence[str] = CHECK_FIELDS
) -> Iterator[Finding]:
    """Whatever is in braces and is not known."""
    for place, text in _texts(path, value):
        for word in dict.fromkeys(_FIELD.findall(text)):
            if word not in fields:
                yield _unknown(place, word, fields)


def mistyped_fields(
    path: Path, value: Any, fields: Sequence[str] = COMMAND_FIELDS
) -> Iterator[Finding]:
    """Only what looks like a placeholder: other braces may be the command's own."""
    for place, text in _texts(path, value):
        for word in dict.fromkeys(_OWN_FIELD.findall(text)):
            if word not in fields and _near(word, (*fields, *CHECK_FIELDS)):
                yield _unknown(place, word, fields)


def _near(word: str, fields: Sequence[str]) -> bool:
    return bool(get_close_matches(word, fields, n=1, cutoff=_LIKENESS))


def _unknown(place: Path, word: str, fields: Sequence[str]) -> Finding:
    key = next(step for step in reversed(place) if isinstance(step, str))
    return Finding(place, f"{key}: unknown placeholder {{{word}}}", _meant(word, fields))


def _meant(word: str, fields: Sequence[str]) -> str:
    """The placeholder that it is near to, else all there are: one that is known elsewhere is
    mistaken, and not mistyped."""
    known = [f"{{{field}}}" for field in fields]
    if word in CHECK_FIELDS or not get_close_matches(word, fields, n=1):
        return f"known here: {', '.join(known)}" if known else "nothing is filled in here"
    return did_you_mean(f"{{{word}}}", known)


def _texts(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    """Texts at any depth with their places; patterns that are searched for hold no placeholders."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts((*path, index), item)
    elif isinstance(value, dict):
        for key, item in value.items():
            pattern = path[-1] == "expect" and key in ("body", "headers")
            reference = key == "secrets" and "expect" not in path
            if not pattern and not reference:
                yield from _texts((*path, str(key)), item)


def _items(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield from ((str(name), item) for name, item in value.items() if isinstance(item, dict))


def _entries(value: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(value, dict):
        yield (), value
    elif isinstance(value, list):
        yield from (((i,), item) for i, item in enumerate(value) if isinstance(item, dict))
