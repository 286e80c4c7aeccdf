"""Connections are limited: those that nothing is done over make room, and come back when needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import asyncssh
import pytest

from gapless.drivers.transports.held import Held
from gapless.drivers.transports.log_query import LogQuery
from gapless.drivers.transports.session import HelperSession
from gapless.drivers.transports.ssh import SshTransport
from gapless.drivers.transports.ssh_connection import Connector
from gapless.drivers.transports.verbs import HelperVerbs
from gapless.errors import LostContact, PrivilegeRefused
from gapless.model import Command
from tests.unit.drivers.transports.sshd import Sshd

HOSTS = 6


def transports(sshd: Sshd, held: Held) -> list[SshTransport]:
    return [SshTransport(f"web{n}", sshd.host(), connections=held) for n in range(HOSTS)]


def up(hosts: list[SshTransport]) -> list[str]:
    """Hosts whose connection is open."""
    return [host.host for host in hosts if host.connected]


def test_no_more_are_held_than_the_limit(sshd: Sshd) -> None:
    async def story() -> None:
        hosts = transports(sshd, Held(3, limit=2))
        for host in hosts:
            await host.connect()
            assert len(up(hosts)) <= 2
        assert up(hosts) == ["web4", "web5"], "the longest unused went first"
        for host in hosts:
            assert (await host.run(Command(("echo", host.host)))).stdout == f"{host.host}\n"
            assert len(up(hosts)) <= 2
        await asyncio.gather(*(host.close() for host in hosts))

    asyncio.run(story())


def test_what_is_under_way_is_never_cut(sshd: Sshd, tmp_path: Path) -> None:
    """All at once need more than the limit: more are held meanwhile."""

    async def story() -> None:
        hosts = transports(sshd, Held(HOSTS, limit=2))
        gate = tmp_path / "gate"
        wait = Command(("sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done"), timeout=30)
        await asyncio.gather(*(host.connect() for host in hosts))
        running = [asyncio.create_task(host.run(wait)) for host in hosts]
        while len(up(hosts)) < HOSTS:
            await asyncio.sleep(0.02)
        gate.touch()
        assert all(done.ok for done in await asyncio.gather(*running))
        await asyncio.gather(*(host.close() for host in hosts))

    asyncio.run(story())


def test_helpers_are_started_again(sshd: Sshd, tmp_path: Path) -> None:
    async def story() -> None:
        one, other = transports(sshd, Held(3, limit=1))[:2]
        await one.connect()
        await one.put(b"1", str(tmp_path / "file"))
        await other.connect()
        assert not one.connected
        assert await one.get(str(tmp_path / "file")) == b"1"
        assert not other.connected
        await asyncio.gather(one.close(), other.close())

    asyncio.run(story())


def test_a_host_that_went_while_it_was_parked_is_lost_contact(sshd: Sshd, tmp_path: Path) -> None:
    """Whoever waits for a host that reboots waits for this one, too."""

    async def story(gone: Sshd) -> None:
        held = Held(3, limit=1)
        one = SshTransport("web1", gone.host(), connections=held)
        other = SshTransport("web2", sshd.host(), connections=held)
        await one.connect()
        await other.connect()
        gone.stop()
        with pytest.raises(LostContact):
            await one.run(Command(("true",)))
        await asyncio.gather(one.close(), other.close())

    with Sshd(tmp_path) as gone:
        asyncio.run(story(gone))


def test_a_closed_one_is_not_made_again(sshd: Sshd) -> None:
    async def story() -> None:
        one = transports(sshd, Held(3, limit=1))[0]
        await one.connect()
        await one.close()
        with pytest.raises(LostContact):
            await one.run(Command(("true",)))

    asyncio.run(story())


def test_one_that_ends_late_says_nothing_of_the_next(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its host did not answer when it was parked: it is told lost when the next one is in use."""
    told: list[Callable[[Exception | None], None]] = []
    connect = Connector.connect

    async def noted(
        connector: Connector, on_lost: Callable[[Exception | None], None]
    ) -> asyncssh.SSHClientConnection:
        told.append(on_lost)
        return await connect(connector, on_lost)

    monkeypatch.setattr(Connector, "connect", noted)

    async def story() -> None:
        one = transports(sshd, Held(3, limit=1))[0]
        await one.connect()
        await one.park()
        assert (await one.run(Command(("true",)))).ok
        told[0](None)
        assert one.connected
        assert (await one.run(Command(("true",)))).ok
        await one.close()

    asyncio.run(story())


def test_a_log_that_is_read_without_privilege_is_under_way_as_well() -> None:
    """Else its connection might be parked under it."""
    reader = Reader()
    asyncio.run(reader.logs(LogQuery(since=0.0, until=1.0)))
    assert reader.called == [(True, 1), (False, 1)]


class Reader(HelperVerbs):
    """A host that refuses the privilege; notes how many uses there were at each call."""

    host = "web1"

    def __init__(self) -> None:
        self.uses = 0
        self.called: list[tuple[bool, int]] = []

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        self.uses += 1
        try:
            yield
        finally:
            self.uses -= 1

    async def helper(self, *, privileged: bool) -> HelperSession:
        return cast(HelperSession, _Level(self, privileged))


class _Level:
    def __init__(self, reader: Reader, privileged: bool) -> None:
        self._reader, self._privileged = reader, privileged

    async def call(self, *more: object) -> dict[str, object]:
        self._reader.called.append((self._privileged, self._reader.uses))
        if self._privileged:
            raise PrivilegeRefused("no sudo", where="web1")
        return {"covered": None, "read": 0.0, "lines": 0, "tallies": {}, "older": [], "marks": {}}
