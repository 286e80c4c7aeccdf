"""What a person may say to go on without hosts that do not answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gapless.engine.context import RolloutContext
from gapless.errors import GaplessError, LostContact, Unreachable
from gapless.plans import ServicePlan, Verb

_NAMED = 8
"""Hosts that an expression still names."""


def going_without(
    ctx: RolloutContext, unfit_of: Sequence[tuple[ServicePlan, Mapping[str, GaplessError]]]
) -> str:
    """Options of the command that was given; "" where something else is in the way as well, where
    nobody would be left, or where the command has no such options. To leave hosts out by their
    names is told only where all were meant: else that would add others."""
    errors = [error for _, unfit in unfit_of for error in unfit.values()]
    gone = dict.fromkeys(host for _, unfit in unfit_of for host in unfit)
    away = all(isinstance(error, (LostContact, Unreachable)) for error in errors)
    left = any(host not in gone for service in ctx.plan.services for host in service.hosts)
    if not (away and left and ctx.plan.verb in (Verb.RESTART, Verb.DEPLOY)):
        return ""
    later = f" ({'it is' if len(gone) == 1 else 'they are'} caught up later)"
    told = f"or the same command with --max-failed {len(errors)}"
    told += later if ctx.plan.verb is Verb.DEPLOY else ""
    if len(gone) <= _NAMED and all(_all_of(ctx, service) for service in ctx.plan.services):
        told += f", or with --hosts '{','.join(f'!{host}' for host in gone)}'"
    return told


def _all_of(ctx: RolloutContext, service: ServicePlan) -> bool:
    return {*service.hosts, *service.absent}.issuperset(ctx.assembly.hosts_of(service.name))
