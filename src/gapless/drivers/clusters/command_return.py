"""What a member that commands tell of lacks to be back after a restart. No side effects."""

from __future__ import annotations

from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.command_round import Round


def missing(seen: Round, was: Member, before: Topology) -> str:
    """The first thing that is not as it has to be, in words; "" for a member that is back."""
    there = next((view for host, view in seen.everyone if host == was.host), None)
    if there is not None and there.id != was.id:
        return f"{was.host} runs {there.id} now, not {was.id}"
    if was.id not in seen.names:
        return f"{was.id} is no member any more"
    if trouble := seen.trouble(was.id):
        return f"{was.id} {trouble}"
    began = seen.views[was.id].own.began
    if was.began and not began:
        return f"{was.id} does not tell when it began, and did before"
    if began and began == was.began:
        return f"it is still the process of before: began is {began}"
    groups = seen.groups()
    for group in before.groups_of(was.id):
        if group.id not in groups:
            return f"{group.id}: nobody reports it"
        if was.id not in seen.told[group.id]:
            return f"{group.id}: {was.id} does not report it"
        if was.id not in groups[group.id].in_sync:
            return f"{group.id}: {was.id} is not in sync"
    return ""


def left_to_catch_up(seen: Round, member: str, before: Topology) -> int | None:
    """Over all groups that it was in; None where no positions are told, or it does not answer."""
    if member not in seen.views:
        return None
    now = seen.groups()
    names = (group.id for group in before.groups_of(member) if group.id in now)
    told = [now[name].position for name in names if now[name].position]
    return sum(max(one.values()) - one.get(member, 0) for one in told) if told else None
