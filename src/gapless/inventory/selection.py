"""``--hosts`` expressions: ``web,!web3*``, ``db1.example``, ``web[1:4].example``, ``*.example``.

Words are separated by commas outside brackets. A word is a host, a group, ``all``, a range or a
glob; ``!`` in front takes hosts away, wherever it stands. Only exclusions: all hosts but those.
``web1/2`` is one of several instances on a host.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import translate
from types import MappingProxyType

from gapless.config.groups import Groups, named
from gapless.config.problems import did_you_mean
from gapless.config.ranges import expand, is_range
from gapless.errors import UsageError

_COMMA = re.compile(r",(?![^\[]*\])")


NOWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType({})
"""No host has several instances of a service."""


def select(
    expression: str,
    hosts: Mapping[str, object],
    groups: Groups,
    places: Mapping[str, tuple[str, ...]] = NOWHERE,
) -> tuple[str, ...]:
    """Hosts the expression means, in the order of the file, each with all of its ``places``; or
    some of these alone."""
    hosts = dict.fromkeys(one for host in hosts for one in (host, *places.get(host, ())))
    wanted: set[str] = set()
    unwanted: set[str] = set()
    words = [word.strip() for word in _COMMA.split(expression) if word.strip()]
    if not words:
        raise UsageError("--hosts names nothing", next="gapless status")
    for word in words:
        target = unwanted if word.startswith("!") else wanted
        for meant in _meant(word.removeprefix("!").strip(), hosts, groups):
            target.update((meant, *places.get(meant, ())))
    if all(word.startswith("!") for word in words):
        wanted.update(hosts)
    chosen = tuple(host for host in hosts if host in wanted and host not in unwanted)
    if not chosen:
        raise UsageError(f"--hosts {expression} leaves no host", next="gapless status")
    return chosen


def _meant(word: str, hosts: Mapping[str, object], groups: Groups) -> Collection[str]:
    try:
        known = named(word, hosts, groups)
        if known is not None:
            return known
        names = list(_globbed(word, hosts, groups))
    except ValueError as error:
        raise UsageError(f"--hosts: {error}") from None
    if not names:
        raise UsageError(_unknown(word, hosts, groups), next="gapless status")
    return names


def _globbed(word: str, hosts: Mapping[str, object], groups: Groups) -> Iterator[str]:
    """Hosts that match a glob; ``[`` is a range here, never a class of characters."""
    if not any(sign in word for sign in "*?"):
        return
    for pattern in expand(word):
        matches = re.compile(translate(pattern)).match
        yield from (host for host in hosts if matches(host))
        for group, members in groups.items():
            if matches(group):
                yield from members


def _unknown(word: str, hosts: Mapping[str, object], groups: Groups) -> str:
    if any(sign in word for sign in "*?"):
        return f"no host matches '{word}'"
    missing = word
    if is_range(word):
        missing = next(name for name in expand(word) if name not in hosts)
    hint = did_you_mean(missing, [*groups, *hosts])
    return f"unknown host or group '{missing}'{f' — {hint}' if hint else ''}"
