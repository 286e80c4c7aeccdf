"""A real etcd on three real hosts with systemd, over SSH: restarted by one command while somebody
writes, and with the power of a host cut in the middle."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from tests.clusters.etcd_cluster import PROGRAM, EtcdMembers
from tests.clusters.site import Writer
from tests.lab import Lab, LabHost
from tests.lab.haproxy import HAProxy
from tests.lab.lab import in_parallel
from tests.rollouts.site import Site

UNIT = """\
[Unit]
Description=etcd
After=network.target

[Service]
Type=notify
ExecStart={argv}
Restart=on-failure
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
"""
CONFIG = """\
project: site
hosts:
{machines}
services:
  etcd:
    on: [{names}]
    systemd: etcd.service
    soak: 0s
    health: {{http: "http://{{address}}:{port}/health", timeout: 20s}}
    cluster:
      etcd: {{url: "http://{{address}}:{port}", timeout: 1s}}
      rejoin: 10s
"""


class HostedEtcd(EtcdMembers):
    """``etcd1`` … are the hosts in their order."""

    def __init__(self, folder: Path, hosts: Sequence[LabHost]) -> None:
        super().__init__(folder)
        self.hosts = {f"etcd{n}": host for n, host in enumerate(hosts, 1)}
        self._turns = itertools.cycle(self.hosts)

    def address(self, name: str) -> str:
        return self.hosts[name].address

    def _data(self, name: str) -> Path:
        return Path("/srv/etcd")

    def begin_on_hosts(self) -> None:
        """Installed and started everywhere; returns when all follow one leader."""
        assert PROGRAM
        program = Path(PROGRAM).read_bytes()
        units = {host.name: self._unit(name) for name, host in self.hosts.items()}

        def install(host: LabHost) -> None:
            host.put_file("/usr/local/bin/etcd", program, mode="755")
            host.install_unit("etcd.service", units[host.name])
            host.run(["systemctl", "enable", "--quiet", "etcd"])
            host.run(["systemctl", "start", "--no-block", "etcd"])

        in_parallel(install, list(self.hosts.values()))
        self.wait(lambda: self._one_leader(list(self.hosts)), "one leader")

    def _unit(self, name: str) -> str:
        words = ["/usr/local/bin/etcd", *self._words(name, list(self.hosts), "new")]
        return UNIT.format(argv=" ".join(words))

    def put_somewhere(self, key: str) -> None:
        """To the next member. Raises OSError."""
        self.put(next(self._turns), key, key)

    def lost(self, keys: Sequence[str]) -> list[str]:
        """Those that the quorum does not have."""
        until = time.monotonic() + 30
        while True:
            for name in self.hosts:
                with suppress(OSError):
                    there = self.keys(name, "n")
                    return [key for key in keys if there.get(key) != key]
            assert time.monotonic() < until, "nobody can be read from"
            time.sleep(0.1)

    def leading(self) -> LabHost:
        """Whose member leads."""
        leads = self.leader("etcd1")
        return next(host for name, host in self.hosts.items() if self.id(name) == leads)


@pytest.fixture
def etcd(tmp_path: Path, hosts: list[LabHost]) -> Iterator[HostedEtcd]:
    """On the first three."""
    made = HostedEtcd(tmp_path, hosts[:3])
    made.begin_on_hosts()
    yield made
    for host in made.hosts.values():
        if host.is_running():
            host.run(["systemctl", "stop", "etcd"], check=False)


@pytest.fixture
def site(tmp_path: Path, lab: Lab, etcd: HostedEtcd) -> Site:
    """gapless.yaml; nothing is in front of it."""
    hosts = list(etcd.hosts.values())
    names = ", ".join(host.name for host in hosts)
    text = CONFIG.format(machines=machines(lab, hosts), names=names, port=etcd.client_port)
    (tmp_path / "gapless.yaml").write_text(text)
    return Site(tmp_path, hosts, cast(HAProxy, None))


def machines(lab: Lab, hosts: Sequence[LabHost]) -> str:
    """As gapless.yaml has them."""
    return "\n".join(
        f"  {host.name}: {{address: {host.address}, port: {host.port}, user: deploy,"
        f" key: {lab.keys.client}, known_hosts: {lab.keys.known_hosts}, reconnect: 5s}}"
        for host in hosts
    )


def begun(site: Site) -> dict[str, str]:
    return {h.name: h.show("etcd", "InvocationID")["InvocationID"] for h in site.hosts}


def stopped(site: Site) -> list[str]:
    """Hosts in the order in which their members were restarted."""
    kinds = ("step.started", "switch")
    return [e["host"] for e in site.events() if (e["type"], e.get("step")) == kinds]


def test_units_are_restarted_the_leader_last_and_no_write_is_lost(
    site: Site, etcd: HostedEtcd
) -> None:
    before, leader = begun(site), etcd.leading()
    with Writer(etcd.put_somewhere, OSError) as writer:
        site.run("restart", "etcd", "--yes", "--reason", "test", check=0)
    print(f"{len(writer.acknowledged)} writes, longest {writer.longest:.2f} s")
    assert len(writer.acknowledged) > 50
    assert not etcd.lost(writer.acknowledged)
    order = stopped(site)
    assert sorted(order) == sorted(host.name for host in site.hosts)
    assert order[-1] == leader.name
    after = begun(site)
    assert all(after[name] != before[name] for name in before)


def test_a_host_whose_power_is_cut_in_the_middle_stops_the_rollout(
    site: Site, etcd: HostedEtcd
) -> None:
    """A follower that was not touched yet goes down while the first one is restarted: that one
    comes back, and no other is stopped. When the host is up again the rest is restarted."""
    leader, config = etcd.leading(), site.folder / "gapless.yaml"
    config.write_text(config.read_text().replace("soak: 0s", "soak: 6s"))  # time to act in
    with Writer(etcd.put_somewhere, OSError) as writer:
        rollout = site.start("restart", "etcd", "--yes", "--reason", "test")
        site.wait_for_new("step.started", step="switch")
        (first,) = stopped(site)
        victim = next(h for h in site.hosts if h.name not in (first, leader.name))
        victim.power_cut()
        told, _ = rollout.communicate(timeout=150)
        assert rollout.returncode not in (0, 6), told
        assert set(stopped(site)) == {first}
        victim.boot_again()
        etcd.wait(lambda: etcd._one_leader(list(etcd.hosts)), "all three")
        config.write_text(config.read_text().replace("soak: 6s", "soak: 0s"))
        site.run("restart", "etcd", "--yes", "--reason", "again", check=0)
    assert not etcd.lost(writer.acknowledged)
