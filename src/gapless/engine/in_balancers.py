"""What balancers say of the instances that are to be steered: asked for the plan, and once more
before the first change. Nothing is changed by asking.

How an instance does in its balancer is not judged here: what is sick may be taken out of traffic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gapless.drivers.balancers.base import Balancer, Member, MemberState
from gapless.errors import GaplessError, PreflightFailed
from gapless.model import Instance

AT_ONCE = 10
"""Instances asked about at the same time, of one balancer."""
_TAKEN_OUT = (MemberState.DRAINED, MemberState.DRAINING)


@dataclass(frozen=True, slots=True)
class InBalancer:
    """One instance in one balancer: how its nodes see it, or why they could not be asked.

    ``joins``: where it has no member, one may be made."""

    balancer: str
    instance: Instance
    members: tuple[Member, ...] = ()
    silence: GaplessError | None = None
    joins: bool = False

    @property
    def out(self) -> bool:
        """Whether every node has it out of traffic."""
        return taken_out(self.members)

    @property
    def objection(self) -> PreflightFailed | None:
        """Why it cannot be steered; None when it can."""
        if self.silence is not None:
            return PreflightFailed(
                f"balancer {self.balancer} cannot be asked for {self.instance}:"
                f" {self.silence.what}",
                where=self.silence.where or self.balancer,
                evidence=self.silence.evidence,
                next=self._doctor,
            )
        missing = [member for member in self.members if member.state is MemberState.MISSING]
        if not missing or self.joins:
            return None
        return PreflightFailed(
            f"balancer {self.balancer} has no member for {self.instance}",
            where=missing[0].node or self.balancer,
            evidence="\n".join(
                f"{member.node or self.balancer}: {self.instance}: {member.raw or 'missing'}"
                for member in missing
            ),
            next=self._doctor,
        )

    @property
    def _doctor(self) -> str:
        return f"gapless doctor --hosts {self.instance.host}"


def taken_out(members: Collection[Member]) -> bool:
    """Whether every node has it out of traffic."""
    return bool(members) and all(member.state in _TAKEN_OUT for member in members)


async def ask(
    balancer: Balancer, instances: Sequence[Instance], *, at_once: int = AT_ONCE
) -> list[InBalancer]:
    """How each of them stands. The first is asked for alone: a balancer that is gone is waited for
    once, and what it does not say of one it says of none."""
    asking = _Asking(balancer, asyncio.Semaphore(at_once))
    found: list[InBalancer] = []
    for some in (instances[:1], instances[1:]):
        found += await asyncio.gather(*(asking.of(instance) for instance in some))
    return found


class _Asking:
    """Asks one balancer until it is silent. One that is steered on each instance's own host may be
    silent there alone."""

    def __init__(self, balancer: Balancer, gate: asyncio.Semaphore) -> None:
        self._balancer = balancer
        self._gate = gate
        self._silent: InBalancer | None = None

    async def of(self, instance: Instance) -> InBalancer:
        async with self._gate:
            if self._silent is not None:
                return replace(self._silent, instance=instance)
            found = await self._asked(instance)
            if found.silence is not None and self._balancer.hosts:
                self._silent = found
            return found

    async def _asked(self, instance: Instance) -> InBalancer:
        try:
            members = await self._balancer.members(instance)
        except GaplessError as error:
            return InBalancer(self._balancer.name, instance, silence=error)
        joins = self._balancer.capabilities().dynamic_members
        return InBalancer(self._balancer.name, instance, tuple(members), joins=joins)
