"""What a member of etcd lacks to be back after a restart. No side effects."""

from __future__ import annotations

from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.etcd_round import GROUP, Round


def missing(seen: Round, was: Member, before: Topology) -> str:
    """The first thing that is not as it has to be, in words; "" for a member that is back."""
    there = next((sight for sight in seen.sights if sight.host == was.host), None)
    if there is not None and there.status is not None and there.status.id != was.id:
        return f"{was.host} runs {there.status.id} now, not {was.id}: it is another identity"
    if seen.listed and was.id not in seen.listed:
        return f"{was.id} is not in the list of members any more"
    if was.id not in seen.answers:
        why = f": {there.why}" if there is not None and there.why else ""
        return f"{was.id} does not answer{why}"
    return (
        _same_process(was, seen.answers[was.id].sight.began)
        or _other_voters(frozenset(seen.voters), frozenset(before.groups[GROUP].members))
        or _named(was.id, seen.trouble(was.id))
    )


def _same_process(was: Member, now: str) -> str:
    """One that was down before told nothing then, and it is another one that answers."""
    if not now or (not was.began and was.well):
        return "nobody can tell whether it is another process: /metrics has no start time"
    return f"it is still the process that began at {now}" if was.began == now else ""


def _other_voters(now: frozenset[str], were: frozenset[str]) -> str:
    if now == were:
        return ""
    return f"the voters are {', '.join(sorted(now))}, and were {', '.join(sorted(were))}"


def _named(member: str, trouble: str) -> str:
    return trouble and f"{member} {trouble}"
