"""Opening, working on, resuming and aborting rollouts: what a controller process does.

``work`` is the handler a dispatcher calls: it may be called again at any time, from any process;
the journal and the hosts' fences decide what is still to be done.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from gapless.clock import Clock
from gapless.engine.assembly import Assembly
from gapless.engine.context import Observer, RolloutContext
from gapless.engine.interpreter import interpret
from gapless.engine.interrupts import Interrupts
from gapless.engine.journal import Journal, RolloutRecord, RolloutState
from gapless.engine.outcome import Ending
from gapless.engine.rollout_id import new_rollout_id
from gapless.errors import UsageError
from gapless.events.event import Event
from gapless.plans import Plan


def whoami() -> str:
    """The person for the audit trail: behind sudo, the one who called it."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


@dataclass
class Worker:
    """One controller process. ``assemble`` makes the drivers of a plan."""

    journal: Journal
    clock: Clock
    assemble: Callable[[Plan], Assembly]
    observer: Observer = field(default=lambda event: None)
    interrupts: Interrupts = field(default_factory=Interrupts)
    controller: str = field(default_factory=socket.gethostname)
    salt: Callable[[], str] = field(default=lambda: secrets.token_hex(2))
    opened: set[str] = field(default_factory=set)
    """Rollouts that no other controller has seen yet."""

    def open(self, plan: Plan, *, actor: str, reason: str = "") -> str:
        """Record a rollout and take its locks; returns its id. Raises LockHeld."""
        now = self.clock.now()
        record = RolloutRecord(
            id=new_rollout_id(now, self.salt()),
            project=plan.project,
            verb=plan.verb.value,
            services=tuple(service.name for service in plan.services),
            digest=plan.digest,
            actor=actor,
            controller=self.controller,
            pid=os.getpid(),
            started=now,
            reason=reason,
            environment=plan.environment,
        )
        data = {
            "digest": plan.digest,
            "verb": plan.verb.value,
            "services": list(record.services),
            "expected": plan.expected,
            "project": plan.project,
            **({"environment": plan.environment} if plan.environment else {}),
        }
        event = Event(
            "rollout.planned", rollout=record.id, actor=actor, reason=reason, ts=now, data=data
        )
        self.observer(self.journal.open_rollout(record, plan, event))
        self.opened.add(record.id)
        return record.id

    async def work(self, rollout: str) -> Ending:
        """Work on a rollout until it ends, pauses or is interrupted."""
        with self.journal.alive(rollout):
            record, plan = self.journal.load(rollout)
            if record.state is RolloutState.ENDED:
                raise UsageError(
                    f"rollout {rollout} is over: {record.outcome}",
                    next=f"gapless history {rollout}",
                )
            steps = dict(self.journal.steps(rollout))
            resumed = _was_begun(self.journal, rollout)
            if resumed:
                data = {"to": "abort"} if _aborted(self.journal, rollout) else {}
                event = Event(
                    "rollout.resumed", rollout=rollout, actor=record.actor, ts=self.clock.now(),
                    data=data,
                )  # fmt: skip
                self.observer(self.journal.adopt(rollout, self.controller, os.getpid(), event))
            assembly = self.assemble(plan)
            ctx = RolloutContext(
                record, plan, self.journal, self.clock, assembly, self.observer, self.interrupts,
                claimant=rollout, steps=steps, again=rollout not in self.opened,
            )  # fmt: skip
            self.opened.discard(rollout)
            try:
                return await interpret(ctx, resumed=resumed)
            finally:
                await assembly.close()

    async def abort(self, rollout: str, *, actor: str) -> Ending | None:
        """Take a rollout back: a living controller is asked to, else it is done here."""
        self.journal.request(rollout, "abort", actor, self.clock.now())
        if self.journal.is_alive(rollout):
            return None
        return await self.work(rollout)


def _aborted(journal: Journal, rollout: str) -> bool:
    """Whether somebody asked for all of it to be taken back."""
    return any(request.signal == "abort" for request in journal.requests(rollout))


def _was_begun(journal: Journal, rollout: str) -> bool:
    """Whether an earlier process got as far as the first step or the end of the examination."""
    begun = ("rollout.started", "rollout.resumed", "step.started")
    return any(event.type in begun for event in journal.events(rollout))
