"""How long gapless takes to read a configuration and to make a plan, and how much memory.

    python bench/plan.py            100, 1,000 and 10,000 hosts; 200 hosts with 20 services each
    python bench/plan.py --short    100 and 1,000 hosts, for CI

Each size runs in a process of its own, so that memory is its own. ``per instance`` staying
level means that the cost is linear.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

SIZES = {"100": (100, 1), "1000": (1000, 1), "10000": (10_000, 1), "200x20": (200, 20)}
SHORT = ("100", "1000")


@dataclass(frozen=True)
class Result:
    """Seconds of each stage, megabytes of the process at the end and before."""

    load: float
    survey: float
    plan: float
    store: float
    megabytes: float
    base: float


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
    from gapless.plan import Verb
    from gapless.planning import Seen, Survey, Target, make_plan
    from gapless.planning.store import load, save

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="small sizes only")
    parser.add_argument("--one", choices=SIZES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(vars(measure(*SIZES[chosen.one]))))
        return
    heads = ("load", "plan", "store", "per instance", "RSS", "at start")
    print(f"{'hosts':>8}" + "".join(f"{head:>13}" for head in heads))
    for name in SHORT if chosen.short else SIZES:
        _row(name, _apart(name))


def _apart(name: str) -> Result:
    done = subprocess.run(
        [sys.executable, __file__, "--one", name], check=True, capture_output=True, text=True
    )
    return Result(**json.loads(done.stdout))


def _row(name: str, result: Result) -> None:
    hosts, services = SIZES[name]
    each = (result.load + result.plan) / (hosts * services)
    cells = [_ms(result.load), _ms(result.plan), _ms(result.store), f"{each * 1e6:.1f} µs"]
    cells += [f"{result.megabytes:.0f} MB", f"{result.base:.0f} MB"]
    print(f"{name:>8}" + "".join(f"{cell:>13}" for cell in cells))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    main()
