"""A cluster of NATS as all hosts that were asked showed it, in one round. No side effects.

1. Members are the servers that answer and those that any of them names in the meta group. Groups
   are the meta group, every stream with more than one replica, and every durable consumer with
   more than one. Who is a member of a group is what all of its members say together, so a
   disagreement makes the majority larger, never smaller.
2. A leader is agreed upon when a majority of the group names it. Nobody is in sync without one that
   answers.
3. In sync is a member that answers, reports the group, names that leader, has no complaint of its
   own about the group, is called neither offline nor behind by the leader, and, of a stream, has
   all messages but ``lag`` of those that the leader had when the round began. Neither word is
   enough alone: the leader knows what was before a restart, and a server whose view is old finds
   itself well.
4. A follower that is behind by no more than ``lag`` is in sync also where the leader does not call
   it current: under writes none is all the time. Not current and nothing behind is one that has
   not been heard of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.drivers.clusters.nats_sight import Sight
from gapless.drivers.clusters.nats_view import META, Peer, Server, View, account_of


@dataclass(frozen=True)
class Round:
    """See above. ``places``: by name the host of each server, as far as that is known; ``open``:
    accounts whose groups can be told to hand over; ``mark``: by stream the last message that its
    leader had when the round began, where that was before."""

    sights: tuple[Sight, ...]
    lag: int
    places: Mapping[str, str] = field(default_factory=dict)
    open: Collection[str] = ()
    mark: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def everyone(self) -> tuple[tuple[str, Server], ...]:
        """All answers with their hosts."""
        return tuple((one.host, one.server) for one in self.sights if one.server is not None)

    @cached_property
    def servers(self) -> dict[str, Server]:
        """By name those that answered."""
        return {server.name: server for _, server in self.everyone}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All members."""
        views = (view for server in self.servers.values() for view in [server.views.get(META)])
        told = {one for view in views if view for one in (view.leader, *_names(view)) if one}
        return tuple(sorted({*self.servers, *told}))

    @cached_property
    def views(self) -> dict[str, dict[str, View]]:
        """By group what each of its members says of it."""
        found: dict[str, dict[str, View]] = {}
        for name, server in self.servers.items():
            for group, view in server.views.items():
                found.setdefault(group, {})[name] = view
        return found

    @cached_property
    def members_of(self) -> dict[str, tuple[str, ...]]:
        """By group all that are to hold it."""
        return {
            group: tuple(sorted({*views, *(n for view in views.values() for n in _names(view))}))
            for group, views in self.views.items()
        }

    @cached_property
    def leaders(self) -> dict[str, str]:
        """By group whom a majority of it names, "" for nobody."""
        return {group: self._agreed(group) for group in self.views}

    @cached_property
    def marks(self) -> dict[str, int]:
        """By stream how far its leader is: the mark of a round that begins."""
        found = {}
        for group, leader in self.leaders.items():
            view = self.views[group].get(leader)
            if view is not None and view.place is not None:
                found[group] = view.place
        return found

    def claimed(self, member: str) -> tuple[str, ...]:
        """Groups that nobody leads for sure, and somebody says that this one does."""
        return tuple(
            group
            for group, views in self.views.items()
            if not self.leaders[group] and any(view.leader == member for view in views.values())
        )

    def contested(self, group: str) -> str:
        """Who names whom, of a group that nobody leads for sure."""
        views = self.views[group]
        named = ", ".join(f"{name} names {view.leader or 'nobody'}" for name, view in views.items())
        return f"no majority of {self.size(group)} names one leader: {named}"

    def size(self, group: str) -> int:
        """How many members it is to have, or has."""
        told = (view.size for view in self.views[group].values())
        return max(len(self.members_of[group]), *told)

    def behind(self, group: str, member: str) -> int:
        """Messages, or entries as the leader counts them, that it still has to get."""
        mark = {**self.marks, **self.mark}.get(group)
        view = self.views[group].get(member)
        if mark is not None:
            return max(0, mark - ((view.place if view else 0) or 0))
        peer = self._peer(group, member)
        return peer.lag if peer else 0

    def objection(self, group: str, member: str) -> str:
        """Why it is not in sync there; "" where it is."""
        server, view = self.servers.get(member), self.views[group].get(member)
        leader = self.leaders[group]
        if server is None:
            return "does not answer"
        if view is None:
            return "does not report it"
        if not leader:
            return "no majority names one leader"
        if view.leader != leader:
            return f"names {view.leader or 'nobody'}, most name {leader}"
        if server.complains_of(group):
            return server.health
        if leader not in self.servers:
            return f"its leader {leader} does not answer"
        return "" if member == leader else self._late(group, member)

    def trouble(self, name: str) -> str:
        """Why a server is not well; "" for one that is."""
        server = self.servers.get(name)
        if server is None:
            sight = next((one for one in self.sights if one.host == self.places.get(name)), None)
            return f"does not answer: {sight.why}" if sight else "none of our hosts runs it"
        if server.health:
            return f"/healthz says: {server.health}"
        return "" if server.jetstream else "JetStream is off, or not of a cluster"

    def group(self, name: str) -> Group:
        """One of them."""
        members = self.members_of[name]
        places = {one: view.place for one, view in self.views[name].items()}
        return Group(
            id=name,
            kind=Kind.QUORUM,
            members=members,
            leader=self.leaders[name],
            in_sync=frozenset(one for one in members if not self.objection(name, one)),
            minimum=majority(self.size(name)),
            position={one: place for one, place in places.items() if place is not None},
            movable=account_of(name) in self.open,
        )

    def members(self) -> tuple[Member, ...]:
        """All of them."""
        return tuple(self._member(name) for name in self.names)

    def _agreed(self, group: str) -> str:
        named = Counter(view.leader for view in self.views[group].values() if view.leader)
        for leader, count in named.most_common(1):
            if count >= majority(self.size(group)):
                return leader
        return ""

    def _late(self, group: str, member: str) -> str:
        """Of a follower, whose leader answers."""
        peer = self._peer(group, member)
        if peer is None:
            return "its leader does not list it"
        if peer.offline:
            return "its leader calls it offline"
        if peer.lag > self.lag:
            return f"its leader calls it {peer.lag} entries behind"
        if not peer.current and not peer.lag:
            return "its leader has not heard of it"
        late = self.behind(group, member) if group in self.marks else 0
        return f"is {late} messages behind" if late > self.lag else ""

    def _peer(self, group: str, member: str) -> Peer | None:
        view = self.views[group].get(self.leaders[group])
        return view.peer(member) if view else None

    def _member(self, name: str) -> Member:
        server = self.servers.get(name)
        return Member(
            id=name,
            host=self.places.get(name, ""),
            address=server.address if server else "",
            role="meta leader" if self.leaders.get(META) == name else "server",
            version=server.version if server else "",
            began=server.life if server else "",
            trouble=self.trouble(name),
        )


def _names(view: View) -> tuple[str, ...]:
    return tuple(peer.name for peer in view.peers)
