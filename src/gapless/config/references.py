"""Names that must mean something: hosts, groups, services, balancers; and cycles among them.

Works on plain data and tolerates anything, so that unknown names are told together with wrong
types elsewhere in the same file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from gapless.config.balancers import kinds
from gapless.config.groups import ALL, named
from gapless.config.problems import did_you_mean
from gapless.config.ranges import expand, is_range
from gapless.schedule import cycles

Path = tuple[str | int, ...]
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.:-]{0,251}[A-Za-z0-9_])?")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")


class Finding(NamedTuple):
    """A problem at a path of the file."""

    path: Path
    text: str
    hint: str = ""


class Known(NamedTuple):
    """Names found in a file: host to its pattern, group to hosts."""

    hosts: dict[str, str]
    groups: dict[str, tuple[str, ...]]


def known(data: dict[str, Any]) -> tuple[Known, list[Finding]]:
    """Hosts with ranges written out, groups, and what is wrong with them."""
    hosts: dict[str, str] = {}
    groups: dict[str, dict[str, None]] = {}
    found: list[Finding] = []
    for pattern, settings in _table(data, "hosts").items():
        names = _expanded(pattern, found)
        found += _doubled(pattern, names, hosts)
        for name in names:
            hosts.setdefault(name, pattern)
        for _, group in words(settings.get("groups") if isinstance(settings, dict) else None):
            groups.setdefault(group, {}).update(dict.fromkeys(names))
    for group in groups:
        if group in hosts or group == ALL:
            found.append(Finding(("hosts", hosts.get(group, "")), _ambiguous(group)))
    return Known(hosts, {group: tuple(names) for group, names in groups.items()}), found


def _ambiguous(group: str) -> str:
    other = "the group of every host" if group == ALL else "a host"
    return f"'{group}' is the name of a group and of {other}"


def _expanded(pattern: str, found: list[Finding]) -> tuple[str, ...]:
    path = ("hosts", pattern)
    try:
        names = expand(pattern)
    except ValueError as error:
        found.append(Finding(path, str(error)))
        return ()
    if names and not _HOST.fullmatch(names[0]):
        found.append(Finding(path, f"'{names[0]}' cannot be the name of a host"))
    return names


def _doubled(pattern: str, names: tuple[str, ...], hosts: dict[str, str]) -> Iterator[Finding]:
    again = [name for name in names if name in hosts]
    repeated = len(names) - len(set(names))
    if again:
        others = f" and {len(again) - 1} more" if len(again) > 1 else ""
        text = f"host '{again[0]}'{others} is given already by '{hosts[again[0]]}'"
        yield Finding(("hosts", pattern), text)
    if repeated:
        yield Finding(("hosts", pattern), f"'{pattern}' gives the same host twice")


def check(data: dict[str, Any], names: Known) -> Iterator[Finding]:
    """Every reference of services and balancers."""
    services, balancers = _table(data, "services"), _table(data, "balancers")
    if data.get("services") == {}:
        yield Finding(("services",), "there is no service", "gapless init shows how to write one")
    for name, service in services.items():
        if not _SERVICE.fullmatch(name):
            yield Finding(("services", name), f"'{name}' cannot be the name of a service")
        if isinstance(service, dict):
            yield from _service(name, service, names, list(services), list(balancers))
    for name, balancer in balancers.items():
        yield from _one_of(("balancers", name), balancer, tuple(kinds()))
        for kind in kinds():
            path: Path = ("balancers", name, kind, "on")
            yield from _hosts(path, _deep(balancer, kind, "on"), names)
    yield from _cycles(services)


def _service(
    name: str, service: dict[str, Any], names: Known, services: list[str], balancers: list[str]
) -> Iterator[Finding]:
    path: Path = ("services", name)
    yield from _one_of(path, service, ("systemd", "process", "compose", "docker", "command"))
    yield from _hosts((*path, "on"), service.get("on"), names)
    yield from _builder((*path, "release", "build", "on"), service, names)
    if service.get("on") == []:
        yield Finding((*path, "on"), f"'{name}' is on no host")
    for step, word in words(service.get("after")):
        if word not in services:
            hint = did_you_mean(word, services)
            yield Finding((*path, "after", *step), f"unknown service '{word}'", hint)
    for step, word in words(service.get("balancer")):
        if word not in balancers:
            hint = did_you_mean(word, balancers) or "there are none: add it under balancers"
            yield Finding((*path, "balancer", *step), f"unknown balancer '{word}'", hint)


def _builder(path: Path, service: dict[str, Any], names: Known) -> Iterator[Finding]:
    """One host, not a group: a build runs once."""
    word = _deep(service, "release", "build", "on")
    if isinstance(word, str) and word not in names.hosts:
        yield Finding(path, f"unknown host '{word}'", did_you_mean(word, names.hosts))


def _one_of(path: Path, value: Any, kinds: tuple[str, ...]) -> Iterator[Finding]:
    """Said here too: the models come to it only when all inside is right."""
    if isinstance(value, dict) and sum(value.get(kind) is not None for kind in kinds) != 1:
        yield Finding(path, f"{path[-1]}: give exactly one of {', '.join(kinds)}")


def _hosts(path: Path, value: Any, names: Known) -> Iterator[Finding]:
    for step, word in words(value):
        try:
            hosts = named(word, names.hosts, names.groups)
        except ValueError as error:
            yield Finding((*path, *step), str(error))
            continue
        if hosts is None:
            yield Finding((*path, *step), *unknown_host(word, names))


def unknown_host(word: str, names: Known) -> tuple[str, str]:
    """The wording for a name that is neither host nor group."""
    if is_range(word):
        missing = [name for name in expand(word) if name not in names.hosts]
        return f"unknown host '{missing[0]}' in '{word}'", did_you_mean(missing[0], names.hosts)
    text = f"unknown host or group '{word}'"
    return text, did_you_mean(word, [*names.groups, *names.hosts])


def _cycles(services: dict[str, Any]) -> Iterator[Finding]:
    after = {
        name: [word for _, word in words(_deep(service, "after")) if word in services]
        for name, service in services.items()
    }
    for cycle in cycles(after):
        start = min(cycle[:-1], key=list(services).index)
        turn = cycle.index(start)
        shown = (*cycle[turn:-1], *cycle[:turn], start)
        text = f"services wait for each other: {' → '.join(shown)}"
        yield Finding(("services", start, "after"), text, "remove one of these from after")


def words(value: Any) -> Iterator[tuple[Path, str]]:
    """Names in a value that is one name or a list of them, each with its place inside."""
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, list):
        yield from (((i,), word) for i, word in enumerate(value) if isinstance(word, str))


def _table(data: dict[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _deep(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
