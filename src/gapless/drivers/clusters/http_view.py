"""What members of an HTTP cluster answered, read into facts. No side effects.

1. Each member's answer is read by itself. What makes no sense is a ValueError, and its member is in
   trouble.
2. A group is led by whom most of those that answer name; that they differ is a finding.
3. In sync are those that every answer calls so, that are well themselves, and that are not behind
   by what is told of positions. So one that lies can only make the cluster look worse, unless all
   do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.config.cluster_http import HttpGroupsConfig

_NOBODY = ("", "0", "-1", "None")
_FIELD = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Told:
    """One group as one member tells it; ``members`` None where it does not."""

    leader: str
    members: tuple[str, ...] | None
    in_sync: frozenset[str]
    position: Mapping[str, int]
    preferred: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """One member as its host showed it. ``trouble`` says why it is not well; ``groups`` None where
    it did not tell them."""

    host: str
    id: str = ""
    began: str = ""
    trouble: str = ""
    groups: Mapping[str, Told] | None = None


def at(data: Any, path: str) -> Any:
    """The field of that name, a.b within fields; None where it is not."""
    for word in path.split(".") if path else ():
        if not isinstance(data, Mapping):
            return None
        data = data.get(word)
    return data


def groups(answer: Any, config: HttpGroupsConfig) -> dict[str, Told]:
    """By name. Raises ValueError."""
    found = at(answer, config.items)
    if isinstance(found, Mapping) and all(isinstance(one, Mapping) for one in found.values()):
        found = [{"key": key, **value} for key, value in found.items()]
    if not isinstance(found, list):
        raise ValueError(f"there is no list {config.items or 'of groups'}")
    return {_name(one, config.id): _told(one, config) for one in found}


def _name(one: Any, pattern: str) -> str:
    def filled(match: re.Match[str]) -> str:
        value = at(one, match[1])
        if value is None:
            raise ValueError(f"a group has no {match[1]}")
        return str(value)

    return _FIELD.sub(filled, pattern)


def _told(one: Any, config: HttpGroupsConfig) -> Told:
    in_sync, members = at(one, config.in_sync), at(one, config.members)
    position = at(one, config.position) if config.position else {}
    if not isinstance(in_sync, list) or not isinstance(members, list | None):
        raise ValueError(f"a group has no lists {config.in_sync} and {config.members}")
    leader = str(at(one, config.leader))
    preferred = str(at(one, config.preferred)) if config.preferred else ""
    return Told(
        leader="" if leader in _NOBODY else leader,
        members=None if members is None else tuple(map(str, members)),
        in_sync=frozenset(map(str, in_sync)),
        position={str(k): int(v) for k, v in position.items()} if position else {},
        preferred="" if preferred in _NOBODY else preferred,
    )


@dataclass(frozen=True)
class Round:
    """All members, asked at once."""

    sights: Sequence[Sight]
    config: HttpGroupsConfig
    movable: bool = True
    everyone: tuple[str, ...] = field(default=())
    """Ids known from before, for hosts that say nothing."""

    @cached_property
    def ids(self) -> dict[str, str]:
        """By host who runs there; the only one that is left for the only host that is left."""
        known = {sight.host: sight.id for sight in self.sights if sight.id}
        silent = [sight.host for sight in self.sights if not sight.id]
        left = sorted(self._named - set(known.values()))
        if len(silent) == len(left) == 1:
            known[silent[0]] = left[0]
        return known | {host: f"({host})" for host in silent if host not in known}

    @cached_property
    def answering(self) -> dict[str, Mapping[str, Told]]:
        """By id what each tells, of those that tell."""
        return {self.ids[s.host]: s.groups for s in self.sights if s.groups is not None}

    def leader(self, group: str) -> str:
        """Whom all that know it name; "" where they do not agree."""
        named = {told[group].leader for told in self.answering.values() if group in told}
        return named.pop() if len(named) == 1 else ""

    def answers(self, member: str) -> bool:
        """Whether it tells of its groups itself."""
        return member in self.answering

    def members(self) -> Iterator[Member]:
        """All that are known."""
        leaders = Counter(group.leader for group in self.groups().values())
        for sight in self.sights:
            member = self.ids[sight.host]
            role = "leader" if leaders[member] else "follower"
            yield Member(
                member, host=sight.host, role=role, began=sight.began, trouble=sight.trouble
            )
        for stranger in sorted(self._named - set(self.ids.values())):
            yield Member(stranger, trouble="no host of ours is known to run it")

    def groups(self) -> dict[str, Group]:
        """By name all that anybody tells."""
        names = dict.fromkeys(name for told in self.answering.values() for name in told)
        return {name: self._group(name) for name in names}

    def findings(self) -> Iterator[Finding]:
        """Where those that answer do not answer alike, or tell of nothing that could be judged."""
        if self.answering and not self.groups():
            yield Finding(
                "no-groups",
                "the cluster",
                f"{len(self.answering)} members tell of no group: nothing says that it is safe",
                next="compare groups in gapless.yaml with what the members answer",
            )
        for name in self.groups():
            told = {who: groups.get(name) for who, groups in self.answering.items()}
            leaders = {one.leader for one in told.values() if one is not None}
            if len(leaders) > 1:
                yield _split("split-leaders", name, told, "do not name the same leader")
            if None in told.values():
                yield _split("split-groups", name, told, "do not all know it")

    @cached_property
    def _named(self) -> set[str]:
        every = (one for sight in self.sights for one in (sight.groups or {}).values())
        return {member for one in every for member in (one.members or one.in_sync)}

    def _group(self, name: str) -> Group:
        told = [groups[name] for groups in self.answering.values() if name in groups]
        members = tuple(dict.fromkeys(m for one in told for m in one.members or self._everyone))
        named = Counter(one.leader for one in told if one.leader).most_common(1)
        position: dict[str, int] = {}
        for one in told:
            for member, place in one.position.items():
                position[member] = max(place, position.get(member, 0))
        minimum, preferred = self.config.minimum, {one.preferred for one in told}
        return Group(
            name,
            Kind.QUORUM if minimum == "majority" else Kind.REPLICAS,
            members,
            named[0][0] if named else "",
            frozenset(self._in_sync(told, position)),
            majority(len(members)) if minimum == "majority" else minimum,
            position,
            movable=self.movable,
            preferred=preferred.pop() if len(preferred) == 1 else "",
        )

    def _in_sync(self, told: Sequence[Told], position: Mapping[str, int]) -> Iterator[str]:
        well = {self.ids[sight.host] for sight in self.sights if not sight.trouble}
        highest = max(position.values(), default=0)
        for member in frozenset.intersection(*(one.in_sync for one in told)) & well:
            if not position or position.get(member, 0) >= highest - self.config.lag:
                yield member

    @property
    def _everyone(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.ids.values(), *sorted(self._named))))


def _split(code: str, name: str, told: Mapping[str, Told | None], what: str) -> Finding:
    each = (
        f"{who}: {'not known' if one is None else one.leader or 'nobody'}"
        for who, one in sorted(told.items())
    )
    return Finding(
        code,
        name,
        f"{len(told)} members {what}",
        "\n".join(each),
        "wait until they agree, and see their logs where they do not",
    )
