"""Critical actions on a fake host: begun once, run apart from the session, found by their key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gapless.model import Completed, CriticalAction, Settled, Settlement

if TYPE_CHECKING:
    from gapless.testing.fake_host import FakeHost


@dataclass
class _Run:
    action: CriticalAction
    status: Settlement = Settlement.RUNNING
    completed: list[Completed] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    @property
    def settled(self) -> Settled:
        return Settled(self.status, tuple(self.completed))


class FakeActions:
    """The host's journal of critical actions; it survives a reboot."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host
        self._runs: dict[str, _Run] = {}

    @property
    def keys(self) -> tuple[str, ...]:
        """Every action ever begun here, in order."""
        return tuple(self._runs)

    async def begin(self, action: CriticalAction, broken: int | None = None) -> None:
        """Compare the fence and begin, unless the key is known already."""
        self._host.claims.admit(action.fence)
        if action.key in self._runs:
            return
        for other in list(self._runs.values()):
            if other.task is not None and _older(other.action, action):
                await asyncio.wait({other.task})
        self._host.claims.admit(action.fence)
        if action.key not in self._runs:
            run = self._runs[action.key] = _Run(action)
            run.task = self._host.spawn(self._perform(run, broken))

    async def wait(self, key: str) -> Settled:
        """Its outcome, waited for while it runs."""
        run = self._runs.get(key)
        if run is None:
            return Settled(Settlement.NEVER)
        if run.status is Settlement.RUNNING and run.task is not None:
            await asyncio.wait({run.task})
        return run.settled

    def power_off(self) -> None:
        """What was running is lost, and only this is known of it."""
        for run in self._runs.values():
            if run.status is Settlement.RUNNING:
                run.status = Settlement.LOST
                run.completed.clear()

    async def _perform(self, run: _Run, broken: int | None) -> None:
        try:
            async with asyncio.timeout(run.action.timeout):
                for command in run.action.commands:
                    done = await self._host.execute(command, broken)
                    broken = None
                    run.completed.append(done)
                    if command.check and not done.ok:
                        break
        except TimeoutError:
            command = run.action.commands[len(run.completed)]
            run.completed.append(
                Completed(command.argv, -15, "", "", run.action.timeout, timed_out=True)
            )
        run.status = Settlement.DONE


def _older(other: CriticalAction, new: CriticalAction) -> bool:
    return (
        other.fence is not None
        and new.fence is not None
        and other.fence.service == new.fence.service
        and other.fence.number < new.fence.number
    )
