"""On a real file system and on the fake one: looked at, kept, made live, put back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.config_files import host as on_host
from gapless.drivers.config_files.base import ABSENT, FILE, LINK, OTHER, RenderedFile, staged
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import HostFault
from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer, failed
from gapless.testing.virtual_time import VirtualLoop
from gapless.testing.world import World

Work = Callable[[Transport, str], Awaitable[None]]
Run = Callable[[Work], None]


@pytest.fixture(params=["real", "fake"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Does something with a connected host and a folder of it that is there."""
    if request.param == "fake":
        yield lambda work: VirtualLoop().run_until_complete(_fake(work))
        return
    config = HostConfig(transport="local", state_dir=str(tmp_path / "state"), sudo=False)
    top = tmp_path / "top"
    top.mkdir()
    yield lambda work: asyncio.run(_with(LocalTransport("here", config), work, str(top)))


async def _fake(work: Work) -> None:
    world = World()
    world.host("web1").files.mkdir("/top")
    await _with(world.transport("web1"), work, "/top")


async def _with(transport: Transport, work: Work, top: str) -> None:
    await transport.connect()
    try:
        await work(transport, top)
    finally:
        await transport.close()


async def act(transport: Transport, commands: tuple[Command, ...]) -> None:
    for command in commands:
        done = await transport.run(command)
        assert done.ok or not command.check, done.evidence()


def test_all_there_and_back(run: Run) -> None:
    async def work(transport: Transport, top: str) -> None:
        old, link, fresh = f"{top}/etc/old", f"{top}/etc/link", f"{top}/new/deep/fresh"
        await transport.run(Command(("mkdir", "-p", f"{top}/etc")))
        await transport.put(b"old\0\xff", old, mode=0o604)
        await transport.run(Command(("ln", "-sfn", "old", link)))
        owners = dict.fromkeys((old, link, fresh), "")
        before = await on_host.look(transport, owners)
        assert [file.kind for file in before] == [FILE, LINK, ABSENT]
        assert [before[0].mode, before[1].target] == [0o604, "old"]
        assert before[2].missing == (f"{top}/new", f"{top}/new/deep")
        await on_host.keep(transport, before, f"{top}/kept")
        for path in owners:
            await on_host.stage(transport, RenderedFile(path, b"new", None, 0o640))
        forward = on_host.activation(owners)
        await act(transport, forward)
        await act(transport, forward)  # done again after a crash, it is done once
        after = await on_host.look(transport, owners)
        assert [(file.kind, file.mode) for file in after] == [(FILE, 0o640)] * 3
        assert await transport.get(fresh) == b"new"
        back = on_host.restoration(f"{top}/kept", [file.to_json() for file in before])
        await act(transport, back)
        await act(transport, back)
        assert await on_host.look(transport, owners) == before
        assert await transport.get(old) == b"old\0\xff"
        left = await on_host.look(transport, dict.fromkeys(map(staged, owners), ""))
        assert {file.kind for file in left} == {ABSENT}

    run(work)


def test_a_folder_in_the_place_of_a_file_is_refused(run: Run) -> None:
    async def work(transport: Transport, top: str) -> None:
        await transport.run(Command(("mkdir", "-p", f"{top}/etc/folder")))
        found = await on_host.look(transport, {f"{top}/etc/folder": ""})
        assert found[0].kind == OTHER
        with pytest.raises(HostFault, match="neither a file nor a link"):
            await on_host.keep(transport, found, f"{top}/kept")

    run(work)


def test_folders_that_were_made_stay_where_somebody_uses_them(run: Run) -> None:
    async def work(transport: Transport, top: str) -> None:
        path = f"{top}/new/file"
        before = await on_host.look(transport, {path: ""})
        await on_host.stage(transport, RenderedFile(path, b"new", None, 0o600))
        await transport.put(b"mine", f"{top}/new/other")
        await on_host.forget_staged(transport, [path], before[0].missing)
        assert await transport.get(f"{top}/new/other") == b"mine"
        assert (await on_host.look(transport, {staged(path): ""}))[0].kind == ABSENT

    run(work)


def test_a_validator_reads_the_staged_file(run: Run) -> None:
    async def work(transport: Transport, top: str) -> None:
        asked = ("test", "-f", "{file}", "-a", "{folder}x", "!=", "x")
        file = RenderedFile(f"{top}/a", b"new", None, 0o600, validate=asked)
        gone = await on_host.validate(transport, file, "/r", 5.0)
        await on_host.stage(transport, file)
        there = await on_host.validate(transport, file, "/r", 5.0)
        assert gone is not None
        assert there is not None
        assert (gone.ok, there.ok) == (False, True)
        assert there.argv == ("test", "-f", f"{top}/.gapless-a.new", "-a", "/rx", "!=", "x")

    run(work)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_counts_where_none_is_asked_for_and_a_group_does_not(tmp_path: Path) -> None:
    async def work(transport: Transport, top: str) -> None:
        path = f"{top}/a"
        told = {"x": "daemon", "x:y": "daemon:bin", ":y": "daemon:bin", "": "daemon"}
        ours = {"x": "root", "x:y": "root:bin", ":y": ":bin", "": ""}
        for owner, expected in (("daemon:bin", told), ("root:bin", ours)):
            await transport.put(b"a", path, owner=owner)
            for asked, found in expected.items():
                (file,) = await on_host.look(transport, {path: asked})
                assert (file.owner, file.writer) == (found, "root"), (owner, asked)

    config = HostConfig(transport="local", state_dir=str(tmp_path / "state"))
    asyncio.run(_with(LocalTransport("here", config), work, str(tmp_path)))


def test_what_may_not_be_looked_at_is_not_taken_for_absent() -> None:
    async def denied(host: FakeHost, command: Command) -> Answer:
        return failed("find: '/top/etc': Permission denied")

    async def work() -> None:
        world = World()
        world.host("web1").programs["find"] = denied
        transport = world.transport("web1")
        await transport.connect()
        with pytest.raises(HostFault, match="cannot be looked at"):
            await on_host.look(transport, {"/top/etc/a": ""})
        await transport.close()

    VirtualLoop().run_until_complete(work())
