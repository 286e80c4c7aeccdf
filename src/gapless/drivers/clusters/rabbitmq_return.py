"""What a node of RabbitMQ lacks to be back after a restart. No side effects."""

from __future__ import annotations

from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.rabbitmq_life import same
from gapless.drivers.clusters.rabbitmq_round import Round


def missing(seen: Round, was: Member, before: Topology) -> str:
    """The first thing that is not as it has to be, in words; "" for a node that is back."""
    there = next((node for host, node in seen.everyone if host == was.host), None)
    if there is not None and there.name != was.id:
        return f"{was.host} runs {there.name} now, not {was.id}: it is another node"
    if trouble := seen.trouble(was.id):
        return f"{was.id} {trouble}"
    if unseen := [one for one in seen.nodes if one not in seen.nodes[was.id].sees]:
        return f"{was.id} does not see {', '.join(unseen)} run"
    began = seen.began.get(was.id, "")
    if not began or (not was.began and was.well):
        return "nobody can tell yet whether it is another process"
    if was.began and same(was.began, began):
        return f"it is still the process {was.began}"
    return next((why for why in _lacking(seen, was.id, before)), "")


def left_to_rejoin(seen: Round, member: str, before: Topology) -> int | None:
    """Queues in which it is not online yet; None for one that does not answer."""
    return len(_lacking(seen, member, before)) if member in seen.nodes else None


def _lacking(seen: Round, member: str, before: Topology) -> list[str]:
    found = {group.id: _lacks(seen, group.id, member) for group in before.groups_of(member)}
    return [f"{group}: {why}" for group, why in found.items() if why]


def _lacks(seen: Round, group: str, member: str) -> str:
    if group not in seen.views:
        return "nobody reports it"
    if member not in seen.members_of[group]:
        return f"{member} is no member of it any more"
    return seen.objection(group, member)
