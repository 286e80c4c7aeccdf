"""What a server of ZooKeeper lacks to be back after a restart. No side effects."""

from __future__ import annotations

from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.zookeeper_life import Life, recalled
from gapless.drivers.clusters.zookeeper_round import Round


def missing(seen: Round, was: Member, before: Topology) -> str:
    """The first thing that is not as it has to be, in words; "" for a member that is back."""
    there = next((server for host, server in seen.everyone if host == was.host), None)
    if there is not None and there.id != was.id:
        return f"{was.host} runs the server {there.id} now, not {was.id}"
    if trouble := seen.trouble(was.id):
        return f"the server {was.id} {trouble}"
    if same := _same_process(seen.servers[was.id].life, recalled(was.began)):
        return same
    if objection := seen.objection(was.id):
        return f"the server {was.id} {objection}"
    if any(was.id in group.members for group in before.groups.values()):
        return "" if was.id in seen.voters else f"the server {was.id} does not vote any more"
    return _unwatched(seen)


def left_to_catch_up(seen: Round, member: str) -> int | None:
    """Transactions; None for one that does not answer."""
    return seen.behind(member) if member in seen.servers else None


def _same_process(now: Life, before: Life | None) -> str:
    if before is None or now.is_another(before):
        return ""
    if now.is_role_of(before):
        return "it is still the process of before: its role lasts since then"
    return (
        f"nothing shows that it is another process than before: {before.elections} elections then, "
        f"{now.elections} now"
    )


def _unwatched(seen: Round) -> str:
    """Of an observer that answers: whether the leader counts it, too."""
    leader = seen.servers.get(seen.leader)
    answering = sum(one in seen.servers for one in seen.observers)
    if leader is None or leader.watching is None or leader.watching >= answering:
        return ""
    return f"the leader counts {leader.watching} of {answering} observers in sync"
