"""What an entry in etcd and the word of a load balancer come to, read together. No side effects."""

from __future__ import annotations

from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.conftool_pool import Entry
from gapless.drivers.balancers.etcd_verify import Standing
from gapless.drivers.balancers.sight import Sight
from gapless.errors import TrafficError


def out(entry: Entry, stands: Standing | None) -> bool:
    """Whether it is out of traffic: told to be, and no load balancer says otherwise."""
    return entry.out and not (stands is not None and stands.traffic)


def sight(node: str, entry: Entry, stands: Standing | None, *, settled: bool, others: int) -> Sight:
    """The sight of an instance. ``settled``: it has been out for long enough; who counts what is
    open needs no such time. ``others``: how many more of the pool are wanted in traffic."""
    gone, count = out(entry, stands), stands.count if stands else None
    idle = gone and (settled if count is None else count == 0)
    up = not entry.out and (stands.state is MemberState.UP if stands else entry.pooled)
    member = Member(
        node=node,
        name=entry.name,
        state=_state(entry, stands, idle=idle, up=up),
        connections=count,
        weight=entry.weight,
        checked=stands is not None and up,
        raw=f"{entry}, {stands.raw}" if stands else f"{entry} (wanted, not verified)",
    )
    return Sight(
        member,
        out=gone,
        idle=idle,
        shut=entry.out,
        accepted=up,
        counted=count is not None or not gone,
        others=others,
    )


def absent(node: str, name: str, raw: str, trouble: TrafficError) -> Sight:
    """The sight of an instance that is not there, and why that is so."""
    member = Member(node, name, MemberState.MISSING, checked=False, raw=raw)
    return Sight(member, out=False, idle=True, shut=False, accepted=False, trouble=trouble)


def _state(entry: Entry, stands: Standing | None, *, idle: bool, up: bool) -> MemberState:
    if out(entry, stands):
        return MemberState.DRAINED if idle else MemberState.DRAINING
    # Told to be out, it may be sent requests still: then it is up, whatever was told.
    served = stands is not None and stands.state is MemberState.UP
    return MemberState.UP if up or served else MemberState.DOWN
