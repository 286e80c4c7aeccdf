"""The platform of 19 services on three real systemd hosts, its start times scaled down.

Rollouts of the same units: one service at a time, which gives what each takes alone (and the
sequential time), then as configured. Two of each in turn; the best counts, since other work on the
machine makes every one of them longer.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.platform19 import AFTER, Platform, critical_path, draw, hosts_of
from bench.results import Bound, table
from gapless import api
from gapless.events.event import Event
from tests.lab import Lab, LabHost, lab_unavailable_reason

SEED = 19
SCALE = 0.3
ROUNDS = 1
NAME = "the same on three systemd hosts, scaled down"

_UNIT = """\
[Unit]
Description={name}

[Service]
Type=exec
ExecStartPre=/bin/sleep {seconds}
ExecStart=/bin/sleep infinity
TimeoutStartSec=60
"""


def bound(limit: float) -> Bound:
    """Measure, print, conclude; skipped where no lab can run."""
    if reason := lab_unavailable_reason():
        return Bound(NAME, 0, limit, "x", skipped=reason)
    platform = draw(SEED, SCALE)
    with tempfile.TemporaryDirectory(prefix="gapless-bench-") as name, Lab(3) as lab:
        os.environ["GAPLESS_STATE"] = name
        hosts = list(lab)
        for host in hosts:
            _install(host, platform)
        single, together = [], []
        for _ in range(ROUNDS):
            single.append(_roll(Path(name), _config("one", lab, hosts, parallel=1)))
            together.append(_roll(Path(name), _config("all", lab, hosts, parallel=10)))
    critical, _ = critical_path({s: min(_of(one, s) for one in single) for s in AFTER})
    makespan, sequential = min(map(_whole, together)), min(map(_whole, single))
    row = [f"{seconds:.1f} s" for seconds in (critical, makespan, sequential)]
    heads = ("hosts", "critical path", "gapless", "sequential", "to critical", "sequential to it")
    ratios = (f"{makespan / critical:.3f} x", f"{sequential / critical:.1f} x")
    table(f"restart of 19 services, {SCALE:g} of the time, real", heads, [("3", *row, *ratios)])
    return Bound(NAME, makespan / critical, limit, "x")


def _install(host: LabHost, platform: Platform) -> None:
    here = [name for name in AFTER if host.name in hosts_of(name)]
    script = ["set -e"]
    for name in here:
        text = _UNIT.format(name=name, seconds=platform.starts[name])
        script.append(f"cat >/etc/systemd/system/{name}.service <<'END'\n{text}END")
    units = " ".join(f"{name}.service" for name in here)
    script += ["systemctl daemon-reload", f"systemctl start {units}"]
    host.run(["sh", "-s"], stdin="\n".join(script), timeout=120)


def _config(project: str, lab: Lab, hosts: Sequence[LabHost], *, parallel: int) -> dict[str, Any]:
    keys = {"key": str(lab.keys.client), "known_hosts": str(lab.keys.known_hosts)}
    return {
        "project": project,
        "hosts": {
            host.name: {"address": host.address, "port": host.port, "user": "root", **keys}
            for host in hosts
        },
        "defaults": {"soak": "300ms", "parallel": parallel},
        "services": {
            name: {
                "on": list(hosts_of(name)),
                "systemd": f"{name}.service",
                "after": list(before),
            }
            for name, (before, _) in AFTER.items()
        },
    }


def _roll(folder: Path, config: dict[str, Any]) -> list[Event]:
    file = folder / f"{config['project']}.yaml"
    file.write_text(json.dumps(config))
    project = api.load(file)
    events: list[Event] = []

    async def act() -> None:
        plan = await api.make_plan(project, "restart")
        report = await api.execute(project, plan, observer=events.append)
        assert report.exit_code == 0, report

    asyncio.run(act())
    return events


def _whole(events: Sequence[Event]) -> float:
    return events[-1].ts - events[0].ts


def _of(events: Sequence[Event], service: str) -> float:
    times = {event.type: event.ts for event in events if event.service == service}
    return times["service.succeeded"] - times["service.started"]
