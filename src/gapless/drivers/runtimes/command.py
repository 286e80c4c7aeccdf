"""Anything that has commands to start and stop it, and one that says which copy is running."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from gapless.config.services import CommandRuntimeConfig
from gapless.drivers.runtimes.base import Replacement, RuntimeSnapshot
from gapless.drivers.transports.base import Transport
from gapless.model import Command, InstanceState, Observation, Verdict, VerdictStatus


class CommandRuntime:
    """``status`` exits 0 while it runs and prints an identity that changes when it is replaced."""

    def __init__(self, config: CommandRuntimeConfig, service: str) -> None:
        self.config = config
        self.service = service

    @property
    def unit(self) -> str:
        """There is none."""
        return ""

    async def observe(self, transport: Transport) -> Observation:
        """Running with the printed identity, or stopped."""
        done = await transport.run(self._command(self.config.status))
        if done.timed_out or done.status == 127:
            return Observation(InstanceState.UNKNOWN, detail={"status": done.evidence(1)})
        if done.status != 0:
            return Observation(InstanceState.STOPPED, detail={"status": done.evidence(1)})
        return Observation(InstanceState.RUNNING, identity=done.stdout.strip())

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """The status command works and says that it runs."""
        now = await self.observe(transport)
        fine = now.state is InstanceState.RUNNING
        answer = now.state.value + (f": {now.detail['status']}" if now.detail.get("status") else "")
        return (
            Verdict(
                VerdictStatus.PASS if fine else VerdictStatus.FAIL,
                "status",
                str(self._command(self.config.status)),
                answer,
                "exit 0",
            ),
        )

    async def snapshot(self, transport: Transport, folder: str) -> RuntimeSnapshot:
        """Nothing but the release is needed to go back."""
        return RuntimeSnapshot(facts={"service": self.service})

    async def fingerprint(self, transport: Transport) -> str:
        """The commands themselves."""
        return hashlib.sha256(repr(self.config).encode()).hexdigest()[:16]

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """Reload where there is a command for it, else stop and start."""
        restart = (self._command(self.config.stop), self._command(self.config.start))
        limit = 3 * self.config.timeout
        if reload_allowed and self.config.reload is not None:
            return Replacement("reload", (self._command(self.config.reload),), limit, restart)
        return Replacement("restart", restart, limit)

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """Stop and start: the release link was put back in the same action."""
        return await self.replacement(transport, {}, False)

    def replaced(self, before: Observation, now: Observation, manner: str) -> bool:
        """A restart shows in the identity; a reload is taken when it still runs."""
        if manner == "reload":
            return now.state is InstanceState.RUNNING
        return now.state is InstanceState.RUNNING and now.identity != before.identity

    def soak_identity(self, ready: Observation) -> Mapping[str, str]:
        """There are no properties to compare; the checks watch alone."""
        return {}

    def manual(self, snapshot: RuntimeSnapshot) -> tuple[str, ...]:
        """The configured commands."""
        chosen = (self.config.stop, self.config.start, self.config.status)
        return tuple(str(self._command(argv)) for argv in chosen)

    def _command(self, argv: tuple[str, ...]) -> Command:
        return Command(argv, timeout=self.config.timeout)
