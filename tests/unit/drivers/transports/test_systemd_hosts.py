"""On real systemd hosts: critical actions as units, and what systemd says about units."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.held import Held
from gapless.drivers.transports.ssh import SshTransport
from gapless.errors import HostFault, LostContact
from gapless.model import CriticalAction, Settled, Settlement, VerdictStatus
from gapless.testing.transport_rig import sh, until
from gapless.testing.transport_suite import TransportSuite
from tests.lab import Lab
from tests.lab.host import LabHost

Case = Callable[[SshTransport], Awaitable[None]]
IDENTITY = ("InvocationID", "MainPID", "NRestarts", "ActiveState")
COUNTER = """\
[Service]
ExecStart=/bin/sh -c 'echo hello from $$INVOCATION_ID; exec sleep infinity'
Restart=always
RestartSec={restart}
"""

# From a unit: a login that ends all sessions would end itself before the others.
END_SESSIONS = """\
systemctl kill --signal=KILL $(systemctl list-units --plain --no-legend 'session-*.scope' |
cut -d ' ' -f 1)"""


def transport(host: LabHost, user: str = "root") -> SshTransport:
    config = HostConfig(
        address=host.address,
        port=host.port,
        user=user,
        key=str(host.keys.client),
        known_hosts=str(host.keys.known_hosts),
        sudo=user != "plain",
    )
    return SshTransport(host.name, config, connections=Held(30))


def over(host: LabHost, case: Case, user: str = "root") -> None:
    async def main() -> None:
        there = transport(host, user)
        await there.connect()
        try:
            await case(there)
        finally:
            await there.close()

    asyncio.run(main())


class SystemdRig:
    can = frozenset({"shell", "push"})

    def __init__(self, host: LabHost, folder: str, user: str) -> None:
        self.folder = folder
        self._host = host
        self._user = user

    def transport(self) -> SshTransport:
        return transport(self._host, self._user)


class OnSystemd(TransportSuite):
    user = "root"

    @pytest.fixture(autouse=True)
    def _host(self, lab: Lab) -> None:
        self.host = lab[2]

    @contextmanager
    def rig(self) -> Iterator[SystemdRig]:
        folder = f"/tmp/suite-{time.monotonic_ns()}"
        state = "rm -rf /var/lib/gapless /home/plain/.local/state/gapless"
        self.host.run(["sh", "-c", f"{state}; mkdir {folder}; chown {self.user}: {folder}"])
        yield SystemdRig(self.host, folder, self.user)


class TestSuiteOnSystemdAsRoot(OnSystemd):
    pass


class TestSuiteOnSystemdWithSudo(OnSystemd):
    user = "deploy"


class TestSuiteOnSystemdAsPlainUser(OnSystemd):
    user = "plain"


def test_an_action_is_a_unit_of_its_own(host: LabHost) -> None:
    async def case(there: SshTransport) -> None:
        settled = await there.act(CriticalAction("k1", (sh("cat /proc/self/cgroup; pwd"),)))
        assert settled.ok
        assert "/system.slice/gapless-" in settled.completed[0].stdout

    over(host, case, "deploy")
    left = host.run(["systemctl", "list-units", "--all", "--plain", "gapless-*"]).stdout
    assert "0 loaded units" in left
    assert host.run(["ls", "/run/gapless"]).stdout == ""


def test_an_action_survives_the_end_of_all_sessions(host: LabHost) -> None:
    action = CriticalAction("k1", (sh("echo b > /tmp/begun; sleep 1; echo x >> /tmp/runs"),))

    async def case(there: SshTransport) -> None:
        acting = asyncio.create_task(there.act(action))
        await until(lambda: there.get("/tmp/begun"))
        host.run(["systemd-run", "--quiet", "--no-block", "sh", "-c", END_SESSIONS], check=False)
        with pytest.raises(LostContact):
            await acting

    over(host, case)
    settled: list[Settled] = []

    async def ask(there: SshTransport) -> None:
        settled.append(await there.settle("k1"))

    host.wait_ready(20)
    over(host, ask)
    assert settled[0].ok
    assert host.run(["cat", "/tmp/runs"]).stdout == "x\n"


def test_an_action_cut_short_by_a_power_cut_is_lost(host: LabHost) -> None:
    async def begin(there: SshTransport) -> None:
        acting = asyncio.create_task(
            there.act(CriticalAction("k1", (sh("echo b > /tmp/begun; sleep 60"),)))
        )
        await until(lambda: there.get("/tmp/begun"))
        await asyncio.to_thread(host.power_cut)
        with pytest.raises(LostContact):
            await acting

    async def ask(there: SshTransport) -> None:
        assert (await there.settle("k1")).status is Settlement.LOST

    over(host, begin)
    host.boot_again()
    over(host, ask)


def test_a_daemon_started_by_an_action_stays(host: LabHost) -> None:
    async def case(there: SshTransport) -> None:
        start = sh("setsid sleep 1234 >/dev/null 2>&1 &")
        assert (await there.act(CriticalAction("k1", (start,)))).ok
        await asyncio.sleep(0.5)

    over(host, case)
    assert host.run(["pgrep", "-f", "sleep 1234"], check=False).stdout


def test_units_and_their_journal(host: LabHost) -> None:
    host.install_unit("counter.service", COUNTER.format(restart="100ms"), start=True)

    async def case(there: SshTransport) -> None:
        began = time.time()
        shown = await there.unit("counter.service", [*IDENTITY, "LoadState"])
        assert shown["ActiveState"] == "active"
        assert shown["LoadState"] == "loaded"
        first = shown["InvocationID"]
        await there.run(sh("systemctl restart counter.service"))
        second = (await there.unit("counter.service", IDENTITY))["InvocationID"]
        assert second != first
        await asyncio.sleep(0.3)
        everything = await there.tail("counter.service", began - 60, 100)
        assert f"hello from {first}" in everything
        assert f"hello from {second}" in everything
        only = await there.tail("counter.service", began - 60, 100, identity=second)
        assert f"hello from {second}" in only
        assert first not in only
        missing = await there.unit("nope.service", ["LoadState"])
        assert missing == {"LoadState": "not-found"}

    over(host, case, "deploy")


@pytest.mark.alone
@pytest.mark.parametrize("period", [0.1, 0.7, 3.0])
def test_no_crash_loop_is_missed(host: LabHost, period: float) -> None:
    host.install_unit("counter.service", COUNTER.format(restart="50ms"), start=True)
    loop = f"while sleep {period}; do systemctl kill -s KILL counter.service; done"

    async def case(there: SshTransport) -> None:
        identity = await there.unit("counter.service", IDENTITY)
        crashing = asyncio.create_task(there.run(sh(loop, timeout=30)))
        began = time.monotonic()
        (verdict,) = await there.watch(
            "counter.service",
            [],
            seconds=25,
            every=1,
            retries=0,
            retry_delay=0,
            identity=identity,
        )
        crashing.cancel()
        assert verdict.status is VerdictStatus.FAIL
        assert "→" in verdict.answer
        assert time.monotonic() - began < period + 2

    over(host, case)


def test_a_steady_unit_passes_the_watch(host: LabHost) -> None:
    host.install_unit("counter.service", COUNTER.format(restart="50ms"), start=True)

    async def case(there: SshTransport) -> None:
        identity = await there.unit("counter.service", IDENTITY)
        verdicts = await there.watch(
            "counter.service",
            [],
            seconds=1.5,
            every=1,
            retries=0,
            retry_delay=0,
            identity=identity,
        )
        assert [verdict.status for verdict in verdicts] == [VerdictStatus.PASS]

    over(host, case)


def test_a_frozen_host_is_lost_contact(host: LabHost) -> None:
    from gapless.drivers.transports.session import Patience

    async def main() -> None:
        there = transport(host)
        there._patience = Patience(heartbeat=0.3, silence=1.5)
        await there.connect()
        await there.facts()
        running = asyncio.create_task(there.run(sh("sleep 30", timeout=60)))
        await asyncio.sleep(0.2)
        host.freeze()
        try:
            with pytest.raises(LostContact):
                await asyncio.wait_for(running, 10)
        finally:
            host.thaw()
            await there.close()

    asyncio.run(main())


def test_facts_of_a_systemd_host(host: LabHost) -> None:
    async def case(there: SshTransport) -> None:
        facts = await there.facts(["/srv"])
        assert (facts.user, facts.privileged) == ("deploy", True)
        assert facts.systemd
        assert 0 < facts.clock - facts.booted < 3600
        assert 0 < facts.disk_free["/srv"] < 300 << 20
        host.fill_disk()
        full = await there.facts(["/srv"])
        assert full.disk_free["/srv"] < 1 << 20
        with pytest.raises(HostFault, match="No space left on device"):
            await there.put(b"x" * 100000, "/srv/file")

    over(host, case, "deploy")
