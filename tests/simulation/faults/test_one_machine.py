"""Two names of one machine in one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.faults.pool import HOSTS, Pool

pytestmark = pytest.mark.real

SHARED = "{{transport: local, state_dir: {0}/host, sudo: false}}"


def one_machine(folder: Path) -> Pool:
    hosts = "\n".join(f"  {host}: {SHARED.format(folder)}" for host in HOSTS)
    return Pool(folder, hosts=hosts)


def test_two_names_of_one_machine_are_refused_before_any_change(tmp_path: Path) -> None:
    pool = one_machine(tmp_path)
    told = pool.gapless("doctor", code=3)
    assert "h1 and h2 and h3 are one machine with one state folder" in told
    assert "remedy give h2 a state_dir of its own" in told
    told = pool.gapless("restart", "api", "--yes", code=3)
    assert "h1 and h2 and h3 are one machine with one state folder" in told
    assert "Nothing was changed." in told
    assert pool.orders() == []
    pool.gapless("restart", "api", "--yes", code=3)  # no lock is left, which would be exit code 6


@pytest.mark.parametrize("on", ["", "lb"])
def test_a_balancer_on_the_machine_of_an_instance(tmp_path: Path, on: str) -> None:
    """Both claim the same service at the same place: that is no contest."""
    pool = one_machine(tmp_path)
    state = "state" if not on else "hosts"
    hosts = [f"  {host}: {SHARED.format(f'{tmp_path}/hosts/{host}')}" for host in HOSTS[1:]]
    hosts.append(f"  h1: {{transport: local, state_dir: {tmp_path}/{state}/host, sudo: false}}")
    hosts.append(f"  lb: {{transport: local, state_dir: {tmp_path}/{state}/host, sudo: false}}")
    pool.hosts, pool.on = "\n".join(hosts), on
    pool.write()
    pool.gapless("doctor", code=0)
    pool.gapless("restart", "api", "--yes", code=0)
    assert all(pool.identity(host) != "1" for host in HOSTS)
