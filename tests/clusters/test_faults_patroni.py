"""What goes wrong while a real PostgreSQL under Patroni is restarted: no second member is touched,
and what was acknowledged is there.

Left out, for the driver has no part in it (see etcd): another member that is stopped by hand in
the middle is silent, as one that is cut off, and leadership may flap without an end.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from tests.clusters import breaking, faults
from tests.clusters.faults import FaultySite
from tests.clusters.patroni_cluster import PatroniSite, logs, wait_for

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("clusters-faults-patroni")]
_SMALL = "pg3"
"""Whose disk can be filled."""
_LAG = 5000


class FaultyPatroni(PatroniSite, FaultySite):
    """One replica has a small disk of its own, where such a thing can be had."""

    FAILURES = psycopg.Error
    RATE = 20.0

    def __init__(self) -> None:
        super().__init__()
        self._disk = ExitStack()
        self.disk = self.folder / "disk"
        self.has_disk = self._disk.enter_context(breaking.small_disk(self.disk, 300))

    def told(self, *, health: str, rejoin: str) -> None:
        """How long it may take."""
        self.settings = {
            "health": {**self.service()["health"], "timeout": health},
            "cluster": {
                "patroni": {**self.driven(), "timeout": "1s", "lag": _LAG},
                "rejoin": rejoin,
                "transfer": "10s",
            },
        }

    def end(self) -> None:
        self.give_up()
        self.kill()  # while the disk is there to read their numbers from
        self._disk.close()
        super().end()

    def data(self, name: str) -> Path:
        return self.disk / name if name == _SMALL and self.has_disk else super().data(name)

    def settled(self) -> None:
        wait_for(self.well, "a healthy cluster")

    def processes(self, name: str) -> list[int]:
        """Of Patroni and of its PostgreSQL."""
        postmaster = int((self.data(name) / "postmaster.pid").read_text().split()[0])
        return [*breaking.family(postmaster), self.pid(name)]

    def streams(self, name: str) -> bool:
        """Whether its PostgreSQL gets all from another one, or gives it."""
        with suppress(psycopg.Error), self.connected(name) as connection:
            words = "SELECT NOT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_stat_wal_receiver"
            found = connection.execute(f"{words} WHERE status = 'streaming')").fetchone()
            return found is not None and bool(found[0])
        return False

    @contextmanager
    def standing_still(self, *names: str) -> Iterator[None]:
        """These replay nothing of what they get."""
        replaying = [pid for name in names for pid in self.processes(name) if _replays(pid)]
        assert len(replaying) == len(names)
        # Patroni itself would take back pg_wal_replay_pause()
        breaking.signalled(replaying, signal.SIGSTOP)
        with self.connected() as connection:
            words = "INSERT INTO written SELECT 'behind ' || n FROM generate_series(1, 300) n"
            connection.execute(f"{words} ON CONFLICT (key) DO UPDATE SET key = excluded.key")
        try:
            yield
        finally:
            breaking.signalled(replaying, signal.SIGCONT)

    @contextmanager
    def disk_full(self, name: str) -> Iterator[None]:
        """There is no room for one more file of the log."""
        assert name == _SMALL
        with breaking.full(self.disk):
            for _ in range(3):
                with self.connected() as connection:
                    connection.execute("SELECT pg_switch_wal()")
                    connection.execute("INSERT INTO written VALUES ('full') ON CONFLICT DO NOTHING")
            wait_for(lambda: not self.streams(name), "nothing more goes there")
            yield


def _replays(pid: int) -> bool:
    return b"startup" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.fixture(scope="module")
def cluster() -> Iterator[FaultyPatroni]:
    made = FaultyPatroni()
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.fixture
def site(cluster: FaultyPatroni) -> FaultyPatroni:
    """All of it well, whatever the test before did."""
    cluster.told(health="5s", rejoin="3s")
    try:
        cluster.mended()
    except AssertionError as error:
        raise AssertionError(logs(cluster)) from error
    return cluster


def test_no_follower_is_in_sync_at_the_start(site: FaultyPatroni) -> None:
    with site.standing_still(*site.followers):
        faults.refused_at_the_start(site, "lagging: pg3", "nobody-takes-over", "no-candidate")


def test_a_member_that_does_not_come_back_is_the_last_that_is_touched(site: FaultyPatroni) -> None:
    faults.stays_away(site)


def test_a_follower_that_is_cut_off_in_the_middle(site: FaultyPatroni) -> None:
    faults.cut_off_in_the_middle(site)


def test_followers_that_lag_in_the_middle(site: FaultyPatroni) -> None:
    site.told(health="5s", rejoin="8s")
    site.write()
    faults.lags_in_the_middle(site, site.standing_still, site.streams)


def test_a_follower_whose_disk_is_full_in_the_middle(site: FaultyPatroni) -> None:
    if not site.has_disk:
        breaking.need("root is needed to mount a small disk")
    assert site.leader() != _SMALL
    faults.broken_in_the_middle(site, site.disk_full)


def test_a_follower_that_is_slow(site: FaultyPatroni) -> None:
    faults.slow_in_the_middle(site, site.processes, alone=True)


def test_somebody_fails_over_by_hand_in_the_middle(site: FaultyPatroni) -> None:
    """To one that is still to be restarted as a follower: it makes way before."""
    site.told(health="10s", rejoin="15s")
    site.write()
    old, line = site.leader(), site.timeline()
    with site.writing() as writer:
        rollout = site.restart("--hosts", ",".join(site.followers))
        first = site.wait_for("step.started", "rejoin")
        new = site.other(first)
        site.tell(old, "POST", "/switchover", {"leader": old, "candidate": new})
        faults.nobody_leads_who_is_stopped(site, rollout)
    assert site.order() == [first, new]
    assert site.timeline() == line + 2, "one switchover of ours, and no failover"
    faults.assert_nothing_lost(site, writer)


def test_each_that_comes_back_empty_clones_itself_anew(site: FaultyPatroni) -> None:
    site.told(health="30s", rejoin="20s")
    site.write()
    faults.fills_who_comes_back_empty(site, site.streams, *site.followers)
