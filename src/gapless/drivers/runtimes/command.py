"""Anything that has commands to start and stop it, and one that says which copy is running.

In each command {host}, {name}, {service} and {address} stand for the instance's, as in balancers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from gapless.config.services import CommandRuntimeConfig
from gapless.drivers.fill import filled, own_name
from gapless.drivers.runtimes.base import Refusal, Replacement, RuntimeSnapshot
from gapless.drivers.transports.base import Transport
from gapless.model import (
    Command,
    Completed,
    Instance,
    InstanceState,
    Observation,
    Verdict,
    VerdictStatus,
)

_LINES = "50"
_BRIEF = 10.0


class CommandRuntime:
    """``status`` exits 0 while it runs and prints an identity that changes when it is replaced."""

    def __init__(
        self,
        config: CommandRuntimeConfig,
        service: str,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self.config = config
        self.service = service
        self._address = address

    @property
    def unit(self) -> str:
        """There is none."""
        return ""

    async def observe(self, transport: Transport) -> Observation:
        """Running with the printed identity, or stopped; unknown without an answer, and why."""
        done = await transport.run(self._command(self.config.status, transport.host))
        if done.timed_out or done.status == 127:
            return Observation(InstanceState.UNKNOWN, detail={"status": self._silence(done)})
        if done.status != 0:
            return Observation(InstanceState.STOPPED, detail={"status": done.evidence(1)})
        return Observation(InstanceState.RUNNING, identity=done.stdout.strip())

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """The status command works and says that it runs."""
        now = await self.observe(transport)
        said = now.detail.get("status", "")
        status, wanted = VerdictStatus.PASS, ""
        if now.state is InstanceState.UNKNOWN:
            status, wanted = VerdictStatus.INCONCLUSIVE, "a status command that answers"
        elif now.state is not InstanceState.RUNNING:
            start = self._command(self.config.start, transport.host)
            status, wanted = VerdictStatus.FAIL, f"exit 0; {start} starts it"
        answer = now.state.value + (f": {said}" if said else "")
        return (Verdict(status, "status", self.look(transport.host), answer, wanted),)

    async def snapshot(self, transport: Transport, folder: str) -> RuntimeSnapshot:
        """Nothing but the release is needed to go back."""
        return RuntimeSnapshot(facts={"service": self.service, "host": transport.host})

    async def fingerprint(self, transport: Transport) -> str:
        """The commands themselves."""
        return hashlib.sha256(repr(self.config).encode()).hexdigest()[:16]

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """Reload where there is a command for it, else stop and start."""
        host = transport.host
        stop = self._command(self.config.stop, host)
        restart = (stop, self._command(self.config.start, host))
        limit = 3 * self.config.timeout
        if reload_allowed and self.config.reload is not None:
            reload = (self._command(self.config.reload, host),)
            return Replacement("reload", reload, limit, restart, stop.argv)
        return Replacement("restart", restart, limit, stop=stop.argv)

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """Stop and start: the release link was put back in the same action."""
        return await self.replacement(transport, {}, False)

    def home(self, host: str, now: Observation) -> str:
        """A deploy brings no file but the release."""
        return ""

    def refusal(self, last: Completed) -> Refusal | None:
        """The commands speak for themselves."""
        return None

    def replaced(self, before: Observation, now: Observation, manner: str) -> bool:
        """A restart shows in the identity; a reload is taken when it still runs."""
        if manner == "reload":
            return now.state is InstanceState.RUNNING
        return now.state is InstanceState.RUNNING and now.identity != before.identity

    def soak_identity(self, ready: Observation) -> Mapping[str, str]:
        """There are no properties to compare; the checks watch alone."""
        return {}

    async def log(self, transport: Transport, since: float) -> str:
        """The end of its file, where one is named; else its own commands know where it is."""
        if not self.config.log:
            return ""
        tail = self._command(("tail", "-n", _LINES, "--", self.config.log), transport.host)
        done = await transport.run(replace(tail, timeout=_BRIEF))
        return done.stdout

    def manual(self, snapshot: RuntimeSnapshot) -> tuple[str, ...]:
        """The configured commands."""
        chosen = (self.config.stop, self.config.start, self.config.status)
        host = str(snapshot.facts.get("host", ""))
        return tuple(str(self._command(argv, host)) for argv in chosen)

    def look(self, host: str) -> str:
        """The status command."""
        return str(self._command(self.config.status, host))

    def _command(self, argv: tuple[str, ...], host: str) -> Command:
        words = filled(argv, Instance(self.service, host), self._address)
        return Command(words, timeout=self.config.timeout)

    def _silence(self, done: Completed) -> str:
        if done.timed_out:
            return f"no answer in {self.config.timeout:g} s"
        return done.evidence(1) or f"{done.argv[0]} could not be run"
