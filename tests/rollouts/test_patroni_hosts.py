"""Real PostgreSQL under Patroni on three real hosts with systemd, over SSH: restarted by one
command while somebody writes, and with the power of a host cut in the middle. Their store is an
etcd on the same hosts, so its members are neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psycopg
import pytest

from tests.clusters.patroni_cluster import PASSWORD, USER, PatroniSite, wait_for
from tests.clusters.site import Writer
from tests.lab import Lab, LabHost
from tests.lab.haproxy import HAProxy
from tests.lab.lab import in_parallel
from tests.rollouts.site import Site
from tests.rollouts.test_etcd_hosts import HostedEtcd, etcd, machines, stopped

__all__ = ["etcd"]
PG_UNIT = """\
[Unit]
Description=PostgreSQL under Patroni
After=network.target

[Service]
User=postgres
ExecStart=/usr/bin/patroni /etc/patroni.json
KillMode=process
Restart=on-failure
TimeoutStopSec=60

[Install]
WantedBy=multi-user.target
"""
CONFIG = """\
project: site
hosts:
{machines}
services:
  pg:
    on: [{names}]
    systemd: pg.service
    soak: 0s
    health: {{http: "http://{{address}}:{port}/health", timeout: 40s}}
    cluster:
      patroni:
        url: "http://{{address}}:{port}"
        login: {{user: {user}, password: "env:GAPLESS_TEST_PATRONI"}}
      transfer: 60s
      rejoin: 60s
  etcd:
    on: [{names}]
    systemd: etcd.service
    soak: 0s
    health: {{http: "http://{{address}}:{etcd}/health", timeout: 20s}}
    cluster: {{etcd: {{url: "http://{{address}}:{etcd}", timeout: 1s}}}}
"""


class HostedPatroni(PatroniSite):
    """``pg1`` … are on the hosts in their order."""

    def __init__(self, store: HostedEtcd) -> None:
        super().__init__()
        self.hosts = dict(zip(self.names, store.hosts.values(), strict=True))
        self.store = store
        self.api_port, self._port = 8008, 5432

    def address(self, name: str) -> str:
        return self.hosts[name].address

    def store_of(self, name: str) -> str:
        """The one beside it."""
        return self.store.url(f"etcd{name.removeprefix('pg')}")

    def begin_store(self) -> None:
        """It runs."""

    def configure(self, name: str, *, replicator: str = "replicator") -> None:
        """As beside others, but for the places on a host of its own."""
        super().configure(name, replicator=replicator)
        config = json.loads((self.folder / f"{name}.yml").read_text())
        # a store that is slow for others' sake is none that is lost: their defaults
        config["bootstrap"]["dcs"] |= {"ttl": 30, "retry_timeout": 10}
        server = config["postgresql"]
        server |= {"data_dir": "/srv/pg/data", "pgpass": "/srv/pg/pgpass"}
        server["pg_hba"] = [line.replace("127.0.0.0/8", "all") for line in server["pg_hba"]]
        host = self.hosts[name]
        host.put_file("/etc/patroni.json", json.dumps(config), mode="640", owner="postgres")
        host.run(["install", "-d", "-o", "postgres", "-m", "700", "/srv/pg"])
        host.install_unit("pg.service", PG_UNIT)
        host.run(["systemctl", "enable", "--quiet", "pg"])

    def start_member(self, name: str) -> None:
        """By the service manager."""
        self.hosts[name].run(["systemctl", "start", "pg"])

    def write(self) -> None:
        """Theirs is the file of the rollouts."""

    def leading(self) -> LabHost:
        """Whose member leads."""
        return self.hosts[self.leader()]

    def end(self) -> None:
        """Nothing of it runs any more."""
        running = [host for host in self.hosts.values() if host.is_running()]
        in_parallel(lambda host: host.run(["systemctl", "kill", "-s", "KILL", "pg"]), running)
        self.names = []  # nothing of it runs on this machine
        super().end()


@pytest.fixture
def patroni(etcd: HostedEtcd) -> Iterator[HostedPatroni]:
    """On the hosts of its store."""
    made = HostedPatroni(etcd)
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.fixture
def site(tmp_path: Path, lab: Lab, patroni: HostedPatroni, monkeypatch: pytest.MonkeyPatch) -> Site:
    """gapless.yaml with both; nothing is in front of them."""
    monkeypatch.setenv("GAPLESS_TEST_PATRONI", PASSWORD)
    hosts = list(patroni.hosts.values())
    words = {
        "names": ", ".join(host.name for host in hosts),
        "machines": machines(lab, hosts),
        "user": USER,
    }
    ports = {"port": patroni.api_port, "etcd": patroni.store.client_port}
    (tmp_path / "gapless.yaml").write_text(CONFIG.format(**words, **ports))
    return Site(tmp_path, hosts, cast(HAProxy, None))


def test_no_write_is_lost_and_a_power_cut_stops_the_rollout(
    site: Site, patroni: HostedPatroni
) -> None:
    """Units are restarted, the leader last. Then a follower's host loses its power while the first
    one is restarted again: that one comes back, and no other is stopped. When the host is up again
    the rest is restarted."""
    leader, began = patroni.leading(), patroni.began()
    with Writer(patroni.put, psycopg.Error, rate=20.0) as writer:
        site.run("restart", "pg", "--yes", "--reason", "test", check=0)
    print(f"{len(writer.acknowledged)} writes, longest {writer.longest:.2f} s")
    assert len(writer.acknowledged) > 50
    assert not patroni.lost(writer.acknowledged)
    assert sorted(stopped(site)) == sorted(host.name for host in site.hosts)
    assert stopped(site)[-1] == leader.name
    assert patroni.timeline() == 2, "one switchover, and no failover"
    assert all(patroni.began()[name] != began[name] for name in patroni.names)
    wait_for(patroni.well, "two replicas that stream")
    _lose_power(site, patroni)


def _lose_power(site: Site, patroni: HostedPatroni) -> None:
    leader, config = patroni.leading(), site.folder / "gapless.yaml"
    config.write_text(config.read_text().replace("soak: 0s", "soak: 6s"))  # time to act in
    with Writer(patroni.put, psycopg.Error, rate=20.0) as writer:
        rollout = site.start("restart", "pg", "--yes", "--reason", "test")
        site.wait_for_new("step.started", step="switch")
        (first,) = stopped(site)
        victim = next(h for h in site.hosts if h.name not in (first, leader.name))
        victim.power_cut()
        told, _ = rollout.communicate(timeout=200)
        assert rollout.returncode not in (0, 6), told
        assert set(stopped(site)) == {first}
        victim.boot_again()
        wait_for(patroni.well, "two replicas that stream", 120)
        config.write_text(config.read_text().replace("soak: 6s", "soak: 0s"))
        site.run("restart", "pg", "--yes", "--reason", "again", check=0)
    assert not patroni.lost(writer.acknowledged)
