"""etcd under Patroni on the same hosts, each Patroni with the etcd of its own host as its store."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.clusters.patroni_cluster import PatroniSite
from tests.clusters.site import KEEPER, KeptMembers, Writer

pytestmark = pytest.mark.timeout(170)
_STALL = 4.0
"""Seconds that a switchover may take on a busy machine."""


class BothSite(PatroniSite):
    """``store`` is PostgreSQL, ``etcd`` is etcd, on the same three hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.store = KeptMembers(self.folder / "etcd")
        self.store._net = self._net

    def begin_store(self) -> None:
        members = [f"etcd{name.removeprefix('pg')}" for name in self.names]
        for name, member in zip(self.names, members, strict=True):
            self.begin_one(f"etcd-{name}", self.store.argv(member, members))
        self.store.settled(members)

    def store_of(self, name: str) -> str:
        return self.store.url(f"etcd{name.removeprefix('pg')}")

    def write(self) -> None:
        port = self.store.client_port
        keeper = [sys.executable, str(KEEPER), str(self.folder / "keep"), "etcd-{host}"]
        etcd = {
            "on": list(self.names),
            "command": {verb: [*keeper, verb] for verb in ("start", "stop", "status")},
            "soak": "0s",
            "health": {"http": f"http://{{address}}:{port}/health", "timeout": "20s"},
            "cluster": {"etcd": {"url": f"http://{{address}}:{port}"}},
        }
        self.others = {"etcd": etcd}
        super().write()


@pytest.fixture
def site() -> Iterator[BothSite]:
    made = BothSite()
    try:
        made.begin()
        yield made
    finally:
        made.end()


def in_another_terminal(site: BothSite, *words: str) -> str:
    """The command of somebody else, who knows of no rollout of ours; it is refused."""
    done = subprocess.run(
        [sys.executable, "-m", "gapless", *words],
        cwd=site.folder,
        env={**site.environment, "GAPLESS_STATE": str(site.folder / "state-of-another")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=site.LIMIT,
        check=False,
    )
    assert done.returncode == 6, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stderr + done.stdout


def test_the_primary_leaves_a_host_before_its_etcd_is_stopped(site: BothSite) -> None:
    led: Any = site.leader()
    with Writer(site.put, psycopg.Error, rate=20.0) as writer:
        rollout = site.start("restart", "etcd", "--yes", "--reason", "test")
        site.wait_for("step.started", "switch")
        refused = in_another_terminal(site, "restart", "store", "--yes")
        assert rollout.wait(site.LIMIT) == 0
    print(f"{len(writer.acknowledged)} writes, longest {writer.longest:.2f} s")
    assert not site.lost(writer.acknowledged)
    assert writer.longest < _STALL
    beside = [
        event.host
        for event in site.events()
        if (event.type, event.step) == ("step.succeeded", "evacuate") and event.data.get("beside")
    ]
    assert "etcd is locked" in refused, "they are kept apart"
    assert "store is on the same hosts" in refused
    assert "GL-301" in refused
    assert led in beside
    assert site.timeline() == 1 + len(beside), "switchovers, and no failover"
    assert site.well()
