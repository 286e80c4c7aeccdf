"""Where the time of a rollout goes, from its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.results import table

PHASES = (
    ("process", "imported", "start of the process, imports"),
    ("imported", "planned", "load, plan (asks every host)"),
    ("planned", "lock.taken", "connect, helpers, claims, examination"),
    ("lock.taken", "lock.released", "instances"),
    ("lock.released", "closed", "close connections"),
)


def show_timeline(events: Sequence[Any], hosts: int) -> None:
    """Print the phases of a rollout, and each step of an instance."""
    times = {kind: ts for ts, kind, _, _ in events}
    whole = times["closed"] - times["process"]
    rows = [
        (name, f"{times[end] - times[begin]:.2f} s", f"{(times[end] - times[begin]) / whole:.0%}")
        for begin, end, name in PHASES
    ]
    table("  gapless, where its best run went", ("phase", "seconds", "of all"), rows)
    steps: dict[str, list[float]] = defaultdict(list)
    last: dict[str, float] = {}
    for ts, kind, host, step in events:
        if not host:
            continue
        if kind in ("step.started", "instance.done") and host in last:
            steps["between steps"].append(ts - last[host])
        if kind == "step.succeeded":
            steps[step].append(ts - last[host])
        if kind in ("step.started", "step.succeeded"):
            last[host] = ts
    lines = [
        (name, f"{median(taken) * 1000:.0f} ms", f"{sum(taken) / hosts * 1000:.0f} ms")
        for name, taken in steps.items()
    ]
    table("  an instance", ("step", "median", "mean sum of an instance"), lines)
