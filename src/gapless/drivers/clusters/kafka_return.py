"""What a Kafka broker lacks to be back after a restart. No side effects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gapless.clusters.member import Member
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.kafka_round import QUORUM, Round
from gapless.drivers.clusters.kafka_words import some


def missing(seen: Round, was: Member, before: Topology) -> str:
    """The first thing that is not as it has to be, in words; "" for a broker that is back."""
    there = next((view for host, view in seen.everyone if host == was.host), None)
    if there is not None and there.id != was.id:
        return f"{was.host} runs the broker {there.id} now, not {was.id}"
    if trouble := seen.trouble(was.id):
        return f"the broker {was.id} {trouble}"
    if same := _same_process(seen, was):
        return same
    if len(seen.names) > 1 and len(seen.views) < 2:
        return "no other broker answers: what it says of itself alone is not believed"
    held = [group.id for group in before.groups_of(was.id)]
    if QUORUM in held and (late := _no_voter(seen, was.id)):
        return late
    if gone := [one for one in held if one != QUORUM and was.id not in _replicas(seen, one)]:
        return f"the broker {was.id} is no replica of {some(gone)} any more"
    if behind := list(_behind(seen, was.id, held)):
        return f"the broker {was.id} is not in the isr of {some(behind)}"
    return ""


def left_to_catch_up(seen: Round, member: str, before: Topology) -> int | None:
    """Bytes by which its replicas are smaller than those of who leads them, and at least one for
    each that is not in sync; None for one that does not answer."""
    own = seen.views.get(member)
    if own is None:
        return None
    held = [group.id for group in before.groups_of(member)]
    return sum(
        max(1, _size(seen, seen.leader(one), one) - own.sizes.get(one, 0))
        for one in _behind(seen, member, held)
    )


def _same_process(seen: Round, was: Member) -> str:
    sight = seen.sight_of(was.id)
    now = sight.began if sight else ""
    if not was.began or now not in ("", was.began):
        return ""
    if now:
        return f"it is still the process of before: {now}"
    return "nothing shows which process it is, and it was known before"


def _no_voter(seen: Round, member: str) -> str:
    if seen.quorum is None:
        return "no broker can ask the controller"
    if member not in seen.quorum.ends:
        return f"{member} does not vote in the metadata quorum any more"
    lags = seen.lags(member)
    return f"the voter {member} {lags}" if lags else ""


def _behind(seen: Round, member: str, held: Iterable[str]) -> Iterator[str]:
    return (one for one in held if one in seen.partitions and member not in seen.in_sync(one))


def _replicas(seen: Round, partition: str) -> tuple[str, ...]:
    return seen.replicas(partition) if partition in seen.partitions else ()


def _size(seen: Round, broker: str, partition: str) -> int:
    view = seen.views.get(broker)
    return view.sizes.get(partition, 0) if view else 0
