"""Our side: ``ours.py FLEET true N`` runs a command through the transport and its guard,
``ours.py FLEET rolling N BATCH`` a rollout through the API with journal and all gates. The last
line is JSON: for a rollout its events as [wall time, type, host, step], with marks of our own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

FLEET = json.loads(Path(sys.argv[1]).read_text())
HOSTS = FLEET["addresses"][: int(sys.argv[3])]


def host(address: str) -> dict[str, Any]:
    return {
        "address": address,
        "port": FLEET["port"],
        "user": FLEET["user"],
        "key": FLEET["key"],
        "known_hosts": FLEET["known_hosts"],
        "python": FLEET["python"],
        "state_dir": f"{FLEET['folder']}/states/{address}",
    }


async def true_everywhere() -> list[Any]:
    from gapless.config.hosts import HostConfig
    from gapless.drivers.transports.held import Held
    from gapless.drivers.transports.ssh import CONNECTING, SshTransport
    from gapless.model import Command

    connections = Held(CONNECTING)

    async def one(address: str) -> None:
        config = HostConfig.model_validate(host(address))
        transport = SshTransport(address, config, connections=connections, ssh_config=())
        await transport.connect()
        try:
            done = await transport.run(Command(("true",)))
            assert done.ok, done
        finally:
            await transport.close()

    await asyncio.gather(*(one(address) for address in HOSTS))
    return []


def config(size: int) -> dict[str, Any]:
    """gapless.yaml: as the tool is used, but that nothing is watched afterwards."""
    return {
        "project": "bench",
        "hosts": {f"h{n}": host(address) for n, address in enumerate(HOSTS, 1)},
        "defaults": {"soak": "0s"},
        "services": {
            "web": {
                "on": [f"h{n}" for n in range(1, len(HOSTS) + 1)],
                "command": {verb: [FLEET["control"], verb] for verb in ("start", "stop", "status")},
                "health": {"http": f"http://{{address}}:{FLEET['service_port']}/health"},
                "rollout": {"batch": size, "max_unavailable": size},
            }
        },
    }


async def rolling(size: int) -> list[Any]:
    events: list[Any] = [(_born(), "process", "", "")]

    def mark(what: str) -> None:
        events.append((time.time(), what, "", ""))

    from gapless import api

    mark("imported")
    folder = Path(os.environ["GAPLESS_STATE"])
    file = folder / "gapless.yaml"
    file.write_text(json.dumps(config(size)))
    async with api.connected(api.load(file)) as project:
        plan = await api.make_plan(project, "restart")
        mark("planned")
        report = await api.execute(
            project, plan, observer=lambda e: events.append((e.ts, e.type, e.host, e.step))
        )
        assert report.exit_code == 0, report
    mark("closed")
    return events


def _born() -> float:
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    up = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")


if sys.argv[2] == "true":
    told = asyncio.run(true_everywhere())
else:
    told = asyncio.run(rolling(int(sys.argv[4])))
print(json.dumps(told))
