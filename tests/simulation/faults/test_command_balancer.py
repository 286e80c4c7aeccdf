"""Whole rollouts behind a real command balancer: its count of who is up holds the floor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.faults.pool import HOSTS, Pool

pytestmark = pytest.mark.real

ONE_BY_ONE = [
    "out h1: h2 h3",
    "in h1: h1 h2 h3",
    "out h2: h1 h3",
    "in h2: h1 h2 h3",
    "out h3: h1 h2",
    "in h3: h1 h2 h3",
]


@pytest.mark.parametrize("on", ["", "h2"])
def test_restart_behind_a_command_balancer(tmp_path: Path, on: str) -> None:
    pool = Pool(tmp_path, on=on)
    pool.gapless("restart", "api", "--yes", code=0)
    assert pool.orders() == ONE_BY_ONE
    assert all(pool.identity(host) != "1" for host in HOSTS)


def test_restart_behind_a_command_balancer_that_tells_no_state(tmp_path: Path) -> None:
    """Nobody can count then: the floor is held by gapless' own knowledge."""
    pool = Pool(tmp_path, state=False)
    told = pool.gapless("restart", "api", "--yes", code=0)
    assert pool.orders() == ONE_BY_ONE
    assert "out of traffic (timed)" in told


def test_too_few_are_up_in_a_command_balancer(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    (tmp_path / "h3.out").touch()  # somebody took it out of traffic: it runs and is healthy
    told = pool.gapless("restart", "api", "--hosts", "h1", "--yes", code=4)
    assert "edge reports 1 of the other instances up; the floor is 2" in told
    assert pool.orders() == []
    assert pool.identity("h1") == "1"
    (tmp_path / "h2.out").touch()
    told = pool.gapless("restart", "api", "--hosts", "h1", "--yes", code=4)
    assert "edge reports none of the other instances up; the floor is 2" in told


@pytest.mark.parametrize("on", ["", "h2"])
def test_status_and_doctor_ask_a_command_balancer(tmp_path: Path, on: str) -> None:
    pool = Pool(tmp_path, on=on)
    (tmp_path / "h3.out").touch()
    told = pool.gapless("status", code=0)
    assert "api h2 running - up - - PASS" in told
    assert "api h3 running - drained - - PASS" in told
    told = pool.gapless("doctor", code=0)
    assert "0 problems. asked ssh, sudo, clock, disk, api, edge" in told


def test_doctor_of_a_command_balancer_that_is_not_there(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    file = tmp_path / "gapless.yaml"
    file.write_text(file.read_text().replace(f"sh {tmp_path}/edge out", "/no/such/poolctl out"))
    (tmp_path / "edge").write_text("echo out of order; exit 3\n")
    told = pool.gapless("doctor", code=3)
    assert "✗ here: edge asked drain: command -v /no/such/poolctl" in told
    assert "remedy install it there, or correct drain: of balancers.edge in gapless.yaml" in told
    assert told.count("ended with 3 on localhost") == 3
    assert "4 problems." in told
    assert "edge: sh ended with 3 on localhost" in pool.gapless("status", code=0)
