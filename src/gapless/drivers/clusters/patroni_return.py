"""What a member of Patroni lacks to be back after a restart. No side effects."""

from __future__ import annotations

from collections.abc import Collection

from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.patroni_round import Round


def missing(seen: Round, was: Member, before: Topology, ended: str) -> str:
    """The first thing that is not as it has to be, in words; "" for a member that is back.
    ``ended``: what named the postmaster that was there right before it was stopped, "" where
    nobody knows: a switchover begins a new one by itself."""
    runs = seen.places.get(was.host, "")
    if runs and runs != was.id:
        return f"{was.host} runs {runs} now, not {was.id}: it is another identity"
    if seen.listed and was.id not in seen.listed:
        return f"{was.id} is on no list of members any more"
    trouble = seen.trouble(was.id)
    status, head = seen.status(was.id), seen.head
    if status is None:
        return f"{was.id} {trouble.what if trouble is not None else 'does not answer'}"
    if head is not None and status.system != head.system:
        return f"{was.id} holds data of {status.system or 'nobody'}, {seen.leader} of {head.system}"
    if trouble is not None:
        return f"{was.id} {trouble.what}"
    if not seen.leader:
        return "nobody leads, or not all name the same"
    return (
        # Patroni that is paused leaves its PostgreSQL running: then there is nothing to tell by.
        ("" if seen.paused else _same_process(status.began, {was.began, ended} - {""}))
        or _other_members(frozenset(seen.listed), frozenset(before.members))
    )


def _same_process(now: str, were: Collection[str]) -> str:
    if not now or not were:
        return "nobody can tell whether it is another process: Patroni tells no start time"
    return f"it is still the PostgreSQL that began at {now}" if now in were else ""


def _other_members(now: frozenset[str], were: frozenset[str]) -> str:
    if now == were:
        return ""
    return f"the members are {', '.join(sorted(now))}, and were {', '.join(sorted(were))}"
