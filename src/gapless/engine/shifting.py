"""Traffic between the two copies of an instance, moved by the weights of their members.

1. ``give`` sets the weights of one share in every balancer. A new copy that is out of traffic gets
   its weight before it is admitted: never more than its share.
2. ``still_given`` reads them back: a balancer that was reloaded, or that somebody else steers, is
   told again.
3. ``hand_back`` gives the old copy all of its part first, and takes the new one out. Only then are
   all weights again what they were: before, each of them would be of more than it is.
4. ``restore`` makes all of them what they were, with both copies in traffic.
5. Where members come and go the new copy has none before its first share. On the way back there is
   nothing to give one that was never added, or that is gone.

Everything is harmless to repeat, and all of it follows from what was read before the first change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.config.quantities import format_share
from gapless.drivers.balancers.base import AddsMembers, Balancer
from gapless.engine.context import InstanceContext
from gapless.engine.copies import new_of, old_of
from gapless.engine.pools import Weights, missing, weighing
from gapless.engine.shares import Split, splits
from gapless.engine.steps.drain import guards
from gapless.errors import TrafficError
from gapless.model import Instance

Before = Mapping[str, Weights]
"""By balancer."""
Given = Mapping[str, Split]
"""By balancer, at one share."""


def before_of(facts: Mapping[str, Any]) -> dict[str, Weights]:
    """What was read before the first change, from the journal."""
    return {name: Weights.from_json(one) for name, one in facts.get("weights", {}).items()}


def given_at(ctx: InstanceContext, before: Before) -> tuple[Given, ...]:
    """The weights of every share, in their order. Raises TrafficError where there are none."""
    shares = [one.share for one in ctx.config.rollout.shift]
    found: dict[str, tuple[Split, ...]] = {}
    for name, weights in before.items():
        found[name] = splits(shares, weights.pool)
        if not found[name]:
            raise _too_coarse(ctx, name, weights, min(shares))
    numbers = range(len(shares)) if before else ()
    return tuple({name: each[number] for name, each in found.items()} for number in numbers)


async def give(ctx: InstanceContext, before: Before, given: Given) -> None:
    """Rule 1. Raises TrafficError."""
    old, new = old_of(ctx).instance, new_of(ctx).instance
    for name, split in given.items():
        balancer = _balancer(ctx, name)
        fences = guards(ctx, balancer)
        await _join(ctx, before[name], balancer)
        others = _others(ctx, before[name], split.times) if split.times > 1 else {}
        wanted = {new: split.new, **others, old: split.old}
        await weighing(ctx, name).weights(wanted, fences)
        await balancer.admit(new, fences)


async def still_given(ctx: InstanceContext, before: Before, given: Given) -> bool:
    """Rule 2: whether the weights of both copies are those of the share."""
    old, new = old_of(ctx).instance, new_of(ctx).instance
    for name, split in given.items():
        for instance, weight in ((new, split.new), (old, split.old)):
            members = await _balancer(ctx, name).members(instance)
            if any(member.weight != weight for member in members):
                return False
    return True


async def hand_back(ctx: InstanceContext, before: Before) -> None:
    """Rule 3. Raises TrafficError."""
    old, new = old_of(ctx).instance, new_of(ctx).instance
    shares = [one.share for one in ctx.config.rollout.shift]
    for name, weights in before.items():
        made = splits(shares, weights.pool)
        whole = weights.own * (made[0].times if made else 1)
        await weighing(ctx, name).weights({old: whole}, guards(ctx, _balancer(ctx, name)))
    for name in before:
        balancer = _balancer(ctx, name)
        await balancer.drain(new, guards(ctx, balancer))
    await _as_before(ctx, before)


async def restore(ctx: InstanceContext, before: Before) -> None:
    """Rule 4. Raises TrafficError."""
    for name, weights in before.items():
        await _join(ctx, weights, _balancer(ctx, name))
    await _as_before(ctx, before)


async def _join(ctx: InstanceContext, weights: Weights, balancer: Balancer) -> None:
    if weights.new is None and isinstance(balancer, AddsMembers):
        await balancer.add(new_of(ctx).instance, guards(ctx, balancer))


async def _as_before(ctx: InstanceContext, before: Before) -> None:
    old, new = old_of(ctx).instance, new_of(ctx).instance
    for name, weights in before.items():
        balancer = _balancer(ctx, name)
        last = weights.own if weights.new is None else weights.new
        there = not missing(await balancer.members(new))  # rule 5
        wanted = {
            **({new: last} if there else {}),
            **_others(ctx, weights, 1),
            old: weights.own,
        }
        await weighing(ctx, name).weights(wanted, guards(ctx, balancer))


def _others(ctx: InstanceContext, weights: Weights, times: int) -> dict[Instance, int]:
    """Those that are 0 stay so: they are out of traffic."""
    service = ctx.service.name
    return {
        Instance(service, one.host, one.slot, one.address): one.weight * times
        for one in weights.others
        if one.weight
    }


def _balancer(ctx: InstanceContext, name: str) -> Balancer:
    every = ctx.rollout.assembly.balancers(ctx.service.name)
    return next(balancer for balancer in every if balancer.name == name)


def _too_coarse(ctx: InstanceContext, name: str, weights: Weights, share: float) -> TrafficError:
    pool = weights.pool
    return TrafficError(
        f"{name} cannot give a new copy {format_share(share)} of the traffic: its weights are too"
        " coarse",
        where=str(ctx.instance),
        evidence=f"the old copy has weight {pool.own}, all others that are up {pool.others}"
        f" together, the heaviest {pool.heaviest}, and {pool.most} is the largest there is",
        next="give the members weights that are nearer to each other, or a larger first share",
    )
