"""What a server of NATS lacks to be back after a restart. No side effects."""

from __future__ import annotations

from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.nats_round import Round


def missing(seen: Round, was: Member, before: Topology) -> str:
    """The first thing that is not as it has to be, in words; "" for a member that is back."""
    there = next((server for host, server in seen.everyone if host == was.host), None)
    if there is not None and there.name != was.id:
        return f"{was.host} runs {there.name} now, not {was.id}: it is another server"
    if trouble := seen.trouble(was.id):
        return f"{was.id} {trouble}"
    if seen.servers[was.id].life == was.began:
        return f"it is still the process {was.began[:10]}"
    return next(
        (
            f"{group}: {why}"
            for group in _of(before, was.id)
            if (why := _lacks(seen, group, was.id))
        ),
        "",
    )


def left_to_catch_up(seen: Round, member: str, before: Topology) -> int | None:
    """Over all that it was in, as far as that is known; None for one that does not answer."""
    if member not in seen.servers:
        return None
    return sum(seen.behind(group, member) for group in _of(before, member) if group in seen.views)


def _of(before: Topology, member: str) -> tuple[str, ...]:
    return tuple(group.id for group in before.groups_of(member))


def _lacks(seen: Round, group: str, member: str) -> str:
    if group not in seen.views:
        return "nobody reports it"
    if member not in seen.members_of[group]:
        return f"{member} is no member of it any more"
    return seen.objection(group, member)
