"""What all nodes of Redis Cluster say, together: one topology, and what is wrong with it. No side
effects.

1. A node is known by its node id, which it keeps in nodes.conf.
2. Each shard is a group named after its first range of slots: that stays when its master changes,
   and changes when slots are moved, which nobody does during a restart. Its master is whom all
   nodes hold for it; when they differ nobody is, and that is a finding.
3. The masters that serve slots are a group of their own: only they vote, and a majority of them has
   to see each other. Nobody leads them. A member that hands its role over leaves it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.places import Places
from gapless.drivers.clusters.redis_cluster_view import SLOTS, Node, Told
from gapless.errors import ClusterError

MASTERS = "masters"
"""Name of the group of those that vote."""
_SHOWN = 4


@dataclass(frozen=True)
class Sight:
    """What was asked at one moment. ``told``: by node id what it said; ``hosts``: by node id;
    ``silent``: by host."""

    told: Mapping[str, Told]
    hosts: Mapping[str, str]
    silent: Mapping[str, ClusterError] = field(default_factory=dict)

    @classmethod
    def of(
        cls, said: Mapping[str, Told], silent: Mapping[str, ClusterError], places: Places
    ) -> Sight:
        """With what is known from before of nodes that are silent."""
        known = {one for told in said.values() for one in told.nodes}
        hosts = places.hosts({host: told.id for host, told in said.items()}, sorted(known))
        return cls({told.id: told for told in said.values()}, hosts, silent)

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """Each node as it says itself, else as most others say."""
        ids = sorted({one for told in self.told.values() for one in told.nodes})
        return {one: self._node(one) for one in ids}

    @cached_property
    def shards(self) -> Mapping[str, str]:
        """By shard its master, "" where nodes hold different ones for it."""
        found: dict[str, set[str]] = {}
        for told in self.told.values():
            for node in told.nodes.values():
                if node.shard and not node.master:
                    found.setdefault(node.shard, set()).add(node.id)
        return {
            shard: next(iter(masters)) if len(masters) == 1 else ""
            for shard, masters in sorted(found.items(), key=lambda one: _first(one[0]))
        }

    def shard(self, member: str) -> str:
        """The one that it has a part in."""
        node = self.nodes[member]
        master = self.nodes.get(node.master) if node.master else node
        return master.shard if master else ""

    def replicas(self, master: str) -> tuple[str, ...]:
        """Those that follow it, as they say themselves."""
        return tuple(one for one, node in self.nodes.items() if node.master == master)

    def trouble(self, member: str, lag: int) -> str:
        """Why it is not what it has to be; "" for one that is."""
        told = self.told.get(member)
        if told is None:
            silent = self.silent.get(self.hosts.get(member, ""))
            return silent.what if silent else "none of our hosts runs it"
        seen = self.unwell(member)
        if seen:
            return f"{len(seen)} of {len(self.told)} nodes do not find it well"
        if told.server.replication.master != (not told.nodes[member].master):
            return "it has not taken the role yet that the cluster gave it"
        master = self.told.get(told.nodes[member].master)
        return told.server.trouble(master.server.replication if master else None, lag)

    def unwell(self, member: str) -> Mapping[str, str]:
        """By node what speaks against the member in its view: a flag, a link that is down, or
        that it does not know it."""
        seen = {}
        for one, told in self.told.items():
            node = told.nodes.get(member)
            if node is None:
                seen[one] = "not known"
            elif node.unwell or not node.linked:
                seen[one] = ",".join(node.unwell) or "link down"
        return seen

    def _node(self, member: str) -> Node:
        if member in self.told:
            return self.told[member].nodes[member]
        views = [told.nodes[member] for told in self.told.values() if member in told.nodes]
        return Counter(views).most_common(1)[0][0]


def topology(sight: Sight, lag: int) -> Topology:
    """One group a shard, and that of the masters."""
    members = by_id(_member(sight, one, lag) for one in sight.nodes)
    well = frozenset(one for one, member in members.items() if member.well)
    shards = [_shard(sight, shard, well) for shard in sight.shards]
    groups = [*shards, _masters(sight, well)] if shards else []
    return Topology(
        members=members,
        groups={group.id: group for group in groups},
        findings=tuple(findings(sight, lag)),
        asked=tuple(sorted(sight.told)),
    )


def findings(sight: Sight, lag: int) -> Iterator[Finding]:
    """All that is not as it has to be before a node may be touched."""
    yield from _differing(sight)
    yield from _states(sight)
    yield from _unplaced(sight)
    for member in sight.nodes:
        yield from _of_member(sight, member, lag)


def _member(sight: Sight, member: str, lag: int) -> Member:
    node, told = sight.nodes[member], sight.told.get(member)
    return Member(
        id=member,
        host=sight.hosts.get(member, ""),
        address=node.address,
        role=node.role,
        version=told.server.version if told else "",
        began=told.server.life if told else "",
        trouble=sight.trouble(member, lag),
    )


def _shard(sight: Sight, shard: str, well: frozenset[str]) -> Group:
    members = tuple(one for one in sight.nodes if sight.shard(one) == shard)
    master = sight.told.get(sight.shards[shard])
    return Group(
        id=shard,
        kind=Kind.PRIMARY,
        members=members,
        leader=sight.shards[shard],
        in_sync=well & frozenset(members),
        # The master, and as many replicas as it wants to see before it takes a write.
        minimum=1 + (master.server.quorum if master else 0),
        position={
            one: sight.told[one].server.replication.offset for one in members if one in sight.told
        },
    )


def _masters(sight: Sight, well: frozenset[str]) -> Group:
    members = tuple(one for one, node in sight.nodes.items() if node.shard and not node.master)
    return Group(
        id=MASTERS,
        kind=Kind.QUORUM,
        members=members,
        leader="",
        in_sync=well & frozenset(members),
        minimum=majority(len(members)),
        movable=False,
        led=False,
        seats=True,
    )


def _differing(sight: Sight) -> Iterator[Finding]:
    """Nodes whose view of roles and slots is not that of the others."""
    for member in sight.nodes:
        views: dict[str, list[str]] = {}
        for one, told in sight.told.items():
            node = told.nodes.get(member)
            shown = f"{node.role} {node.master} {' '.join(node.slots)}" if node else "not known"
            views.setdefault(shown.strip(), []).append(one[:8])
        if len(views) > 1:
            yield Finding(
                code="redis-views-differ",
                where=member,
                what=f"{len(sight.told)} nodes hold it for {len(views)} different things",
                evidence="; ".join(
                    f"{' '.join(by[:_SHOWN])}: {shown}" for shown, by in views.items()
                ),
                next="CLUSTER NODES on each; wait, or restart the node that is cut off",
            )


def _states(sight: Sight) -> Iterator[Finding]:
    for one, told in sight.told.items():
        if told.state != "ok" or told.covered != SLOTS:
            yield Finding(
                code="redis-cluster-down",
                where=one,
                what=f"the cluster is {told.state}, {told.covered} of {SLOTS} slots are served",
                evidence=f"CLUSTER INFO → cluster_state:{told.state} "
                f"cluster_slots_ok:{told.covered}",
                next="redis-cli --cluster check; start the masters that are down",
            )
        moving = told.nodes[one].moving
        if moving:
            yield Finding(
                code="redis-slots-moving",
                where=one,
                what=f"{len(moving)} slots are on their way to or from it",
                evidence=" ".join(moving[:_SHOWN]),
                next="let the resharding end, or redis-cli --cluster fix",
            )


def _unplaced(sight: Sight) -> Iterator[Finding]:
    """Hosts that say nothing, and nobody knows which node is there."""
    for host in sorted(sight.silent.keys() - set(sight.hosts.values())):
        error = sight.silent[host]
        where = f"Redis on {host or 'localhost'}"
        yield Finding("redis-silent", where, error.what, error.evidence, error.next)


def _of_member(sight: Sight, member: str, lag: int) -> Iterator[Finding]:
    node = sight.nodes[member]
    trouble = sight.trouble(member, lag)
    if trouble:
        yield _unwell(sight, member, trouble)
    if node.shard and not node.master:
        replicas = sight.replicas(member)
        linked = [one for one in replicas if not sight.trouble(one, lag)]
        if not linked:
            yield Finding(
                code="redis-no-replica",
                where=member,
                what=f"none of {len(replicas)} replicas could take {node.shard} over",
                evidence="; ".join(f"{one[:8]}: {sight.trouble(one, lag)}" for one in replicas),
                next="CLUSTER REPLICATE on a node without slots, or start the replica",
                member=replicas[0] if len(replicas) == 1 else "",
            )


def _unwell(sight: Sight, member: str, trouble: str) -> Finding:
    told, seen = sight.told.get(member), sight.unwell(member)
    if told is None:
        silent = sight.silent.get(sight.hosts.get(member, ""))
        if silent is not None:
            return Finding(
                "redis-silent", member, trouble, silent.evidence, silent.next, member=member
            )
        return Finding(
            code="redis-not-ours",
            where=member,
            what=trouble,
            evidence=str(sight.nodes[member]),
            next=f"add its host to the service, or CLUSTER FORGET {member} for one that is gone",
        )
    if seen:
        return Finding(
            code="redis-flagged",
            where=member,
            what=trouble,
            evidence="; ".join(f"{one[:8]}: {what}" for one, what in seen.items()),
            next="see that its port and its bus port are reached from these nodes",
            member=member,
        )
    place = told.server.replication
    return Finding(
        code="redis-not-in-sync",
        where=member,
        what=trouble,
        evidence=f"INFO replication → role {place.role}, offset {place.offset}, "
        f"link {'up' if place.linked else 'down'}, follows {place.following or 'nobody'}",
        next="INFO replication on it and on its master; its log says why",
        member=member,
    )


def _first(shard: str) -> int:
    number = shard.removeprefix("slots ").partition("-")[0]
    return int(number) if number.isdigit() else SLOTS
