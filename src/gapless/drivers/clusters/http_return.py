"""What a member lacks to be back after a restart, where HTTP tells it. No side effects."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.clusters.topology import Topology


def missing(now: Topology, before: Topology, member: str) -> str:
    """The first thing that is not as it has to be, in words; "" for a member that is back."""
    return next(_not_as_before(now, before, member), "")


def left_to_catch_up(now: Topology, before: Topology, member: str) -> int | None:
    """What it still has to catch up, over all of its groups; None where positions are not told."""
    names = [group.id for group in before.groups_of(member)]
    groups = [group for name in names if (group := now.groups.get(name)) is not None]
    if not any(group.position for group in groups):
        return None
    places = (group.position for group in groups if group.position)
    return sum(max(one.values()) - one.get(member, 0) for one in places)


def _not_as_before(now: Topology, before: Topology, member: str) -> Iterator[str]:
    found, was = now.members.get(member), before.members.get(member)
    if found is None or was is None:
        yield f"{member} is no member"
        return
    if not found.well:
        yield f"{member} {found.trouble}"
    if found.host != was.host:
        yield f"{member} runs on {found.host or 'no host of ours'} now, and ran on {was.host}"
    if found.began and found.began == was.began:
        yield "it is the process from before"
    for was_in in before.groups_of(member):
        group = now.groups.get(was_in.id)
        if group is None or member not in group.in_sync:
            yield f"{was_in.id}: {member} is not in sync"
