"""Instances of a service that come to a step together, or not at all.

1. Each says when it has come to the step, and goes on when all have. What an earlier controller had
   brought to it has come.
2. One that comes to an end before it lets none of those go on that wait: they are taken back.
3. Where a person is asked about one, the others wait with it; whoever goes on meets them anew.
4. Who was never there (given up before anything was done to it) is not waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from gapless.engine.context import RolloutContext
from gapless.engine.interrupts import Interrupts
from gapless.errors import UndoRequested
from gapless.plans import ServicePlan, StepKind, Verb


class OthersHeld(Exception):
    """Nobody goes on before a person has judged one of them."""


def waits_with_others() -> dict[str, str]:
    """What the outcome of the others says meanwhile."""
    return {"what": "new and healthy, it waits for the judgement of another", "evidence": ""}


class Together:
    """The meeting of ``hosts`` before one step; ``come`` are those that had come before."""

    def __init__(self, step: StepKind, hosts: Collection[str], come: Collection[str]) -> None:
        self._step = step
        self._missing = set(hosts).difference(come)
        self._failed: list[str] = []
        self._held = False
        self._settled = asyncio.Event()
        self._look()

    async def arrive(self, host: str, interrupts: Interrupts) -> None:
        """Wait for the others. Raises UndoRequested when one of them will never come or a person
        wants out, OthersHeld when one waits for a person."""
        self._missing.discard(host)
        self._look()
        await _either(self._settled, interrupts.undo)
        if not self._settled.is_set():
            raise UndoRequested("the undo of the current batch was asked for", where=host)
        if self._failed:
            others = ", ".join(sorted(self._failed))
            raise UndoRequested(
                f"{others} failed before {self._step.value}: all instances go back", where=host
            )
        if self._held:
            raise OthersHeld

    def fail(self, host: str) -> None:
        """It has come to an end; before the step that lets nobody go on."""
        if host in self._missing:
            self._failed.append(host)
        self._look()

    def hold(self, host: str) -> None:
        """A person is asked about it: the others wait, too."""
        self._held = self._held or host in self._missing
        self._look()

    def _look(self) -> None:
        if self._failed or self._held or not self._missing:
            self._settled.set()


async def _either(*events: asyncio.Event) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def meetings(ctx: RolloutContext, service: ServicePlan) -> dict[StepKind, Together]:
    """Of a service whose instances go together, one for each step; none of any other. The way back
    of one does not wait for that of another."""
    if ctx.plan.verb is Verb.ROLLBACK or not service.together:
        return {}
    if service.name in ctx.meetings:
        return ctx.meetings[service.name]
    kinds = service.together.intersection(service.steps)
    made = {kind: _meeting(ctx, service, kind) for kind in kinds}
    return ctx.meetings.setdefault(service.name, made)


def _meeting(ctx: RolloutContext, service: ServicePlan, kind: StepKind) -> Together:
    there = [host for host in service.hosts if (service.name, host) not in ctx.lost]
    come = [host for host in there if service.step_key(host, kind) in ctx.steps]
    meeting = Together(kind, there, come)
    for host in there:
        ended = ctx.steps.get(f"{service.key_prefix}/{host}/{service.name}/outcome")
        if ended is not None and not ended.good:
            meeting.fail(host)
    return meeting
