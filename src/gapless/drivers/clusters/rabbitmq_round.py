"""A cluster of RabbitMQ as all hosts that were asked showed it, in one round. No side effects.

1. Members are the nodes that answer and those that any of them counts to the cluster. Groups are
   quorum queues and streams. Who is a member of a group is what all nodes say together, so a
   disagreement makes the majority larger, never smaller.
2. A leader is agreed upon when a majority of the group names it, each node by its own word; of
   streams nobody tells who leads them, and they move by themselves.
3. In sync is a member that answers, that all who answer call running and, in this group, online,
   and that names the leader that most name. Of a stream that is told with old words: a node that
   has been up for less than they may be old is not in sync yet.
4. A node in maintenance closes its management API, too: it is silent, while others see it run. Its
   copies are stopped then, so it is in sync nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.drivers.clusters.rabbitmq_sight import Sight
from gapless.drivers.clusters.rabbitmq_view import LATE, QUORUM, STREAM, Node, Queue


@dataclass(frozen=True)
class Round:
    """See above. ``places``: by node its host, as far as that is known; ``began``: by node what
    names its process."""

    sights: tuple[Sight, ...]
    places: Mapping[str, str] = field(default_factory=dict)
    began: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def everyone(self) -> tuple[tuple[str, Node], ...]:
        """All answers with their hosts."""
        return tuple((one.host, one.node) for one in self.sights if one.node is not None)

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """By name those that answered."""
        return {node.name: node for _, node in self.everyone}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All members."""
        return tuple(sorted({*self.nodes, *(n for one in self.nodes.values() for n in one.peers)}))

    @cached_property
    def views(self) -> dict[str, dict[str, Queue]]:
        """By group what each node says of it."""
        found: dict[str, dict[str, Queue]] = {}
        for name, node in self.nodes.items():
            for group, queue in node.queues.items():
                if queue.replicated:
                    found.setdefault(group, {})[name] = queue
        return found

    @cached_property
    def members_of(self) -> dict[str, tuple[str, ...]]:
        """By group all that are to hold it."""
        return {
            group: tuple(sorted({one for queue in views.values() for one in queue.members}))
            for group, views in self.views.items()
        }

    @cached_property
    def leaders(self) -> dict[str, str]:
        """By group whom a majority of it names, "" for nobody."""
        return {group: self._agreed(group) for group in self.views}

    def led(self, group: str) -> bool:
        """Whether anybody tells who leads it."""
        return any(queue.kind == QUORUM for queue in self.views[group].values())

    def objection(self, group: str, member: str) -> str:
        """Why it is not in sync there; "" where it is."""
        if trouble := self.trouble(member):
            return trouble
        for name, queue in self.views[group].items():
            if member not in queue.online:
                return f"{name} does not call it online"
        own, leader = self.views[group].get(member), self.leaders[group]
        if own is None:
            return "does not report it"
        if own.kind == STREAM:
            up = self.nodes[member].own.uptime
            return "" if up >= LATE else f"has been up for {up:.0f} s, less than streams are late"
        if not leader:
            return "no majority names one leader"
        return "" if own.leader == leader else f"names {own.leader or 'nobody'}, most name {leader}"

    def trouble(self, name: str) -> str:
        """Why a node is not well; "" for one that is."""
        if name not in self.nodes:
            return self._silence(name)
        if unseen := [n for n, node in self.nodes.items() if name not in node.sees]:
            return f"{', '.join(unseen)} does not see it run"
        return "is in maintenance" if self.drained(name) else ""

    def drained(self, name: str) -> bool:
        """Whether anybody says so; before 3.13 nobody does."""
        told = (node.peers.get(name) for node in self.nodes.values())
        return any(peer is not None and peer.drained for peer in told)

    def runs(self, name: str) -> bool:
        """Whether any other one sees it run."""
        return any(name in node.sees for one, node in self.nodes.items() if one != name)

    def sight(self, name: str) -> Sight | None:
        """That of its host."""
        return next((one for one in self.sights if one.host == self.places.get(name)), None)

    def group(self, name: str) -> Group:
        """One of them."""
        members = self.members_of[name]
        led = self.led(name)
        return Group(
            id=name,
            kind=Kind.QUORUM,
            members=members,
            leader=self.leaders[name],
            in_sync=frozenset(one for one in members if not self.objection(name, one)),
            minimum=majority(len(members)),
            movable=led,
            led=led,
        )

    def members(self) -> tuple[Member, ...]:
        """All of them."""
        return tuple(self._member(name) for name in self.names)

    def _agreed(self, group: str) -> str:
        members = self.members_of[group]
        said = (queue.leader for name, queue in self.views[group].items() if name in members)
        for leader, count in Counter(one for one in said if one).most_common(1):
            if count >= majority(len(members)):
                return leader
        return ""

    def _silence(self, name: str) -> str:
        sight = self.sight(name)
        if sight is None:
            return "none of our hosts runs it"
        if self.runs(name):
            return f"runs, as others see it, and takes no connections: {sight.why}"
        return f"does not answer: {sight.why}"

    def _member(self, name: str) -> Member:
        node = self.nodes.get(name)
        return Member(
            id=name,
            host=self.places.get(name, ""),
            address=name.partition("@")[2],
            role="node",
            version=node.version if node else "",
            began=self.began.get(name, ""),
            trouble=self.trouble(name),
        )
