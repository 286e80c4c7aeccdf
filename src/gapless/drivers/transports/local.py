"""The machine gapless itself runs on."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Sequence
from pathlib import Path

from gapless.clock import Clock, LoopClock
from gapless.config.hosts import HostConfig
from gapless.drivers.transports import rsync
from gapless.drivers.transports.faults import no_python, privilege_refused
from gapless.drivers.transports.levels import Levels
from gapless.drivers.transports.pipes import ProcessStream
from gapless.drivers.transports.session import HelperSession, Patience
from gapless.drivers.transports.verbs import HelperVerbs
from gapless.errors import PrivilegeRefused
from gapless.hostside.bundle import interpreter
from gapless.model import Command

PUSH = 3600.0


class LocalTransport(HelperVerbs):
    """Helpers as subprocesses: one as ourselves and, where needed, one through ``sudo -n``."""

    def __init__(
        self,
        name: str,
        config: HostConfig,
        *,
        patience: Patience | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._config = config
        self._patience = patience or Patience()
        self._clock = clock or LoopClock()
        self._levels = Levels(name, self._start)

    @property
    def host(self) -> str:
        """Name of the host in gapless.yaml."""
        return self._name

    async def connect(self) -> None:
        """Start the helper that most verbs need."""
        await self._levels.open()
        await self.helper(privileged=True)

    async def close(self) -> None:
        """End the helpers."""
        await self._levels.close()

    async def helper(self, *, privileged: bool) -> HelperSession:
        """The helper of a privilege level."""
        return await self._levels.get(sudo=privileged and self._needs_sudo())

    async def push(
        self, source: Path, target: str, *, exclude: Sequence[str] = (), link_from: str = ""
    ) -> int:
        """Make ``target`` equal to ``source``; bytes sent."""
        folder = await asyncio.to_thread(source.absolute)
        argv = rsync.arguments(str(folder), target, exclude, link_from)
        done = await self.run(Command(argv, timeout=PUSH))
        if not done.ok:
            raise rsync.failure(self._name, done.status, done.stderr)
        return rsync.bytes_sent(done.stdout)

    def _needs_sudo(self) -> bool:
        return self._config.sudo and os.geteuid() != 0

    async def _start(self, *, sudo: bool) -> HelperSession:
        argv = interpreter(self._config.python)
        try:
            stream = await ProcessStream.start(("sudo", "-n", "--", *argv) if sudo else argv)
        except FileNotFoundError as error:
            if sudo:
                raise privilege_refused(self._name, "sudo is not installed") from error
            raise no_python(self._name, str(error)) from error
        session = HelperSession(self._name, stream, patience=self._patience, clock=self._clock)
        try:
            await session.start(self._config.state_dir)
        except PrivilegeRefused as error:
            user = await asyncio.to_thread(getpass.getuser)
            raise privilege_refused(self._name, error.evidence, user) from error
        return session
