"""Who goes first and in which order: names that must mean hosts of the service.

Works on plain data as :mod:`gapless.config.references` does. What a service takes over from
``defaults.rollout`` need not fit every service: a group that has none of its hosts is passed over
there, as long as some service has one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from gapless.config.groups import hosts_on, named
from gapless.config.ordering import parse_canary
from gapless.config.references import Finding, Known, Path, unknown_host, words


def check_order(data: dict[str, Any], names: Known) -> Iterator[Finding]:
    """Every ``canary``, ``groups`` and ``spread`` of services."""
    services = data.get("services")
    defaults = _inside(data, "defaults", "rollout")
    for name, service in services.items() if isinstance(services, dict) else ():
        rollout = _inside(service, "rollout")
        own = {key: value for key, value in rollout.items() if defaults.get(key) != value}
        hosts = _hosts_of(service, names)
        path: Path = ("services", name, "rollout")
        yield from _groups(path, name, own.get("groups"), hosts, names)
        yield from _canary((*path, "canary"), name, own.get("canary"), hosts, names)
        yield from _spread((*path, "spread"), name, own.get("spread"), hosts, data, names)
    yield from _of_all(defaults, services, names)


def _of_all(defaults: dict[str, Any], services: Any, names: Known) -> Iterator[Finding]:
    """Names in defaults have to mean a host of some service."""
    tables = services.values() if isinstance(services, dict) else ()
    hosts = tuple(dict.fromkeys(host for one in tables for host in _hosts_of(one, names)))
    path: Path = ("defaults", "rollout")
    yield from _groups(path, "any service", defaults.get("groups"), hosts, names)
    yield from _canary((*path, "canary"), "any service", defaults.get("canary"), hosts, names)


def _groups(
    path: Path, name: str, groups: Any, hosts: Collection[str], names: Known
) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for index, group in enumerate(groups if isinstance(groups, list) else ()):
        word = group.get("group") if isinstance(group, dict) else None
        if not isinstance(word, str):
            continue
        place = (*path, "groups", index)
        found, objection = _meant((*place, "group"), word, name, hosts, names)
        left = [host for host in found if host not in taken]
        if found and not left:
            first = taken[found[0]]
            text = f"no host is left for '{word}': all of its hosts belong to '{first}' before it"
            objection = [Finding((*place, "group"), text, "a host belongs to its first group")]
        yield from objection
        taken.update(dict.fromkeys(left, word))
        yield from _canary((*place, "canary"), f"group {word}", group.get("canary"), left, names)
        if group.get("batch") == 0:
            yield Finding((*place, "batch"), "batch: 0 replaces nothing", "write 1 or more")


def _canary(
    path: Path, name: str, value: Any, hosts: Collection[str], names: Known
) -> Iterator[Finding]:
    try:
        meant = parse_canary(value)
    except ValueError:
        return  # the models tell
    if not isinstance(meant, tuple):
        return
    for step, word in words(list(meant) if isinstance(value, list) else value):
        yield from _meant((*path, *step), word, name, hosts, names)[1]


def _meant(
    path: Path, word: str, name: str, hosts: Collection[str], names: Known
) -> tuple[list[str], list[Finding]]:
    """Hosts of the service that a word stands for, and what is wrong with it."""
    try:
        found = named(word, names.hosts, names.groups)
    except ValueError as error:
        return [], [Finding(path, str(error))]
    if found is None:
        return [], [Finding(path, *unknown_host(word, names))]
    own = [host for host in found if host in hosts]
    if own or not hosts:
        return own, []
    return [], [Finding(path, f"'{word}' has no host of {name}", "see on: of the service")]


def _spread(
    path: Path, name: str, value: Any, hosts: Collection[str], data: dict[str, Any], names: Known
) -> Iterator[Finding]:
    zones = [_inside(data, "hosts", names.hosts[host]).get("zone") for host in hosts]
    if value == "zone" and len(zones) > 1 and not any(zones):
        text = f"spread: zone, and no host of {name} has a zone"
        yield Finding(path, text, "give hosts their zone: hosts.NAME.zone")


def _hosts_of(service: Any, names: Known) -> tuple[str, ...]:
    on = service.get("on") if isinstance(service, dict) else None
    try:
        return hosts_on((word for _, word in words(on)), names.hosts, names.groups)
    except ValueError:
        return ()


def _inside(value: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
