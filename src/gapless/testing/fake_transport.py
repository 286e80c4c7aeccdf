"""The fake transport: the real contract, spoken to a fake host, with faults and latency.

1. A call meets its fault, if one is planned, before, during or after its work.
2. The work of a cancellable verb belongs to the caller: it ends when the caller is cancelled or
   the connection breaks. A critical action belongs to the host and goes on.
3. A broken connection is LostContact for every call under way, and for good for this session:
   ``connect`` makes a new one.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gapless.drivers.transports.base import Claim, Claimed, HostFacts, Probe, Tls
from gapless.drivers.transports.log_query import LogQuery, LogReading
from gapless.errors import (
    DeadlineExceeded,
    HostFault,
    HostKeyRejected,
    LostContact,
    PrivilegeRefused,
    Unreachable,
)
from gapless.model import Command, Completed, CriticalAction, Fence, Settled, Verdict
from gapless.testing import fake_answers
from gapless.testing.fake_logs import read as read_logs
from gapless.testing.fake_source import read_source
from gapless.testing.faults import Fault, What, When

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gapless.testing.world import World

T = TypeVar("T")
_LISTING = 64
"""Bytes a push sends even when nothing differs."""


class FakeTransport:
    """A connection to a host of a world; implements ``Transport``."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._host = world.hosts[host]
        self.connected = False
        self._calls: dict[asyncio.Task[Any], str] = {}

    @property
    def host(self) -> str:
        """Name of the host."""
        return self._host.name

    def drop(self, why: str) -> None:
        """The connection breaks: every call under way is told."""
        self.connected = False
        self._host.sessions.discard(self)
        calls = list(self._calls)
        for task in calls:
            self._calls[task] = why
            task.cancel()

    # -- verbs -----------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Connect anew unless connected."""
        if self.connected:
            return
        fault = self._world.faults.take(self.host, "connect")
        await asyncio.sleep(self._host.latency)
        if fault is not None:
            await self._strike(fault)
        if not self._host.reachable:
            raise Unreachable("no connection", where=self.host, evidence="Connection refused")
        self.connected = True
        self._host.sessions.add(self)

    async def close(self) -> None:
        """Give the connection back; what the session started dies with it."""
        self.drop("closed")

    async def run(self, command: Command) -> Completed:
        """A cancellable command."""
        about = str(command)
        fault = self._meet("run", about)
        status = _exit_of(fault)

        async def work() -> Completed:
            self._need_privilege([command])
            return await self._host.execute(command, status)

        return await self._call("run", work, fault, about)

    async def act(self, action: CriticalAction) -> Settled:
        """A critical action: begun by this call, not ended with it."""
        about = "\n".join(str(command) for command in action.commands)
        fault = self._meet("act", about)
        status = _exit_of(fault)

        async def work() -> Settled:
            self._need_privilege(action.commands)
            await self._host.actions.begin(action, status)
            return await self._host.actions.wait(action.key)

        return await self._call("act", work, fault, about)

    async def settle(self, key: str) -> Settled:
        """What became of a critical action."""
        return await self._simple("settle", lambda: self._host.actions.wait(key), key)

    async def put(self, content: bytes, path: str, mode: int = 0o600, owner: str = "") -> None:
        """Write a file."""

        async def work() -> None:
            folder = posixpath.dirname(path)
            if not self._host.files.exists(folder):
                raise HostFault(f"cannot write: {path}: No such file or directory", where=self.host)
            self._host.files.write(path, content, mode, owner)

        await self._simple("put", work, path)

    async def replace(
        self, path: str, old: str, content: bytes, fence: Fence | None = None
    ) -> bool:
        """Rename new content over a file."""

        async def work() -> bool:
            files = self._host.files
            if fence is not None:
                self._host.claims.admit(fence)
            node = files.node(path)
            if node is None or files.digest(path) != old:
                return False
            files.write(path, content, node.mode, node.owner)
            return True

        return await self._simple("replace", work, path)

    async def get(self, path: str, limit: int = 1 << 20) -> bytes | None:
        """A file's content."""

        async def work() -> bytes | None:
            files = self._host.files
            content = files.read(path) if files.exists(path) else None
            if content is not None and len(content) > limit:
                raise HostFault(f"{path} is larger than {limit} bytes", where=self.host)
            return content

        return await self._simple("get", work, path)

    async def digest(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Digests of files and trees."""

        async def work() -> Mapping[str, str]:
            return {path: self._host.files.digest(path) for path in paths}

        return await self._simple("digest", work, " ".join(paths))

    async def unit(self, name: str, properties: Sequence[str]) -> Mapping[str, str]:
        """Properties of a unit."""

        async def work() -> Mapping[str, str]:
            shown = self._host.show(name)
            return {key: shown[key] for key in properties if key in shown}

        return await self._simple("unit", work, name)

    async def ask(
        self,
        probes: Sequence[Probe],
        *,
        passes: int,
        every: float,
        within: float,
        eager: bool = False,
    ) -> tuple[Verdict, ...]:
        """Ask until passed or over; in virtual time, eagerness makes no difference."""
        return await self._simple(
            "ask",
            lambda: fake_answers.ask(self._host, probes, passes, every, within),
            " ".join(probe.name for probe in probes),
        )

    async def watch(
        self,
        unit: str,
        probes: Sequence[Probe],
        *,
        seconds: float,
        every: float,
        retries: int,
        retry_delay: float,
        identity: Mapping[str, str],
    ) -> tuple[Verdict, ...]:
        """Soak."""
        soak = fake_answers.Soak(
            self._host, unit, probes, identity, every, retries, retry_delay
        )  # fmt: skip
        return await self._simple("watch", lambda: soak.run(seconds), unit)

    async def tail(self, unit: str, since: float, lines: int = 20, identity: str = "") -> str:
        """Last journal lines."""

        async def work() -> str:
            log = self._host.units[unit].log if unit in self._host.units else []
            wanted = [text for at, who, text in log if at >= since and identity in ("", who)]
            return b"\n".join(wanted[-lines:]).decode("utf-8", "replace")

        return await self._simple("tail", work, unit)

    async def logs(self, query: LogQuery) -> LogReading:
        """Count what its units wrote."""

        async def work() -> LogReading:
            return read_logs(self._host, query)

        return await self._simple("logs", work, query.unit or " ".join(query.files))

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        """Talk to a socket on the host."""

        async def work() -> bytes:
            self._host.claims.admit(fence)
            dialogue = self._host.sockets.get(address)
            if dialogue is None:
                raise HostFault(f"{address}: Connection refused", where=self.host)
            try:
                async with asyncio.timeout(timeout):
                    return await dialogue(data)
            except TimeoutError:
                raise DeadlineExceeded(
                    f"{address}: no answer within {timeout:g} s", where=self.host
                ) from None

        return await self._simple("exchange", work, address)

    async def containers(
        self,
        socket: str,
        labels: Sequence[str],
        timeout: float = 60.0,
        names: Sequence[str] = (),
    ) -> Mapping[str, Any]:
        """It has no engine."""

        async def work() -> Mapping[str, Any]:
            raise HostFault(f"{socket}: Connection refused", where=self.host)

        return await self._simple("containers", work, socket)

    async def keep(
        self,
        socket: str,
        container: str,
        path: str,
        copied: Sequence[str] = (),
        timeout: float = 60.0,
    ) -> None:
        """It has no engine."""

        async def work() -> None:
            raise HostFault(f"{socket}: Connection refused", where=self.host)

        await self._simple("keep", work, path)

    async def claim(self, claim: Claim, *, take_over: bool = False, over: str = "") -> Claimed:
        """Own a service here."""

        async def work() -> Claimed:
            return self._host.claims.claim(claim, self, take_over=take_over, over=over)

        return await self._simple("claim", work, claim.service)

    async def release(self, fence: Fence) -> None:
        """Give it back."""

        async def work() -> None:
            self._host.claims.release(fence)

        await self._simple("release", work, fence.service)

    async def holder(self, service: str) -> Claimed:
        """Who owns it."""

        async def work() -> Claimed:
            return self._host.claims.holder(service)

        return await self._simple("holder", work, service)

    async def recall(self, service: str) -> Mapping[str, Any]:
        """What the host remembers."""

        async def work() -> Mapping[str, Any]:
            return dict(self._host.memory.get(service, {}))

        return await self._simple("recall", work, service)

    async def remember(self, fence: Fence, facts: Mapping[str, Any]) -> None:
        """Merge facts; None forgets one."""

        async def work() -> None:
            self._host.claims.admit(fence)
            merged = {**self._host.memory.get(fence.service, {}), **facts}
            self._host.memory[fence.service] = {
                name: fact for name, fact in merged.items() if fact is not None
            }

        await self._simple("remember", work, fence.service)

    async def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        """Clock, privilege, free space."""

        async def work() -> HostFacts:
            host = self._host
            free = 0 if host.files.full else 10 << 30
            return HostFacts(
                clock=host.now(),
                booted=host.wall(host.booted),
                user="root" if host.privileged else "deploy",
                privileged=host.privileged,
                systemd="252",
                python="3.11.2",
                disk_free=dict.fromkeys(paths, free),
                problems=host.problems,
                place=host.name,
            )

        return await self._simple("facts", work)

    async def push(
        self, source: Path, target: str, *, exclude: Sequence[str] = (), link_from: str = ""
    ) -> int:
        """Make a folder of the host equal to a local (or in-memory) one."""

        async def work() -> int:
            host = self._host
            tree = read_source(self._world.sources.get(str(source), source), exclude)
            if link_from and host.files.exists(link_from) and not host.files.exists(target):
                host.files.copy(host.files.resolve(link_from), target)
            await asyncio.sleep(host.push_takes)
            sent = host.mirror(tree, target, exclude) + _LISTING
            host.bytes_pushed += sent
            return sent

        return await self._simple("push", work, target)

    # -- how every call goes ---------------------------------------------------------------------

    def _need_privilege(self, commands: Sequence[Command]) -> None:
        if not self._host.privileged and any(command.privileged for command in commands):
            raise PrivilegeRefused(
                "sudo needs a password", where=self.host, evidence="sudo: a password is required"
            )

    def _meet(self, verb: str, about: str) -> Fault | None:
        return self._world.faults.take(self.host, verb, about)

    async def _simple(self, verb: str, work: Callable[[], Awaitable[T]], about: str = "") -> T:
        return await self._call(verb, work, self._meet(verb, about), about)

    async def _call(
        self, verb: str, work: Callable[[], Awaitable[T]], fault: Fault | None, about: str
    ) -> T:
        self._world.calls.append((self._world.clock.monotonic(), self.host, verb, about))
        if not self.connected:
            raise LostContact("not connected", where=self.host)
        with self._session():
            await asyncio.sleep(self._host.latency)
            if fault is not None and fault.when is When.BEFORE:
                await self._strike(fault)
            result = await self._during(work, fault)
            if fault is not None and fault.when is When.AFTER:
                await self._strike(fault)
            return result

    async def _during(self, work: Callable[[], Awaitable[T]], fault: Fault | None) -> T:
        try:
            if fault is None or fault.when is not When.DURING:
                return await work()
            doing = asyncio.ensure_future(work())
            try:
                done, _ = await asyncio.wait({doing}, timeout=fault.delay)
                if not done:
                    await self._strike(fault)
                return await doing
            finally:
                doing.cancel()
                await asyncio.gather(doing, return_exceptions=True)
        except OSError as error:
            raise self._host.fault(error) from error

    async def _strike(self, fault: Fault) -> None:
        """Do what the fault says; returns when the call may go on."""
        what = fault.what
        if what is What.SLOW:
            await asyncio.sleep(fault.seconds)
        elif what is What.REBOOT:
            self._host.reboot(fault.seconds)
            await asyncio.sleep(0)
        elif what is What.HOST_KEY:
            raise HostKeyRejected(
                f"{self.host} is not the host we know: its key has changed",
                where=self.host,
                evidence="presented: ssh-ed25519 SHA256:other\nexpected: ssh-ed25519 SHA256:known",
                next="find out why; if it was reinstalled: forget the old key",
            )
        elif what is What.UNREACHABLE and fault.when is When.BEFORE:
            self._spare_current()
            self._host.cut(fault.seconds)
            raise Unreachable("no connection", where=self.host, evidence="injected")
        elif what is What.UNREACHABLE:
            self._host.cut(fault.seconds)
            await asyncio.sleep(0)
        elif what is What.LOST:
            self._host.drop_sessions("injected")
            await asyncio.sleep(0)
        elif what is What.DEADLINE:
            raise DeadlineExceeded("no answer within the limit", where=self.host)
        elif what is What.HOST_FAULT:
            raise HostFault(fault.text, where=self.host)

    def _spare_current(self) -> None:
        """The call that never got through does not break with the connection."""
        task = asyncio.current_task()
        if task is not None:
            self._calls.pop(task, None)

    @contextmanager
    def _session(self) -> Iterator[None]:
        """Turn the cancellation by ``drop`` into LostContact, as asyncio.timeout does with its
        own; a cancellation from outside stays what it is."""
        task = asyncio.current_task()
        assert task is not None, "verbs are awaited in tasks"
        before, mine = task.cancelling(), task not in self._calls
        if mine:
            self._calls[task] = ""
        try:
            yield
        except asyncio.CancelledError:
            why = self._calls.get(task)
            if why and task.uncancel() <= before:
                raise LostContact(f"the connection broke: {why}", where=self.host) from None
            raise
        finally:
            if mine:
                self._calls.pop(task, None)


def _exit_of(fault: Fault | None) -> int | None:
    return fault.status if fault is not None and fault.what is What.EXIT else None
