"""What the brokers of ``kafka_fake.py`` share: a file, as the controller of a cluster knows it.

1. All changes are made under a lock, by whichever broker is alive: a broker that starts, stops in
   order, beats, catches up, or finds that another one beats no more.
2. A broker that stops in order hands over what it leads to the first replica that is in sync, and
   leaves every isr that has another one. One that is killed is found out after ``SESSION``.
3. One that starts is in no isr before it was asked for metadata ``catches_up`` times: how fast the
   machine is does not matter then, and whoever does not ask does not wait.
4. ``least`` is the smallest isr that any partition has ever had, ``leaderless`` how often one had
   no leader.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SESSION = 8.0
"""Seconds; a busy machine is slow to beat."""
Facts = dict[str, Any]


class State:
    """In a folder; brokers are named by their ids, as texts."""

    def __init__(self, folder: Path) -> None:
        self._file, self._lock = folder / "state.json", folder / "lock"

    def create(self, facts: Facts) -> None:
        """The cluster before its first broker."""
        self._write(facts)

    def read(self) -> Facts:
        with self.held() as facts:
            return facts

    @contextmanager
    def held(self) -> Iterator[Facts]:
        """To change it."""
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            facts: Facts = json.loads(self._file.read_text())
            _bury(facts)
            yield facts
            self._write(facts)

    def _write(self, facts: Facts) -> None:
        for one in facts["partitions"].values():
            facts["least"] = min(facts.get("least", 99), len(one["isr"]))
            facts["leaderless"] = facts.get("leaderless", 0) + (one["leader"] == "")
        other = self._file.with_suffix(".new")
        other.write_text(json.dumps(facts))
        other.replace(self._file)


def start(facts: Facts, broker: str) -> None:
    """It is registered, and fetches what it missed."""
    facts["alive"][broker] = time.time()
    facts["started"][broker] = True
    facts["asked"][broker] = 0
    facts["controller"] = facts["controller"] or broker


def beat(facts: Facts, broker: str) -> None:
    """It lives; and joins where it has caught up."""
    facts["alive"][broker] = time.time()
    if broker not in facts["stuck"]:
        facts["caught_up"][broker] = time.time()
    if facts["asked"][broker] < facts["catches_up"] or broker in facts["short"]:
        return
    for one in facts["partitions"].values():
        if broker in one["replicas"] and broker not in one["isr"]:
            one["isr"].append(broker)
            one["leader"] = one["leader"] or broker


def stop(facts: Facts, broker: str) -> None:
    """Controlled shutdown, and the same for one that was found dead."""
    facts["alive"].pop(broker, None)
    for one in facts["partitions"].values():
        left = [other for other in one["isr"] if other != broker]
        one["isr"] = left or one["isr"]
        if one["leader"] == broker:
            one["leader"] = next((other for other in one["replicas"] if other in left), "")
    if facts["controller"] == broker:
        facts["controller"] = next((other for other in sorted(facts["alive"])), "")


def elect(facts: Facts, partition: str) -> int:
    """The preferred leader; an error code of Kafka."""
    one = facts["partitions"][partition]
    preferred = one["replicas"][0]
    if one["leader"] == preferred:
        return 84
    if preferred not in one["isr"]:
        return 80
    if not facts["deaf"]:
        one["leader"] = preferred
    return 0


def _bury(facts: Facts) -> None:
    for broker, last in list(facts["alive"].items()):
        if time.time() - last > SESSION:
            stop(facts, broker)


def three(ports: dict[str, tuple[str, int]], topics: dict[str, int], leading: int = 3) -> Facts:
    """Brokers 1 to 3, each topic with so many partitions on all of them; the first of them, so
    many, are preferred leaders in turn."""
    names = sorted(ports)
    partitions = {
        f"{topic}-{number}": {
            "replicas": names[number % leading :] + names[: number % leading],
            "isr": list(names),
            "leader": names[number % leading],
        }
        for topic, many in topics.items()
        for number in range(many)
    }
    return {
        "ports": ports,
        "partitions": partitions,
        "alive": {name: time.time() + 60 for name in names},
        "started": dict.fromkeys(names, False),
        "asked": dict.fromkeys(names, 0),
        "caught_up": dict.fromkeys(names, time.time()),
        "controller": names[0],
        "epoch": 5,
        "catches_up": 4,
        "short": [],
        "stuck": [],
        "deaf": False,
        "stale": {},
        "minimum": "2",
        "unclean": [],
    }
