"""A host over SSH: one connection for the whole rollout, one helper per privilege level on it."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gapless.clock import Clock, LoopClock
from gapless.config.hosts import HostConfig
from gapless.drivers.transports.faults import privilege_refused
from gapless.drivers.transports.held import Held
from gapless.drivers.transports.levels import Levels
from gapless.drivers.transports.session import HelperSession, Patience
from gapless.drivers.transports.verbs import HelperVerbs
from gapless.errors import (
    DeadlineExceeded,
    HostFault,
    LostContact,
    PrivilegeRefused,
    Unreachable,
)
from gapless.hostside.bundle import interpreter
from gapless.model import Command, Completed

if TYPE_CHECKING:
    import asyncssh

CONNECTING = 30
"""Connections of one process that may be in the making at once."""
_AT_ONCE = 6
"""Guarded commands at once on one connection; sshd allows ten sessions (MaxSessions)."""


class SshTransport(HelperVerbs):
    """Verbs over one SSH connection. ``lasting``: more than a command or two will be run, so the
    first one may start the helper."""

    def __init__(
        self,
        name: str,
        config: HostConfig,
        *,
        connections: Held,
        lasting: bool = False,
        patience: Patience | None = None,
        clock: Clock | None = None,
        ssh_config: Sequence[str] | None = None,
    ) -> None:
        self._name = name
        self._config = config
        self._connections = connections
        self._lasting = lasting
        self._patience = patience or Patience()
        self._clock = clock or LoopClock()
        self._ssh_config = ssh_config
        self._connection: asyncssh.SSHClientConnection | None = None
        self._levels = Levels(name, self._start)
        self._guarding = asyncio.Semaphore(_AT_ONCE)
        self._connecting = asyncio.Lock()
        self._uses = 0
        self._parked = False
        self._made = 0

    @property
    def host(self) -> str:
        """Name of the host in gapless.yaml."""
        return self._name

    async def connect(self) -> None:
        """Connect, or connect again after a loss. Starts no helper: ``run`` may not need one."""
        from gapless.drivers.transports.ssh_connection import Connector

        async with self._connecting:
            if self._connection is None:
                async with self._connections.making:
                    await self._connections.make_room()
                    connector = Connector(self._name, self._config, self._ssh_config)
                    self._made += 1
                    on_lost = partial(self._on_lost, self._made)
                    self._connection = await connector.connect(on_lost)
            self._connections.used(self)
            self._parked = False
            await self._levels.open()

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None

    @property
    def idle(self) -> bool:
        """Whether nothing is under way over the connection."""
        return not self._uses and not self._connecting.locked()

    async def park(self) -> None:
        """Close the connection until it is needed again."""
        async with self._connecting:
            self._parked = True
            await self._shut()

    @contextlib.asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """A parked connection is made again; one that was lost is not (see ``Levels.get``)."""
        self._uses += 1
        try:
            if self._parked:
                await self._unpark()
            self._connections.used(self)
            yield
        finally:
            self._uses -= 1

    async def _unpark(self) -> None:
        try:
            await self.connect()
        except (Unreachable, DeadlineExceeded) as error:
            # As if it had gone meanwhile, which it has: whoever waits for hosts waits for this one.
            raise LostContact(error.what, where=self._name, evidence=error.evidence) from error

    async def close(self) -> None:
        """Give the connection back."""
        self._parked = False
        self._connections.closed(self)
        await self._shut()

    async def _shut(self) -> None:
        await self._levels.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await connection.wait_closed()

    async def helper(self, *, privileged: bool) -> HelperSession:
        """The helper of a privilege level."""
        return await self._levels.get(sudo=self._sudo(privileged))

    async def run(self, command: Command) -> Completed:
        """Run a command: through the helper if there is one, there will be one, or the command
        needs it, else through the guard, which costs the host a tenth."""
        async with self.in_use():  # who logs in is known by the connection
            sudo = self._sudo(command.privileged)
        if self._lasting or self._levels.up(sudo=sudo) or not _is_plain(command):
            return await self._run_with_helper(command)
        completed = await self._run_guarded(command, sudo=sudo)
        if sudo and completed.status == 1 and completed.stderr.startswith("sudo:"):
            raise privilege_refused(self._name, completed.stderr.strip(), self._user())
        return completed

    async def push(
        self, source: Path, target: str, *, exclude: Sequence[str] = (), link_from: str = ""
    ) -> int:
        """Make ``target`` equal to ``source`` with rsync over this connection; bytes sent."""
        from gapless.drivers.transports.rsync_push import push

        sudo = ("sudo", "-n", "--") if self._sudo(privileged=True) else ()
        async with self.in_use():
            connection = self._require_connection()
            return await push(self._name, connection, sudo, source, target, exclude, link_from)

    async def _run_with_helper(self, command: Command) -> Completed:
        try:
            return await super().run(command)
        except HostFault as error:
            if "python3" not in error.what or command.input:
                raise
        # Without Python the environment and the folder still travel, yet not in secret.
        if command.env or command.user:
            raise HostFault(
                "a command with an environment or a user of its own needs python3 there",
                where=self._name,
            )
        entered = (*("/bin/sh", "-c", 'cd "$0" && exec "$@"', command.cwd or "/"), *command.argv)
        plain = Command(entered, timeout=command.timeout, output_limit=command.output_limit)
        return await self._run_guarded(plain, sudo=self._sudo(command.privileged))

    async def _run_guarded(self, command: Command, *, sudo: bool) -> Completed:
        from gapless.drivers.transports.guarded import run_guarded

        async with self._guarding, self.in_use():
            connection = self._require_connection()
            return await run_guarded(self._name, connection, command, self._clock, sudo=sudo)

    async def _start(self, *, sudo: bool) -> HelperSession:
        from gapless.drivers.transports.channels import ChannelStream

        argv = interpreter(self._config.python)
        line = "exec " + shlex.join(("sudo", "-n", "--", *argv) if sudo else argv)
        stream = await ChannelStream.start(self._require_connection(), line)
        session = HelperSession(self._name, stream, patience=self._patience, clock=self._clock)
        try:
            await session.start(self._config.state_dir)
        except PrivilegeRefused as error:
            raise privilege_refused(self._name, error.evidence, self._user()) from error
        return session

    def _sudo(self, privileged: bool) -> bool:
        return privileged and self._config.sudo and self._user() != "root"

    def _user(self) -> str:
        if self._connection is not None:
            return str(self._connection.get_extra_info("username", ""))
        return self._config.user or ""

    def _require_connection(self) -> asyncssh.SSHClientConnection:
        if self._connection is None:
            raise LostContact("not connected", where=self._name)
        return self._connection

    def _on_lost(self, number: int, _error: Exception | None) -> None:
        if number != self._made:  # one that was parked and is over at last; another took its place
            return
        self._connection = None
        self._connections.closed(self)


def _is_plain(command: Command) -> bool:
    # What the guard can do. An environment may hold secrets, which never go into an argv.
    return not (command.input or command.env or command.secrets or command.cwd or command.user)
