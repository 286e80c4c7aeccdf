"""Errors are counted in the journal of a real systemd host."""

from __future__ import annotations

import asyncio
import time

from gapless.clock import LoopClock
from gapless.config.hosts import HostConfig
from gapless.config.verify_rates import LogsConfig
from gapless.drivers.checks.logs import make_sources
from gapless.drivers.checks.reach import Reach
from gapless.drivers.checks.secret_headers import KeptSecrets
from gapless.drivers.transports.held import Held
from gapless.drivers.transports.ssh import SshTransport
from gapless.testing.rate_source_suite import reached
from tests.lab import LabHost

UNIT = """\
[Service]
ExecStart=/usr/bin/python3 -c 'import time; exec(open("/srv/noisy.py").read())'
"""
QUIET = 'print("served", flush=True); time.sleep(1e6)'
NOISY = """
words = [a + b for a in "abcdefgh" for b in "vwxyz"]
for word in words:
    print(f"ERROR {word} is broken", flush=True)
raise_it = "Traceback (most recent call last):\\n  File \\"x\\"\\nValueError: no table\\n"
print("served", flush=True)
print(raise_it, end="", flush=True)
time.sleep(1e6)
"""


def reach_to(host: LabHost) -> tuple[SshTransport, Reach]:
    config = HostConfig(
        address=host.address,
        port=host.port,
        user="deploy",
        key=str(host.keys.client),
        known_hosts=str(host.keys.known_hosts),
    )
    there = SshTransport(host.name, config, connections=Held(30))
    return there, Reach(
        "noisy",
        lambda _: "noisy.service",
        lambda _: there,
        lambda name: name,
        lambda: (),
        LoopClock(),
        KeptSecrets(),
        lambda _: (),
    )


def test_forty_errors_in_the_first_instant_are_forty_and_a_traceback_is_one(host: LabHost) -> None:
    host.put_file("/etc/systemd/system/noisy.service", UNIT)
    host.put_file("/srv/noisy.py", QUIET)
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", "noisy"])

    async def scene() -> None:
        there, reach = reach_to(host)
        errors, tables = make_sources(LogsConfig(patterns={"tables": "no table"}), reach)
        await errors.begin([host.name])
        before = await errors.count(host.name, time.time() - 60, time.time())
        assert before is not None
        assert before.errors == 0
        since = time.time()
        host.put_file("/srv/noisy.py", NOISY)
        host.run(["systemctl", "restart", "noisy"])
        count = await reached(errors, host.name, since, lambda count: count.errors >= 41)
        assert count.errors == 41
        assert len(count.unseen) == 20  # the most that are told
        named = await tables.count(host.name, since, time.time())
        assert named is not None
        assert (named.errors, named.top[0][0]) == (1, "ValueError: no table")
        await there.close()

    asyncio.run(scene())
