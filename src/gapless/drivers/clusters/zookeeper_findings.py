"""What is not as it has to be in a ZooKeeper ensemble, each with its evidence and its remedy. No
side effects."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.clusters.finding import Finding
from gapless.clusters.group import majority
from gapless.drivers.clusters.zookeeper_round import ENSEMBLE, Round
from gapless.drivers.clusters.zookeeper_view import Ensemble, Server

_ASK = "echo mntr | nc on the client port of each server"


def findings(of: Round, outstanding: int) -> tuple[Finding, ...]:
    """All there are, those of the whole ensemble first. ``outstanding``: how many requests may wait
    in a server."""
    return (
        *_asked_twice(of),
        *_leaders(of),
        *_ensembles(of),
        *_weighed(of),
        *_silent(of),
        *_in_trouble(of),
        *_idle_hosts(of),
        *_uncounted(of),
        *_unwatched(of),
        *_behind(of),
        *_overloaded(of, outstanding),
    )


def _asked_twice(of: Round) -> Iterator[Finding]:
    for name in of.servers:
        hosts = [host for host, server in of.everyone if server.id == name]
        if len(hosts) > 1:
            yield Finding(
                "member-asked-twice",
                _called(name),
                f"answers on {len(hosts)} hosts: {', '.join(hosts)}",
                _states(of),
                "compare 'address' of the cluster in gapless.yaml with each server's clientPort, "
                "and the files myid",
                absolute=True,
            )


def _leaders(of: Round) -> Iterator[Finding]:
    if len(of.claims) > 1:
        yield Finding(
            "two-leaders",
            ENSEMBLE,
            f"{len(of.claims)} servers call themselves leader: {', '.join(of.claims)}",
            _states(of),
            "wait: an old leader steps down within syncLimit; see their logs if none does",
        )


def _ensembles(of: Round) -> Iterator[Finding]:
    told = {name: one.ensemble for name, one in of.servers.items()}
    sizes = {one.size for one in of.servers.values() if one.size is not None}
    alike = len({_written(one) for one in told.values()}) <= 1
    if alike and sizes <= {len(of.voters)}:
        return
    yield Finding(
        "ensemble-disagreement",
        ENSEMBLE,
        "its servers do not have the same members",
        "\n".join(
            f"server {name}: {_written(one)}; mntr → zk_quorum_size {of.servers[name].size}"
            for name, one in told.items()
        ),
        "write the same server.N lines on every server, or wait until a reconfig is over",
    )


def _weighed(of: Round) -> Iterator[Finding]:
    if any(one.ensemble.weighed for one in of.servers.values()):
        yield Finding(
            "weighed-votes",
            ENSEMBLE,
            "its votes are in groups or have weights: what a majority is, is not worked out here",
            "conf → group.N or weight.N",
            "restart it by hand; --force with a reason counts every vote as one",
        )


def _silent(of: Round) -> Iterator[Finding]:
    for name in of.names:
        if name in of.servers:
            continue
        sight = of.sight_of(name)
        if sight is None:
            yield Finding(
                "unknown-member",
                _called(name),
                f"is in the configuration, and {of.trouble(name)}",
                f"hosts asked: {', '.join(one.host for one in of.sights)}",
                "give its host in gapless.yaml, or take it out of the ensemble",
            )
        else:
            what = of.trouble(name)
            yield Finding(sight.code, _called(name), what, sight.evidence, sight.next, member=name)


def _in_trouble(of: Round) -> Iterator[Finding]:
    for name, server in of.servers.items():
        if trouble := of.trouble(name):
            yield Finding(
                "read-only" if server.state == "read-only" else "wrong-state",
                _called(name),
                trouble,
                _state(server),
                "see that it reaches the others; its log says more",
                member=name,
            )


def _idle_hosts(of: Round) -> Iterator[Finding]:
    for sight in of.sights:
        if sight.server is None and sight.host not in of.places.values():
            shut = sight.code != "silent-member"
            yield Finding(
                sight.code if shut else "host-without-member",
                sight.host,
                f"no server is known to run there: {sight.why}",
                sight.evidence,
                sight.next,
            )


def _uncounted(of: Round) -> Iterator[Finding]:
    if of.uncounted:
        leader = of.servers[of.leader]
        yield Finding(
            "follower-not-counted",
            ENSEMBLE,
            f"{len(of.followers)} voters follow, and the leader counts {leader.synced} in sync",
            f"mntr of server {leader.id} → zk_synced_followers {leader.synced}\n{_states(of)}",
            f"wait until it is in sync; if it is not soon: {_ASK}",
            # whoever is stopped may be one of those that count
            absolute=(leader.synced or 0) < majority(len(of.voters)),
        )


def _unwatched(of: Round) -> Iterator[Finding]:
    leader = of.servers.get(of.leader)
    answering = [one for one in of.observers if one in of.servers]
    if leader is not None and leader.watching is not None and leader.watching < len(answering):
        yield Finding(
            "observer-not-counted",
            ENSEMBLE,
            f"{len(answering)} observers answer, and the leader counts {leader.watching} in sync",
            f"mntr of server {leader.id} → zk_synced_observers {leader.watching}",
            "wait until it is in sync; its log says more",
            member=answering[0] if len(answering) == 1 else "",
        )


def _behind(of: Round) -> Iterator[Finding]:
    for name in of.servers:
        if of.leader and not of.trouble(name) and of.behind(name) > of.lag:
            yield Finding(
                "server-behind",
                _called(name),
                f"is {of.behind(name):,} transactions behind",
                _states(of),
                "wait until it has caught up; if it does not, its log says more",
                member=name,
            )


def _overloaded(of: Round, limit: int) -> Iterator[Finding]:
    for name, server in of.servers.items():
        if server.outstanding > limit:
            yield Finding(
                "overloaded",
                _called(name),
                f"{server.outstanding:,} requests wait there, and {limit:,} may",
                f"mntr → zk_outstanding_requests {server.outstanding}",
                "wait for a quieter moment, or set 'outstanding' of the cluster in gapless.yaml",
                member=name,
            )


def _called(name: str) -> str:
    return f"server {name}"


def _written(one: Ensemble) -> str:
    voters = ", ".join(f"{name}={one.voters[name]}" for name in sorted(one.voters))
    observers = ", ".join(f"{name}={one.observers[name]}" for name in sorted(one.observers))
    return f"version {one.version or 'none'}, voters {voters or 'none'}" + (
        f", observers {observers}" if observers else ""
    )


def _states(of: Round) -> str:
    """What each server says of itself, a line each."""
    return "\n".join(f"{host}: {_state(server)}" for host, server in of.everyone)


def _state(server: Server) -> str:
    counted = "" if server.synced is None else f", {server.synced} followers in sync"
    return f"server {server.id} {server.version} {server.state}, zxid {server.zxid:#x}{counted}"
