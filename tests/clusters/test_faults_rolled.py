"""What goes wrong while a real etcd is restarted: no second member is touched, and what was
acknowledged is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.clusters import breaking, faults
from tests.clusters.faults import FaultySite
from tests.clusters.site import EtcdSite

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("clusters-faults-rolled")]


class FaultyEtcd(EtcdSite, FaultySite):
    """Three members."""

    def lost(self, keys: list[str]) -> list[str]:
        """Those that the quorum that there is does not have."""
        for name in self.names:
            with suppress(OSError):
                there = self.members.keys(name, "n")
                return [key for key in keys if there.get(key) != key]
        raise OSError("nobody can be read from")

    def leader(self) -> str:
        """Whom the first member names."""
        leads = self.members.leader(self.names[0])
        return next(name for name in self.names if self.members.id(name) == leads)

    def begins(self, name: str) -> list[str]:
        return self.members.argv(name, self.names)

    def data(self, name: str) -> Path:
        return self.folder / "data" / name

    def settled(self) -> None:
        self.members.settled(self.names)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[FaultyEtcd]:
    made = FaultyEtcd(tmp_path)
    made.settings = {"health": {**made.service()["health"], "timeout": "3s"}}
    keys = {**made.service()["cluster"]["etcd"], "timeout": "1s"}
    made.settings["cluster"] = {"etcd": keys, "rejoin": "3s", "transfer": "5s"}
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_a_member_that_does_not_come_back_is_the_last_that_is_touched(site: FaultyEtcd) -> None:
    faults.stays_away(site)


def test_a_member_that_comes_back_empty_with_its_old_identity(site: FaultyEtcd) -> None:
    """Its disk is lost while it is down. etcd itself lets nobody in who has forgotten what he
    promised; so it is not in sync, and nobody else is touched."""
    faults.refuses_who_comes_back_empty(site)


def test_a_member_that_is_cut_off_in_the_middle(site: FaultyEtcd) -> None:
    faults.cut_off_in_the_middle(site)


def test_somebody_stops_another_member_by_hand_in_the_middle(site: FaultyEtcd) -> None:
    faults.stopped_by_hand_in_the_middle(site)


def test_a_leadership_that_moves_all_the_time(site: FaultyEtcd) -> None:
    """It is asked for again and again: the rollout ends well, or stops before it stops a leader."""
    before = site.pids()
    with site.writing() as writer, flapping(site):
        rollout = site.restart()
        status = rollout.wait(150)
        print(f"exit {status}, {site.order()}")
    moved = [name for name in site.names if site.keep(name, "status") != before[name]]
    assert sorted(moved) == sorted(set(site.order()))
    assert status == 0 or len(moved) < len(site.names)
    faults.assert_nothing_lost(site, writer)


def test_a_member_that_is_slow(site: FaultyEtcd) -> None:
    faults.slow_in_the_middle(site, lambda name: [site.pid(name)])


@contextmanager
def flapping(site: FaultyEtcd) -> Iterator[None]:
    """The leader hands over to the next one, three times a second."""
    ended = threading.Event()

    def flap() -> None:
        ids: dict[str, str] = {}
        while not ended.wait(0.3):
            with suppress(OSError, KeyError, StopIteration):
                ids |= {name: site.members.id(name) for name in site.names if name not in ids}
                leads = site.members.leader(site.names[0])
                leader = next(name for name in site.names if ids[name] == leads)
                after = site.names[(site.names.index(leader) + 1) % len(site.names)]
                data = {"targetID": str(int(ids[after], 16))}
                site.members.call(leader, "/v3/maintenance/transfer-leadership", data)

    with breaking.running(flap, ended):
        yield
