"""A controller killed in the middle of a critical action: it is finished, once, and found."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.held import Held
from gapless.drivers.transports.local import LocalTransport
from gapless.drivers.transports.ssh import SshTransport
from gapless.errors import FenceRefused, LostContact
from gapless.model import CriticalAction, Settlement
from gapless.testing.transport_rig import claim_of, fence_of, sh

from .sshd import Sshd
from .test_orphans import Controller

SCRIPT = "echo begun >> {0}/runs; sleep 1.5; echo done >> {0}/runs"


def wait_until_begun(folder: Path) -> None:
    until = time.monotonic() + 10
    while not (folder / "runs").exists():
        assert time.monotonic() < until
        time.sleep(0.02)


async def settle(host: Transport, key: str, folder: Path) -> None:
    await host.connect()
    try:
        settled = await host.settle(key)
        assert settled.status is Settlement.DONE
        assert settled.ok
        again = await host.act(CriticalAction(key, (sh(SCRIPT.format(folder)),)))
        assert again == settled
    finally:
        await host.close()


@pytest.mark.parametrize("fault", ["KILL", "TERM", "INT", "STOP"])
def test_local(fault: str, tmp_path: Path) -> None:
    host = {"transport": "local", "sudo": False, "state_dir": str(tmp_path / "state")}
    command = ["/bin/sh", "-c", SCRIPT.format(tmp_path)]
    spec = {"transport": "local", "host": host, "helper": True, "timeout": 20}
    with Controller({**spec, "key": "k1", "commands": [command]}) as controller:
        wait_until_begun(tmp_path)
        controller.suffer(fault, None)
        config = HostConfig.model_validate(host)
        asyncio.run(settle(LocalTransport("host", config), "k1", tmp_path))
    assert (tmp_path / "runs").read_text() == "begun\ndone\n"


@pytest.mark.parametrize("fault", ["KILL", "STOP", "cut"])
def test_over_ssh(sshd: Sshd, fault: str, tmp_path: Path) -> None:
    config = sshd.host(state_dir=str(tmp_path / "state"))
    command = ["/bin/sh", "-c", SCRIPT.format(tmp_path)]
    host = config.model_dump(mode="json", exclude_none=True)
    spec = {"transport": "ssh", "host": host, "helper": True, "timeout": 20}
    with Controller({**spec, "key": "k1", "commands": [command]}) as controller:
        wait_until_begun(tmp_path)
        controller.suffer(fault, sshd)
        there = SshTransport("host", config, connections=Held(1))
        asyncio.run(settle(there, "k1", tmp_path))
    assert (tmp_path / "runs").read_text() == "begun\ndone\n"


def test_a_runner_that_died_without_an_outcome_is_lost(tmp_path: Path) -> None:
    async def case(host: LocalTransport) -> None:
        acting = asyncio.create_task(
            host.act(CriticalAction("k1", (sh(f"echo $PPID > {tmp_path}/pid; sleep 100"),)))
        )
        while not await host.get(f"{tmp_path}/pid"):
            await asyncio.sleep(0.02)
        runner = f"$(cat {tmp_path}/pid)"
        await host.run(sh(f"kids=$(pgrep -P {runner}); kill -9 {runner} $kids"))
        assert (await acting).status is Settlement.LOST
        assert (await host.settle("k1")).status is Settlement.LOST
        again = await host.act(CriticalAction("k1", (sh(f"echo x > {tmp_path}/again"),)))
        assert again.status is Settlement.LOST
        assert not (tmp_path / "again").exists()

    run(case, tmp_path)


def test_what_a_taken_over_rollout_had_begun_ends_before_something_new_begins(
    tmp_path: Path,
) -> None:
    async def case(host: LocalTransport) -> None:
        runs = tmp_path / "runs"
        old = fence_of(await host.claim(claim_of("r1")))
        slow = sh(f"echo old begins >> {runs}; sleep 0.7; echo old ends >> {runs}")
        acting = asyncio.create_task(host.act(CriticalAction("k1", (slow,), old)))
        while not runs.exists():
            await asyncio.sleep(0.02)
        new = fence_of(await host.claim(claim_of("r2"), take_over=True))
        await host.act(CriticalAction("k2", (sh(f"echo new >> {runs}"),), new))
        assert runs.read_text() == "old begins\nold ends\nnew\n"
        assert (await acting).ok
        with pytest.raises(FenceRefused):
            await host.act(CriticalAction("k3", (slow,), old))

    run(case, tmp_path)


def test_a_daemon_that_an_action_starts_outlives_it(tmp_path: Path) -> None:
    async def case(host: LocalTransport) -> None:
        start = sh(f"setsid sleep 60 >/dev/null 2>&1 & echo $! > {tmp_path}/pid")
        assert (await host.act(CriticalAction("k1", (start,)))).ok
        await host.close()
        await host.connect()
        assert (await host.run(sh(f"kill $(cat {tmp_path}/pid)"))).ok

    run(case, tmp_path)


def test_a_failed_action_leaves_nothing_running(tmp_path: Path) -> None:
    async def case(host: LocalTransport) -> None:
        start = sh(f"setsid sleep 60 >/dev/null 2>&1 & echo $! > {tmp_path}/pid; exit 1")
        assert not (await host.act(CriticalAction("k1", (start,)))).ok
        assert not (await host.run(sh(f"kill -0 $(cat {tmp_path}/pid)"))).ok

    run(case, tmp_path)


def test_a_lost_helper_is_lost_contact_until_connected_again(tmp_path: Path) -> None:
    async def case(host: LocalTransport) -> None:
        helper = (await host.helper(privileged=True)).hello["pid"]
        with pytest.raises(LostContact):
            await host.act(CriticalAction("k2", (sh(f"kill -9 {helper}; sleep 0.2"),)))
        with pytest.raises(LostContact):
            await host.holder("shop.api")
        await host.connect()
        assert (await host.settle("k2")).ok

    run(case, tmp_path)


def run(case, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config = HostConfig(transport="local", state_dir=str(tmp_path / "state"), sudo=False)

    async def main() -> None:
        host = LocalTransport("host", config)
        await host.connect()
        try:
            await case(host)
        finally:
            await host.close()

    asyncio.run(main())
