"""What a command prints of one member's view of its cluster, read into facts. No side effects.

1. ``version`` is 1. ``self`` is the id of the member on whose host the command ran.
2. ``members``: all that it knows. What it says of itself counts for what it is; that another one is
   in ``trouble`` is believed, too.
3. ``groups``: those that it takes part in, or all it knows. ``kind`` is quorum, replicas or
   primary; ``minimum`` is a majority of a quorum, and never less, 1 of a primary, and has to be
   told of replicas.
4. ``findings`` and ``singletons`` as in a topology; the cluster is stopped for a finding.
5. Everything is checked: an answer that is not all right is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.drivers.clusters.command_json import Place, parsed

VERSION = 1
_KINDS = {kind.value: kind for kind in Kind}
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_OF_MEMBERS = ("address", "zone", "role", "version", "began", "trouble")
_OF_GROUPS = ("kind", "minimum", "position", "movable", "led", "preferred")
_OF_FINDINGS = ("evidence", "next", "absolute", "member")


@dataclass(frozen=True, slots=True)
class View:
    """As one member has it. ``members`` by id, ``groups`` by name."""

    id: str
    members: Mapping[str, Member]
    groups: Mapping[str, Group]
    findings: tuple[Finding, ...] = ()
    singletons: Mapping[str, str] = field(default_factory=dict)

    @property
    def own(self) -> Member:
        """What it says of itself."""
        return self.members[self.id]


def view(printed: str) -> View:
    """Raises NonsenseError, which names the place that is not right."""
    whole = parsed(printed)
    whole.fields(("version", "self", "members", "groups"), ("findings", "singletons"))
    version = whole.at("version")
    if version.number() != VERSION:
        raise version.refused(f"{version.value} is not known; this gapless reads {VERSION}")
    members = _by_name(whole.at("members"), _member)
    if not members:
        raise whole.at("members").refused("there is none")
    return View(
        id=_known(whole.at("self"), members),
        members=members,
        groups=_by_name(whole.at("groups"), lambda one: _group(one, members)),
        findings=tuple(_findings(whole, members)),
        singletons=dict(_singletons(whole, members)),
    )


def _by_name(entries: Place, read: Callable[[Place], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in entries.each():
        made = read(one)
        if made.id in found:
            raise one.at("id").refused(f'"{made.id}" is there already')
        found[made.id] = made
    return found


def _member(one: Place) -> Member:
    one.fields(("id",), _OF_MEMBERS)
    return Member(
        one.at("id").name(),
        **{key: one.at(key).text() for key in _OF_MEMBERS if one.has(key)},
    )


def _group(one: Place, known: Collection[str]) -> Group:
    one.fields(("id", "members", "leader", "in_sync"), _OF_GROUPS)
    members = tuple(_names(one.at("members"), known))
    if not members:
        raise one.at("members").refused("there is none")
    kind = _KINDS[one.at("kind").one_of(_KINDS)] if one.has("kind") else Kind.QUORUM
    leader = one.at("leader")
    preferred = one.at("preferred") if one.has("preferred") else None
    return Group(
        id=one.at("id").name(),
        kind=kind,
        members=members,
        leader=_known(leader, members) if leader.text() else "",
        in_sync=frozenset(_names(one.at("in_sync"), members)),
        minimum=_minimum(one, kind, len(members)),
        position=dict(_positions(one, members)),
        movable=one.at("movable").flag() if one.has("movable") else True,
        led=one.at("led").flag() if one.has("led") else True,
        preferred=_known(preferred, members) if preferred and preferred.text() else "",
    )


def _minimum(group: Place, kind: Kind, members: int) -> int:
    if not group.has("minimum"):
        if kind is Kind.REPLICAS:
            raise group.refused("minimum is missing: replicas have none by themselves")
        return majority(members) if kind is Kind.QUORUM else 1
    place = group.at("minimum")
    found = place.number()
    if kind is Kind.QUORUM and found < majority(members):
        raise place.refused(f"{found} is no majority of {members}")
    if not 1 <= found <= members:
        raise place.refused(f"{found} is not from 1 to {members}, its members")
    return found


def _positions(group: Place, members: Collection[str]) -> Iterator[tuple[str, int]]:
    for member, place in group.at("position").pairs() if group.has("position") else ():
        if member not in members:
            raise place.refused(_stranger(member, members))
        yield member, place.number()


def _findings(whole: Place, members: Collection[str]) -> Iterator[Finding]:
    for one in whole.at("findings").each() if whole.has("findings") else ():
        one.fields(("code", "where", "what"), _OF_FINDINGS)
        code = one.at("code")
        if not _CODE.fullmatch(code.text()):
            raise code.refused(f'"{code.value}" is no code: small letters, digits and - between')
        about = one.at("member") if one.has("member") else None
        yield Finding(
            code.text(),
            one.at("where").name(),
            one.at("what").name(),
            one.at("evidence").text() if one.has("evidence") else "",
            one.at("next").text() if one.has("next") else "",
            absolute=one.at("absolute").flag() if one.has("absolute") else False,
            member=_known(about, members) if about is not None and about.text() else "",
        )


def _singletons(whole: Place, members: Collection[str]) -> Iterator[tuple[str, str]]:
    for role, place in whole.at("singletons").pairs() if whole.has("singletons") else ():
        yield role, _known(place, members)


def _names(entries: Place, known: Collection[str]) -> Iterator[str]:
    found: set[str] = set()
    for one in entries.each():
        name = _known(one, known)
        if name in found:
            raise one.refused(f'"{name}" is there already')
        found.add(name)
        yield name


def _known(place: Place, known: Collection[str]) -> str:
    name = place.name()
    if name not in known:
        raise place.refused(_stranger(name, known))
    return name


def _stranger(name: str, known: Collection[str]) -> str:
    return f'"{name}" is none of its members: {", ".join(known)}'
