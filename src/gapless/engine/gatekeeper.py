"""Between two batches: does the rollout go on? Pause, resume, promote, abort, Ctrl-C, deadline."""

from __future__ import annotations

from gapless.engine.aborting import who_and_why
from gapless.engine.context import RolloutContext
from gapless.engine.deadline import Deadline

LISTEN_EVERY = 0.5
"""Seconds between two looks for requests while paused."""


class Gatekeeper:
    """Asked before every batch; remembers what it has read."""

    def __init__(self, ctx: RolloutContext) -> None:
        self._ctx = ctx
        self._read = _heard(ctx)
        self._paused = False
        self.aborted = ""
        self.deadline = Deadline(ctx.clock, ctx.plan.deadline)

    @property
    def stopped(self) -> bool:
        """Whether somebody wants out."""
        return bool(self.aborted) or self._ctx.interrupts.stop

    async def open(self) -> bool:
        """Whether the next batch may begin; waits while paused."""
        while True:
            self.listen()
            if self.stopped or self._ctx.held:
                return False
            if self._paused:
                await self._ctx.clock.sleep(LISTEN_EVERY)
                continue
            if self.deadline.over:
                self.aborted = f"the rollout was not done within {self._ctx.plan.deadline:g} s"
                return False
            return True

    async def wait(self, seconds: float) -> None:
        """The pause between batches; ended early by somebody who wants out."""
        end = self._ctx.clock.monotonic() + seconds
        while not self.stopped:
            left = end - self._ctx.clock.monotonic()
            if left <= 0:
                return
            await self._ctx.clock.sleep(min(left, LISTEN_EVERY))
            self.listen()

    def listen(self) -> None:
        """Hear what was asked since the last time."""
        ctx = self._ctx
        for request in ctx.journal.requests(ctx.record.id, self._read):
            self._read = request.seq
            if request.signal == "pause" and not self._paused:
                self._paused = True
                self.deadline.stop()
                ctx.emit("rollout.paused", reason=f"asked for by {request.actor}")
            elif request.signal in ("resume", "promote") and self._paused:
                self._paused = False
                self.deadline.go_on()
                ctx.emit("rollout.resumed", reason=f"asked for by {request.actor}")
            elif request.signal == "abort":
                self.aborted = who_and_why(ctx.journal, request)
                ctx.interrupts.undo_current()


def _heard(ctx: RolloutContext) -> int:
    """Requests up to the last event of an earlier controller were for that one; an abort stays
    asked for until the rollout is over. Where there was none before, all are for this one: also
    those from while it looked at the hosts."""
    if not ctx.again:
        return 0
    requests = ctx.journal.requests(ctx.record.id)
    older = [r.seq for r in requests if r.signal != "abort"]
    aborts = [r.seq for r in requests if r.signal == "abort"]
    read = max(older, default=0)
    return min(read, aborts[0] - 1) if aborts else read
