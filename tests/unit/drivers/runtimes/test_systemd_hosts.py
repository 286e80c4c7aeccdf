"""The systemd runtime on a real host, through a real connection, as a user with sudo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gapless.config.hosts import HostConfig
from gapless.config.releases import ReleaseConfig
from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.runtimes.systemd import SystemdRuntime
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.held import Held
from gapless.drivers.transports.ssh import SshTransport
from gapless.model import InstanceState
from gapless.testing.runtime_suite import RuntimeSuite, perform, settled
from tests.lab import Lab, LabHost

NAME = "gapless-test.service"
FILE = f"/etc/systemd/system/{NAME}"
DROPIN = f"/etc/systemd/system/{NAME}.d/nice.conf"
UNIT = """\
[Service]
ExecStart=/bin/sh -c 'trap : HUP; while :; do sleep 0.05; done'
ExecReload=/bin/kill -HUP $MAINPID
KillMode=control-group
{more}
[Install]
WantedBy=multi-user.target
"""
CRASHING = UNIT.replace("while :; do sleep 0.05; done", "sleep 0.4; exit 1").format(
    more="Restart=always\nRestartSec=3"
)


def connect(lab: Lab, host: LabHost) -> SshTransport:
    config = HostConfig(
        address=host.address, port=host.port, user="deploy", key=str(lab.keys.client),
        known_hosts=str(lab.keys.known_hosts),
    )  # fmt: skip
    return SshTransport(host.name, config, connections=Held(5))


def runtime(reload: str = "no") -> SystemdRuntime:
    return SystemdRuntime(SystemdConfig.model_validate({"unit": NAME, "reload": reload}), "test")


class RealUnit:
    def __init__(self, lab: Lab, host: LabHost) -> None:
        self._lab, self._host = lab, host
        self.folder = "/var/lib/gapless/snapshots/suite"

    async def open(self) -> tuple[Transport, Runtime]:
        self._host.install_unit(NAME, UNIT.format(more=""), start=True)
        transport = connect(self._lab, self._host)
        await transport.connect()
        return transport, runtime()

    async def kill(self) -> None:
        self._host.run(["systemctl", "kill", "-s", "KILL", NAME])
        async with asyncio.timeout(10):
            while self._host.show(NAME, "ActiveState")["ActiveState"] == "active":
                await asyncio.sleep(0.05)


class TestSystemdOnARealHost(RuntimeSuite):
    @pytest.fixture(autouse=True)
    def _host(self, lab: Lab, host: LabHost) -> None:
        self._bench = RealUnit(lab, host)

    def bench(self) -> RealUnit:
        return self._bench


def play(lab: Lab, host: LabHost, case: Callable[[Transport], Awaitable[None]]) -> None:
    async def main() -> None:
        transport = connect(lab, host)
        await transport.connect()
        try:
            await case(transport)
        finally:
            await transport.close()

    asyncio.run(main())


def test_a_reload_is_seen_and_keeps_the_identity(lab: Lab, host: LabHost) -> None:
    host.install_unit(NAME, UNIT.format(more=""), start=True)

    async def case(transport: Transport) -> None:
        driver = runtime("try")
        before = await driver.observe(transport)
        replacement = await driver.replacement(transport, {}, True)
        assert replacement.manner == "reload"
        assert not driver.replaced(before, await driver.observe(transport), "reload")
        await perform(transport, replacement)
        now = await driver.observe(transport)
        assert driver.replaced(before, now, "reload")
        assert (now.identity, now.main_pid) == (before.identity, before.main_pid)
        assert now.since == before.since is not None

    play(lab, host, case)


def test_the_way_back_restores_files_byte_for_byte(lab: Lab, host: LabHost) -> None:
    host.install_unit(NAME, UNIT.format(more="Nice=3"), start=True)

    async def case(transport: Transport) -> None:
        driver = runtime()
        fingerprint = await driver.fingerprint(transport)
        snapshot = await driver.snapshot(transport, "/var/lib/gapless/snapshots/back")
        host.put_file("/tmp/staged.service", UNIT.format(more="Nice=7"))
        replacement = await driver.replacement(transport, {"/tmp/staged.service": FILE}, False)
        await perform(transport, replacement)
        host.put_file(DROPIN, "[Service]\nNice=9\n")
        assert "Nice=7" in host.run(["cat", FILE]).stdout
        await perform(transport, await driver.restoration(transport, snapshot))
        await settled(driver, transport)
        assert await driver.fingerprint(transport) == fingerprint
        assert host.run(["cat", FILE]).stdout == UNIT.format(more="Nice=3")
        assert host.show(NAME, "Nice", "NeedDaemonReload") == {
            "Nice": "3",
            "NeedDaemonReload": "no",
        }

    play(lab, host, case)


def test_a_crash_loop_is_not_fit_and_does_not_pass_a_soak(lab: Lab, host: LabHost) -> None:
    host.install_unit(NAME, CRASHING, start=True)

    async def case(transport: Transport) -> None:
        driver = runtime()
        await perform(transport, await driver.replacement(transport, {}, False))
        ready = await driver.observe(transport)  # "active", as far as systemd knows
        assert ready.state is InstanceState.RUNNING
        (verdict,) = await transport.watch(
            NAME, [], seconds=10.0, every=1.0, retries=0, retry_delay=0.0,
            identity=driver.soak_identity(ready),
        )  # fmt: skip
        assert not verdict.passed
        failing = [v for v in await driver.preflight(transport) if not v.passed]
        assert "crash loop" in failing[0].answer

    play(lab, host, case)


def test_a_start_limit_does_not_stand_in_the_way(lab: Lab, host: LabHost) -> None:
    host.install_unit(NAME, UNIT.format(more=""), start=True)

    async def case(transport: Transport) -> None:
        for _ in range(8):
            await perform(transport, await runtime().replacement(transport, {}, False))

    play(lab, host, case)


def test_units_that_are_not_there_or_masked(lab: Lab, host: LabHost) -> None:
    async def case(transport: Transport) -> None:
        assert (await runtime().observe(transport)).state is InstanceState.MISSING
        (found,) = [v for v in await runtime().preflight(transport) if not v.passed]
        assert found.answer == "there is no such unit"
        host.run(["systemctl", "mask", NAME])
        (found,) = [v for v in await runtime().preflight(transport) if not v.passed]
        assert found.answer == "the unit is masked"

    play(lab, host, case)


SERVING = "[Service]\n{where}ExecStart=/bin/sh {path}\n"
LOOP = "#!/bin/sh\n{first}while :; do sleep 0.05; done\n"


@pytest.mark.parametrize(
    ("where", "path", "first", "told"),
    [
        ("", "/srv/legacy/srv.sh", "", "the unit runs /srv/legacy/srv.sh, not /srv/legacy/current"),
        ("", "/srv/legacy/current/srv.sh", "", "the unit runs from /srv/legacy/current"),
        ("WorkingDirectory=-/srv/legacy/current\n", "srv.sh", "", "runs from /srv/legacy/current"),
        ("", "/opt/wrapper", "cd /srv/legacy/current\n", "what runs comes from"),
        ("", "/opt/wrapper", "", "it cannot be told whether"),
        (
            "Environment=HOME_OF_IT=/srv/legacy/current\n",
            "/opt/wrapper",
            "",
            "what runs comes from",
        ),
    ],
)
def test_what_a_unit_runs_from_is_told(
    lab: Lab, host: LabHost, where: str, path: str, first: str, told: str
) -> None:
    host.run(["mkdir", "-p", "/srv/legacy/releases/r1"])
    host.run(["ln", "-sfn", "releases/r1", "/srv/legacy/current"])
    for place in ("/srv/legacy/srv.sh", "/srv/legacy/releases/r1/srv.sh", "/opt/wrapper"):
        host.put_file(place, LOOP.format(first=first))
    host.install_unit(NAME, SERVING.format(where=where, path=path), start=True)
    release = ReleaseConfig.model_validate({"directory": ".", "to": "/srv/legacy"})
    driver = SystemdRuntime(SystemdConfig(unit=NAME), "test", release)

    async def case(transport: Transport) -> None:
        deadline = asyncio.get_running_loop().time() + 10
        while True:  # the shell needs a moment to change its folder
            *_, verdict = await driver.preflight(transport)
            if told in verdict.answer or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.05)
        assert told in verdict.answer
        assert verdict.passed is not ("not /srv" in told)

    play(lab, host, case)
