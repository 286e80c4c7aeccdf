"""What is not as it has to be in a cluster of NATS, each with its evidence and its remedy. No side
effects.

1. Of the whole cluster: members that disagree about a leader or about their number, a server that
   is not connected with another one, versions too far apart, a replica that is missing or behind.
2. Of a member that is to be stopped: what it alone has. A stream with one replica goes away with
   it; one in memory comes back empty, which no reason is good enough for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gapless.clusters.finding import Finding
from gapless.drivers.clusters.nats_round import Round
from gapless.drivers.clusters.nats_view import META, Server, Single

_SERVERS = "nats server list, and curl …/varz on each host"
_REPORT = "nats server report jetstream"


def findings(of: Round) -> tuple[Finding, ...]:
    """All there are, those of the whole cluster first."""
    return (
        *_asked_twice(of),
        *_sizes(of),
        *_leaders(of),
        *_routes(of),
        *_versions(of),
        *_in_trouble(of),
        *_idle_hosts(of),
        *_replicas(of),
    )


def alone(of: Round, members: Sequence[str]) -> Iterator[Finding]:
    """What nobody but these has."""
    for name in members:
        server = of.servers.get(name)
        for one in server.singles if server else ():
            yield _single(name, one)


def _asked_twice(of: Round) -> Iterator[Finding]:
    for name in of.servers:
        hosts = [host for host, server in of.everyone if server.name == name]
        if len(hosts) > 1:
            yield Finding(
                "member-asked-twice",
                name,
                f"answers on {len(hosts)} hosts: {', '.join(hosts)}",
                _varz(of),
                "compare 'monitor' of the cluster in gapless.yaml with the servers' http_port",
                absolute=True,
            )


def _sizes(of: Round) -> Iterator[Finding]:
    told = {name: view.size for name, view in of.views.get(META, {}).items()}
    if told and {len(of.names)} != set(told.values()):
        said = ", ".join(f"{name} counts {size}" for name, size in told.items())
        yield Finding(
            "cluster-size",
            META,
            f"{len(of.names)} servers are known by name, and its members count otherwise: {said}",
            f"GET /jsz → meta_cluster.cluster_size: {said}; by name: {', '.join(of.names)}",
            "nats server raft peer-remove a server that is gone for good; start one that is down",
        )


def _leaders(of: Round) -> Iterator[Finding]:
    for group, views in of.views.items():
        told = {name: view.leader or "nobody" for name, view in views.items()}
        if len(set(told.values())) > 1:
            yield Finding(
                "leader-disagreement",
                group,
                f"its members name {len(set(told.values()))} leaders: "
                f"{', '.join(sorted(set(told.values())))}",
                ", ".join(f"{name} names {leader}" for name, leader in told.items()),
                _REPORT,
            )


def _routes(of: Round) -> Iterator[Finding]:
    for name, server in of.servers.items():
        missing = [
            other.name
            for other in of.servers.values()
            if other.cluster == server.cluster and other.life not in {server.life, *server.routes}
        ]
        if missing:
            yield Finding(
                "route-missing",
                name,
                f"has no route to {', '.join(missing)}",
                f"GET /routez → {len(server.routes)} servers, of {len(of.servers)} that answer",
                "compare 'routes' and the cluster's name in their configurations",
                member=name,
            )


def _versions(of: Round) -> Iterator[Finding]:
    """From 2.9 at once to 2.15 streams stood still for 10 and 17 s, seen in 2 of 10 rolls."""
    minors = sorted({server.minor for server in of.servers.values()} - {(0, 0)})
    if not minors:
        return
    (major, minor), (last_major, last_minor) = minors[0], minors[-1]
    if major != last_major or last_minor - minor > 1:
        yield Finding(
            "version-skew",
            META,
            f"its servers run {major}.{minor} to {last_major}.{last_minor}: more than one minor",
            _varz(of),
            "bring all servers to one minor version before the next",
        )


def _in_trouble(of: Round) -> Iterator[Finding]:
    for name in of.names:
        trouble = of.trouble(name)
        server = of.servers.get(name)
        if not trouble:
            continue
        if server is None and name not in of.places:
            yield Finding(
                "unknown-member",
                name,
                f"is in the meta group, and {trouble}",
                f"hosts asked: {', '.join(sight.host for sight in of.sights)}",
                f"give its host in gapless.yaml, or nats server raft peer-remove {name}",
            )
        elif server is None:
            sight = next(one for one in of.sights if one.host == of.places[name])
            yield Finding("silent-member", name, trouble, sight.evidence, sight.next, member=name)
        else:
            yield _unwell(name, server, trouble)


def _unwell(name: str, server: Server, trouble: str) -> Finding:
    if not server.health:
        return Finding(
            "jetstream-off",
            name,
            trouble,
            "GET /jsz → disabled, or without meta_cluster; /healthz calls that ok",
            "jetstream, server_name and cluster have to be in its configuration",
            member=name,
        )
    return Finding(
        "unhealthy",
        name,
        trouble,
        f"GET /healthz → {server.health}",
        "wait, it may be catching up; in lame duck mode start it anew; its log says more",
        member=name,
    )


def _idle_hosts(of: Round) -> Iterator[Finding]:
    for sight in of.sights:
        if sight.server is None and sight.host not in of.places.values():
            yield Finding(
                "host-without-member",
                sight.host,
                f"no server is known to run there: {sight.why}",
                sight.evidence,
                sight.next,
            )


def _replicas(of: Round) -> Iterator[Finding]:
    for group, members in of.members_of.items():
        if of.size(group) > len(members) and group != META:
            yield Finding(
                "under-replicated",
                group,
                f"{of.size(group)} replicas are wanted, and {len(members)} are known",
                f"GET /jsz → {', '.join(members)}",
                f"nats stream cluster peer-remove, or start the server that is missing; {_REPORT}",
            )
        if of.leaders[group] not in of.servers:
            continue  # nobody leads it, or who does is silent: that is said already
        for member in members:
            why = of.objection(group, member)
            if not why or member not in of.servers or of.servers[member].health:
                continue  # of one that is silent, or does not find itself well, it is said once
            yield Finding(
                "replica-behind",
                group,
                f"{member}: {why}",
                _seen(of, group),
                f"wait until it has caught up; if it does not: {_REPORT}, and its log",
                member=member,
            )


def _single(name: str, one: Single) -> Finding:
    stream = one.group.split(" > ")[1]
    if one.memory and one.messages:
        return Finding(
            "single-replica-in-memory",
            one.group,
            f"its only replica is on {name}, in memory: {one.messages:,} messages would be gone",
            "GET /jsz → num_replicas 1, storage memory",
            f"nats stream edit {stream} --replicas 3, or delete it",
            absolute=True,
        )
    edit = "consumer" if one.consumer else "stream"
    words = one.group.split(" > ", 1)[1].replace(" > ", " ")
    return Finding(
        "single-replica",
        one.group,
        f"its only replica is on {name}: nobody serves it while that is down",
        "GET /jsz → num_replicas 1",
        f"nats {edit} edit {words} --replicas 3; --force with a reason restarts it with an outage",
    )


def _seen(of: Round, group: str) -> str:
    """What its members said of it, a line each."""
    return "\n".join(
        f"{name} names {view.leader or 'nobody'}"
        + ("" if view.place is None else f", is at {view.place}")
        + "".join(f"; {peer}" for peer in view.peers if name == of.leaders[group])
        for name, view in of.views[group].items()
    )


def _varz(of: Round) -> str:
    return "\n".join(
        f"{host}: {server.name} {server.version}, process {server.life[:10]}"
        for host, server in of.everyone
    )
