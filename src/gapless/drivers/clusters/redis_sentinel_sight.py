"""Servers and sentinels together: one topology, and what is wrong with it. No side effects.

1. A server is called as sentinels call it, ``address:port``: that outlives its process, which no
   identity of Redis's own does. Which host has it is known by the process (``run_id``) that
   sentinels heard of; right after a start, by the address at which sentinels connected to it.
2. Who leads is what all sentinels say alike. When they differ nobody does, and that is a finding.
3. Who is in sync is what the servers say themselves, not the sentinels, who ask them every ten
   seconds: linked, nothing being copied, near the master in the master's own history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_redis import RedisSentinelConfig
from gapless.drivers.clusters.places import Places
from gapless.drivers.clusters.redis_sentinel_view import Watch
from gapless.drivers.clusters.redis_view import Server
from gapless.errors import ClusterError

SHUNNED = 1_000_000
"""What is added to the priority of a replica that is not to be chosen for the moment: who sees so
high a number knows what it was, without having been told."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was asked at one moment, by host. ``doors``: addresses at which sentinels reached a
    server whose process none of them has heard of yet."""

    servers: Mapping[str, Server]
    watches: Mapping[str, Watch]
    doors: Mapping[str, frozenset[str]] = field(default_factory=dict)
    silent: Mapping[str, ClusterError] = field(default_factory=dict)
    """Hosts whose server did not answer."""
    mute: Mapping[str, ClusterError] = field(default_factory=dict)
    """Hosts whose sentinel did not answer."""

    @property
    def master(self) -> str:
        """Whom all sentinels name; "" when they differ, or one does not know it."""
        named = {watch.master for watch in self.watches.values()}
        return named.pop() if len(named) == 1 else ""

    @property
    def ids(self) -> tuple[str, ...]:
        """All servers that any sentinel knows."""
        known = (one for watch in self.watches.values() for one in (watch.master, *watch.servers))
        return tuple(sorted({one for one in known if one}))

    @property
    def lives(self) -> dict[str, str]:
        """By process the address that sentinels have for it."""
        watched = (one for watch in self.watches.values() for one in watch.servers.values())
        return {one.life: one.address for one in watched if one.life}

    def found(self) -> dict[str, str]:
        """By host the member that its server is."""
        lives, ids, found = self.lives, frozenset(self.ids), {}
        for host, server in self.servers.items():
            doors = sorted(self.doors.get(host, frozenset()) & ids)
            called = lives.get(server.life) or next(iter(doors), "")
            if called:
                found[host] = called
        return found


@dataclass(frozen=True, slots=True)
class Placed:
    """A sight in which every member has its server, where that answered."""

    sight: Sight
    hosts: Mapping[str, str]
    servers: Mapping[str, Server]

    @classmethod
    def of(cls, sight: Sight, places: Places) -> Placed:
        """With what is known from before of servers that are silent."""
        hosts = places.hosts(sight.found(), sight.ids)
        servers = {one: sight.servers[at] for one, at in hosts.items() if at in sight.servers}
        return cls(sight, hosts, servers)

    @property
    def master(self) -> Server | None:
        """The one that all sentinels name, where it answers."""
        return self.servers.get(self.sight.master)

    def trouble(self, member: str, lag: int) -> str:
        """Why it is not what it has to be; "" for one that is."""
        server = self.servers.get(member)
        if server is None:
            silent = self.sight.silent.get(self.hosts.get(member, ""))
            return silent.what if silent else "none of our hosts runs it"
        if server.replication.master and self.sight.master not in ("", member):
            return f"it takes writes though the sentinels name {self.sight.master}"
        if not server.replication.master and self.sight.master == member:
            return "the sentinels name it the master, and it says that it is a replica"
        master = self.master.replication if self.master else None
        return server.trouble(master, lag)


def topology(placed: Placed, config: RedisSentinelConfig) -> Topology:
    """The one group there is, named as the master is."""
    members = [_member(placed, one, config.lag) for one in placed.sight.ids]
    in_sync = frozenset(
        one.id
        for one in members
        if one.well and (one.id == placed.sight.master or placed.master is not None)
    )
    group = Group(
        id=config.master,
        kind=Kind.PRIMARY,
        members=placed.sight.ids,
        leader=placed.sight.master,
        in_sync=in_sync,
        # The master, and as many replicas as it wants to see before it takes a write.
        minimum=1 + (placed.master.quorum if placed.master else 0),
        position={one: server.replication.offset for one, server in placed.servers.items()},
    )
    return Topology(
        members=by_id(members),
        groups={group.id: group},
        findings=tuple(findings(placed, config)),
        asked=tuple(sorted(placed.servers)),
    )


def findings(placed: Placed, config: RedisSentinelConfig) -> Iterator[Finding]:
    """All that is not as it has to be before a server may be touched."""
    yield from _of_sentinels(placed.sight, config.master)
    yield from _of_servers(placed, config)


def unpausable(member: str, server: Server) -> Finding:
    """A master that cannot hold writes back: what it acknowledges meanwhile would be lost."""
    return Finding(
        code="redis-too-old",
        where=member,
        what=f"Redis {server.version} cannot pause writes alone, which moving its role needs",
        evidence="CLIENT PAUSE … WRITE is there since Redis 6.2",
        next="restart its replicas with Redis 6.2 or newer, then fail over by hand",
    )


def _member(placed: Placed, member: str, lag: int) -> Member:
    server = placed.servers.get(member)
    role = "" if server is None else server.replication.role
    return Member(
        id=member,
        host=placed.hosts.get(member, ""),
        address=member,
        role=role or ("master" if placed.sight.master == member else "replica"),
        version=server.version if server else "",
        began=server.life if server else "",
        trouble=placed.trouble(member, lag),
    )


def _of_sentinels(sight: Sight, master: str) -> Iterator[Finding]:
    for host, error in sight.mute.items():
        yield _silent("sentinel-silent", f"sentinel on {host or 'localhost'}", error)
    named = {host: watch.master or "nobody" for host, watch in sight.watches.items()}
    told = ", ".join(f"{host or 'localhost'}: {whom}" for host, whom in sorted(named.items()))
    if len(set(named.values())) > 1:
        yield Finding(
            code="sentinels-disagree",
            where=master,
            what=f"{len(named)} sentinels name {len(set(named.values()))} different masters",
            evidence=told,
            next=f"SENTINEL GET-MASTER-ADDR-BY-NAME {master} on each; configure the odd one anew",
        )
    elif set(named.values()) == {"nobody"}:
        yield Finding(
            code="sentinel-no-master",
            where=master,
            what=f"none of {len(named)} sentinels watches a master of that name",
            evidence=told,
            next="SENTINEL MASTERS shows the names; set 'master' in gapless.yaml",
        )
    yield from _quorums(sight, master)


def _quorums(sight: Sight, master: str) -> Iterator[Finding]:
    asked = len(sight.watches) + len(sight.mute)
    for host, watch in sorted(sight.watches.items()):
        where = f"sentinel on {host or 'localhost'}"
        if watch.quorum:
            yield Finding(
                code="sentinel-no-quorum",
                where=where,
                what=f"it counts too few sentinels to move {master}",
                evidence=f"SENTINEL CKQUORUM {master} → {watch.quorum}",
                next="start the sentinels that are down",
            )
        if watch.master and watch.others + 1 != asked:
            yield Finding(
                code="sentinels-not-all-asked",
                where=where,
                what=f"it knows {watch.others + 1} sentinels with itself, and {asked} are asked",
                evidence=f"SENTINEL SENTINELS {master} → {watch.others} others",
                next=f"set 'sentinels' in gapless.yaml, or SENTINEL RESET {master} for one gone",
            )


def _of_servers(placed: Placed, config: RedisSentinelConfig) -> Iterator[Finding]:
    sight, ids = placed.sight, frozenset(placed.sight.ids)
    for host in sorted(sight.servers.keys() - set(placed.hosts.values())):
        yield Finding(
            code="redis-unwatched",
            where=f"Redis on {host or 'localhost'}",
            what=f"no sentinel knows it as a server of {config.master}",
            evidence=f"run_id {sight.servers[host].life} is none of those that sentinels know",
            next=f"SENTINEL REPLICAS {config.master}; REPLICAOF on it where it follows nobody",
        )
    for host in sorted(sight.silent.keys() - set(placed.hosts.values())):
        yield _silent("redis-silent", f"Redis on {host or 'localhost'}", sight.silent[host])
    for member in sorted(ids):
        trouble = placed.trouble(member, config.lag)
        if trouble:
            yield _unwell(member, trouble, placed)
        yield from _flagged(sight, member, config.master)
        server = placed.servers.get(member)
        if server is not None and server.priority >= SHUNNED:
            yield Finding(
                code="redis-priority-changed",
                where=member,
                what=f"its replica-priority is {server.priority}, left from moving a master",
                evidence=f"CONFIG GET replica-priority → {server.priority}",
                next=f"CONFIG SET replica-priority {server.priority - SHUNNED}",
            )


def _flagged(sight: Sight, member: str, master: str) -> Iterator[Finding]:
    seen = {
        host: watch.servers[member].unwell
        for host, watch in sorted(sight.watches.items())
        if member in watch.servers and watch.servers[member].unwell
    }
    if seen:
        told = (f"{host or 'localhost'}: {','.join(flags)}" for host, flags in seen.items())
        yield Finding(
            code="redis-flagged",
            where=member,
            what=f"{len(seen)} of {len(sight.watches)} sentinels do not find it well",
            evidence="; ".join(told),
            next=f"start it; for a server that is gone for good: SENTINEL RESET {master}",
            member=member,
        )
    missing = [host for host, one in sorted(sight.watches.items()) if member not in one.servers]
    if missing and sight.master:
        yield Finding(
            code="sentinels-disagree",
            where=member,
            what=f"{len(missing)} of {len(sight.watches)} sentinels do not know it",
            evidence=f"not in the answers of {', '.join(one or 'localhost' for one in missing)}",
            next=f"SENTINEL REPLICAS {master} on each; it is found anew within 10 s",
        )


def _unwell(member: str, trouble: str, placed: Placed) -> Finding:
    server = placed.servers.get(member)
    silent = placed.sight.silent.get(placed.hosts.get(member, ""))
    if server is None and silent is not None:
        return _silent("redis-silent", member, silent, member)
    if server is None:
        return Finding(
            code="redis-not-ours",
            where=member,
            what=trouble,
            evidence=f"sentinels know it; our hosts: {', '.join(sorted(placed.hosts.values()))}",
            next="add its host to the service, or SENTINEL RESET for a server that is gone",
        )
    place = server.replication
    second = place.master and placed.sight.master not in ("", member)
    return Finding(
        code="redis-two-masters" if second else "redis-not-in-sync",
        where=member,
        what=trouble,
        evidence=f"INFO replication → role {place.role}, offset {place.offset}, "
        f"link {'up' if place.linked else 'down'}, follows {place.following or 'nobody'}",
        next="INFO replication on it and on its master; its log says why",
        member="" if second else member,  # started again, it would take writes again
    )


def _silent(code: str, where: str, error: ClusterError, member: str = "") -> Finding:
    return Finding(code, where, error.what, error.evidence, error.next, member=member)
