"""The times and the hosts that a rate is asked about, by what the journal knows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from gapless.engine.context import InstanceContext
from gapless.engine.held import Why, held_before
from gapless.plans import StepKind

CONTROLS = 8
"""Untouched hosts that are asked at most: each look asks them all."""


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds since the epoch: the baseline ends at ``touched``, counting begins at ``since``.
    ``baseline`` False: a person let the rollout go on although everything errs more than before,
    so before is no measure any more. ``begins``: what it begins with, in words."""

    touched: float
    since: float
    baseline: bool = True
    begins: str = "since the switch"


def window_of(ctx: InstanceContext) -> Window:
    """Of an instance that was switched: the same for every controller that works on it. Where a
    new copy had its shares of the traffic, it was judged by itself until it got all of it."""
    now = ctx.rollout.clock.now()
    switched = _begun(ctx, StepKind.SWITCH, now)
    touched = min(switched, _begun(ctx, StepKind.DRAIN, switched))
    if Why.ENVIRONMENT in held_before(ctx):
        return Window(touched, now, baseline=False, begins="since the rollout went on")
    shifted = ctx.rollout.steps.get(ctx.key(StepKind.SHIFT))
    if shifted is not None and shifted.good:
        return Window(touched, shifted.ended, begins="since it has all of the traffic")
    return Window(touched, switched)


def window_beside(ctx: InstanceContext) -> Window:
    """Of a new copy beside the old one: from its first share on."""
    window = window_of(ctx)
    shift = _begun(ctx, StepKind.SHIFT, window.since)
    begins = "since its first share" if window.baseline else window.begins
    return Window(window.touched, max(window.since, shift), window.baseline, begins)


def _begun(ctx: InstanceContext, kind: StepKind, otherwise: float) -> float:
    record = ctx.rollout.steps.get(ctx.key(kind))
    return record.begun if record is not None else otherwise


def untouched(ctx: InstanceContext) -> tuple[str, ...]:
    """Hosts of the service to which nothing was done yet: first those that nothing will be done
    to, then those whose turn comes last."""
    turn = {host: number for number, host in enumerate(ctx.service.hosts)}
    hosts = ctx.rollout.assembly.hosts_of(ctx.service.name)
    last_first = sorted(hosts, key=lambda host: turn.get(host, len(turn)), reverse=True)
    return tuple(islice((host for host in last_first if _is_control(ctx, host)), CONTROLS))


def _is_control(ctx: InstanceContext, host: str) -> bool:
    """Whether it is fit, and nothing was done to it."""
    rollout, service = ctx.rollout, ctx.service
    out = host in rollout.floors[service.name].broken or (service.name, host) in rollout.lost
    if host == ctx.host or out or host in service.absent:
        return False
    return not InstanceContext(rollout, service, host).begun
