"""How long gapless takes to read a configuration and to make a plan, and how much memory.

Each size runs in a process of its own, so that memory is its own. ``per instance`` staying level
means that the cost is linear.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bench.results import Bound, run, table

SIZES = {"100": (100, 1), "1,000": (1000, 1), "10,000": (10_000, 1), "200 x 20": (200, 20)}
LIMITS = {"10,000": 10.0, "200 x 20": 1.0}
MEGABYTES = 500.0
GROWTH = 1.5
"""How much more an instance of 10,000 may cost than one of 1,000."""


@dataclass(frozen=True)
class Result:
    """Seconds of each stage, megabytes of the process at the end and before."""

    load: float
    survey: float
    plan: float
    store: float
    megabytes: float
    base: float

    @property
    def seconds(self) -> float:
        """Reading, planning and storing; what hosts take to answer is not ours."""
        return self.load + self.plan + self.store


def config_text(hosts: int, services: int) -> str:
    """One range of hosts; services in chains of four."""
    lines = [
        "project: bench",
        "hosts:",
        f"  web[1:{hosts}].example: {{user: deploy, groups: [web]}}",
        "services:",
    ]
    for number in range(1, services + 1):
        lines += [
            f"  service{number}:",
            "    on: [web]",
            f"    systemd: service{number}",
            f"    health: {{http: 'http://{{host}}:{3000 + number}/health'}}",
            "    rollout: {canary: 1, batch: 5%, max_unavailable: 10%}",
            f"    release: {{directory: ./dist, to: /srv/service{number}}}",
        ]
        if number % 4 != 1:
            lines.append(f"    after: [service{number - 1}]")
    return "\n".join(lines) + "\n"


def measure(hosts: int, services: int) -> Result:
    """Load, survey (made up), plan, store: once, in this process."""
    from gapless.config.source import load_config
    from gapless.drivers.releases.base import ReleaseRef
    from gapless.inventory import Inventory
    from gapless.model import InstanceState, Observation
    from gapless.planning import Seen, Survey, Target, make_plan
    from gapless.planning.store import load, save
    from gapless.plans import Verb

    base = _megabytes()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gapless.yaml"
        file.write_text(config_text(hosts, services))
        marks = [time.perf_counter()]
        loaded = load_config(file)
        marks.append(time.perf_counter())
        inventory = Inventory(loaded.project)
        old = ReleaseRef("v41")
        survey = Survey(
            {
                instance: Seen(Observation(InstanceState.RUNNING, str(n)), f"{n:064x}", old)
                for service in loaded.project.services
                for n, instance in enumerate(inventory.instances(service))
            }
        )
        marks.append(time.perf_counter())
        plan = make_plan(
            loaded,
            verb=Verb.DEPLOY,
            targets={name: Target(ReleaseRef("v42")) for name in loaded.project.services},
            survey=survey,
        )
        marks.append(time.perf_counter())
        save(plan, Path(folder) / "plan.json")
        assert load(Path(folder) / "plan.json").digest == plan.digest
        marks.append(time.perf_counter())
    assert sum(1 for _ in plan.instances()) == hosts * services
    stages = [after - before for before, after in pairwise(marks)]
    return Result(*stages, _megabytes(), base)


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def command(hosts: int, services: int) -> float:
    """Seconds of ``gapless plan --offline`` as a whole process, screen and all: the best of three,
    since other work only makes it longer."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "gapless.yaml").write_text(config_text(hosts, services))
        argv = (sys.executable, "-m", "gapless", "plan", "--offline")
        env = {"GAPLESS_STATE": folder}
        return min(run(argv, env=env, cwd=Path(folder)).wall for _ in range(3))


def main(short: bool) -> list[Bound]:
    """All sizes; the best of several runs of each."""
    found = {name: _best(name, 2 if short else 5) for name in SIZES}
    heads = ("hosts", "load", "plan", "store", "per instance", "whole command", "RSS", "at start")
    commands = {name: command(*SIZES[name]) for name in SIZES}
    rows = [_row(name, result, commands[name]) for name, result in found.items()]
    table("reading a configuration and planning", heads, rows)
    bounds = []
    for name, limit in LIMITS.items():
        bounds.append(Bound(f"plan of {name} hosts", found[name].seconds, limit, "s"))
        bounds.append(Bound(f"gapless plan, {name} hosts", commands[name], limit, "s"))
    bounds.append(Bound("plan of 10,000 hosts, RSS", found["10,000"].megabytes, MEGABYTES, "MB"))
    growth = _each("10,000", found["10,000"]) / _each("1,000", found["1,000"])
    bounds.append(Bound("plan, an instance of 10,000 to one of 1,000", growth, GROWTH, "x"))
    return bounds


def _best(name: str, times: int) -> Result:
    argv = (sys.executable, "-m", "bench.plan", name)
    return min((Result(**run(argv).data) for _ in range(times)), key=lambda r: r.seconds)


def _each(name: str, result: Result) -> float:
    hosts, services = SIZES[name]
    return result.seconds / (hosts * services)


def _row(name: str, result: Result, whole: float) -> list[str]:
    cells = [name, _ms(result.load), _ms(result.plan), _ms(result.store)]
    cells += [f"{_each(name, result) * 1e6:.1f} µs", _ms(whole)]
    return [*cells, f"{result.megabytes:.0f} MB", f"{result.base:.0f} MB"]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    print(json.dumps(vars(measure(*SIZES[sys.argv[1]]))))
