"""What balancers give the members of a service, read before traffic is moved in shares.

1. A balancer in which the old copy is out of traffic (by hand, or with weight 0) has nothing to
   move, and is left alone. So is everything where there is no old copy.
2. Of the others every member of the service is read: both copies of the instance, and those of all
   other instances. Only what is up counts for what the service gets.
3. Where the old copy has an address of its own (a container), so have the others, and members are
   named by it: their hosts are asked where their copies are. One that cannot be asked ends it: its
   part of the traffic would be counted as nobody's, and a share would be of too little.
4. Whoever does not tell a weight, or whose nodes tell different ones, is refused: it could not be
   given back.
5. It is kept with the intent of the step: whoever goes on after a crash means the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gapless.drivers.balancers.base import Balancer, Member, MemberState, WeighsMembers
from gapless.drivers.runtimes.paired import copies_of, located
from gapless.engine import in_balancers
from gapless.engine.context import InstanceContext
from gapless.engine.copies import new_of, old_of
from gapless.engine.shares import Pool
from gapless.errors import GaplessError, TrafficError
from gapless.model import Instance
from gapless.places import machine_of


@dataclass(frozen=True, slots=True)
class Weighed:
    """One member of another instance, and the weight it had; ``up``: it got its part of the
    traffic."""

    host: str
    slot: str
    weight: int
    up: bool
    address: str = ""


@dataclass(frozen=True, slots=True)
class Weights:
    """One balancer before anything was changed. ``new`` None: it had no member for the new
    copy yet."""

    own: int
    new: int | None
    others: tuple[Weighed, ...]
    most: int

    @property
    def pool(self) -> Pool:
        """For the arithmetic of shares."""
        others = [one.weight for one in self.others]
        return Pool(
            own=self.own,
            others=sum(one.weight for one in self.others if one.up),
            heaviest=max((self.own, *others)),
            most=self.most,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for the journal."""
        others = [[o.host, o.slot, o.weight, o.up, o.address] for o in self.others]
        return {"own": self.own, "new": self.new, "others": others, "most": self.most}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Weights:
        """What a journal record holds."""
        others = tuple(Weighed(*one) for one in data["others"])
        return cls(data["own"], data["new"], others, data["most"])


def weighing(ctx: InstanceContext, name: str) -> WeighsMembers:
    """The balancer of this name. Raises TrafficError for one whose members have no weights that
    stay."""
    balancer = next(b for b in ctx.rollout.assembly.balancers(ctx.service.name) if b.name == name)
    can = balancer.capabilities()
    if not isinstance(balancer, WeighsMembers) or not can.weights or not can.keeps_weights:
        raise TrafficError(
            f"{name} has no weights to give shares with",
            where=str(ctx.instance),
            next="leave rollout.shift out: whole instances go first then",
        )
    return balancer


async def read(ctx: InstanceContext) -> dict[str, Weights]:
    """By balancer. Raises TrafficError (rules 3 and 4)."""
    found: dict[str, Weights] = {}
    if not old_of(ctx).slot:
        return found
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        weighing(ctx, balancer.name)
        weights = await _of(ctx, balancer)
        if weights is not None:
            found[balancer.name] = weights
    return found


async def _of(ctx: InstanceContext, balancer: Balancer) -> Weights | None:
    old, new = old_of(ctx).instance, new_of(ctx).instance
    seen = await balancer.members(old)
    own = _weight(balancer, old, seen)
    if in_balancers.taken_out(seen) or not own:
        return None
    others = await _others(ctx, balancer)
    beside = await balancer.members(new)
    return Weights(
        own,
        None if missing(beside) else _weight(balancer, new, beside),
        tuple(others),
        balancer.capabilities().weights,
    )


async def _others(ctx: InstanceContext, balancer: Balancer) -> list[Weighed]:
    every = ctx.rollout.assembly.hosts_of(ctx.service.name)
    copies = [copy for host in every if host != ctx.host for copy in await _copies(ctx, host)]
    found = []
    for one in await in_balancers.ask(balancer, copies):
        if one.silence is not None:
            raise one.silence
        if not missing(one.members):
            up = all(member.state is MemberState.UP for member in one.members)
            weight = _weight(balancer, one.instance, one.members)
            at = one.instance
            found.append(Weighed(at.host, at.slot, weight, up, at.address))
    return found


async def _copies(ctx: InstanceContext, host: str) -> Sequence[Instance]:
    """Of another instance, by what members are named after (rule 3)."""
    assembly, instance = ctx.rollout.assembly, Instance(ctx.service.name, host)
    runtime = assembly.runtime(ctx.service.name, host)
    copies = copies_of(runtime, instance)
    if not old_of(ctx).address:
        return copies
    try:
        return await located(runtime, assembly.transport(host), copies)
    except GaplessError as error:
        raise TrafficError(
            f"nobody knows what {instance} gets of the traffic: its host does not tell where its"
            " copies are",
            where=str(ctx.instance),
            evidence="\n".join(filter(None, (str(error), error.evidence))),
            next=f"gapless doctor --hosts {machine_of(host)}",
        ) from error


def missing(members: Sequence[Member]) -> bool:
    """Whether a node has no member for it."""
    return not members or any(member.state is MemberState.MISSING for member in members)


def _weight(balancer: Balancer, instance: Instance, members: Sequence[Member]) -> int:
    told = {member.weight for member in members}
    weight = told.pop() if len(told) == 1 else None
    if weight is None:
        seen = "\n".join(f"{m.node or balancer.name}: weight {m.weight}, {m.raw}" for m in members)
        raise TrafficError(
            f"nobody knows which weight {instance} has to have afterwards",
            where=balancer.name,
            evidence=seen,
            next="let every node report the same weight for it",
        )
    return weight
