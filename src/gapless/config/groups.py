"""Which hosts a name stands for: a host, a group, ``all``, or a range of hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gapless.config.hosts import HostConfig
from gapless.config.ranges import expand, is_range

ALL = "all"
"""The group of every host."""

Groups = Mapping[str, tuple[str, ...]]


def groups_of(hosts: Mapping[str, HostConfig]) -> dict[str, tuple[str, ...]]:
    """Group to its hosts, both in the order of the file."""
    found: dict[str, list[str]] = {}
    for name, host in hosts.items():
        for group in host.groups:
            found.setdefault(group, []).append(name)
    return {group: tuple(dict.fromkeys(names)) for group, names in found.items()}


def named(word: str, hosts: Mapping[str, object], groups: Groups) -> tuple[str, ...] | None:
    """Hosts that ``word`` stands for; None when nothing is called so.

    Raises ValueError for a range that cannot be read.
    """
    if word in hosts:
        return (word,)
    if word in groups:
        return groups[word]
    if word == ALL:
        return tuple(hosts)
    if is_range(word):
        names = expand(word)
        return names if all(name in hosts for name in names) else None
    return None


def hosts_on(words: Iterable[str], hosts: Mapping[str, object], groups: Groups) -> tuple[str, ...]:
    """Hosts of all words, each once, in the order written; unknown words count for nothing."""
    found: dict[str, None] = {}
    for word in words:
        found.update(dict.fromkeys(named(word, hosts, groups) or ()))
    return tuple(found)
