"""A real cluster of etcd is restarted by one command, while somebody writes all the time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.site import EtcdSite, Writer

pytestmark = pytest.mark.timeout(180)

# What etcd's own log says of a leader that was elected, of a move that was ordered, and of a stop.
_ELECTED = "became leader at term"
_ORDERED = "starts leadership transfer from"
_LED_NOTHING = "skipped leadership transfer for stopping non-leader member"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[EtcdSite]:
    made = EtcdSite(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_every_member_is_restarted_once_the_leader_last_and_nothing_is_lost(site: EtcdSite) -> None:
    before, leader, elected = site.pids(), _leader(site), _logged(site, _ELECTED)
    with Writer(site.put, OSError) as writer:
        told = site.run("restart", "--yes", "--reason", "test")
    assert not site.lost(writer.acknowledged)
    assert len(writer.acknowledged) > 50
    assert site.order()[-1] == leader
    after = site.pids()
    assert all(after[name] != before[name] for name in site.names), told
    evacuated = [e for e in site.events() if e.type == "step.succeeded" and e.step == "evacuate"]
    moved = [event.data["moved"] for event in evacuated]
    assert _logged(site, _LED_NOTHING) == len(site.names)
    assert _logged(site, _ORDERED) == sum(moved)
    # A machine that is busy enough holds an election that nobody asked for: then nothing is moved.
    by_itself = _logged(site, _ELECTED) - elected - sum(moved)
    assert moved == [0, 0, 1] or by_itself


def test_the_plan_says_who_leads_and_goes_last(site: EtcdSite) -> None:
    plan = " ".join(site.run("plan", "restart").split())
    leader = _leader(site)
    assert f"followers first; {leader} leads 1 of 1 groups" in plan


def test_with_a_member_down_nothing_is_touched(site: EtcdSite) -> None:
    site.settings["rollout"] = {"max_unavailable": 2}  # the cluster knows better than a number
    site.write()
    followers = [name for name in site.names if name != _leader(site)]
    site.keep(followers[0], "stop")
    before = {name: site.keep(name, "status") for name in site.names if name != followers[0]}
    hosts = f"all,!{followers[0]}"
    plan = " ".join(site.run("plan", "restart", "--hosts", hosts).split())
    assert "refused as things are" in plan
    told = " ".join(
        site.run("restart", "--yes", "--reason", "x", "--hosts", hosts, check=3).split()
    )
    assert "quorum-lost: raft: 1 of 3 would be left, and it needs 2" in told
    told = site.run("restart", "--yes", "--force", "--reason", "x", "--hosts", hosts, check=3)
    assert "quorum-lost" in told
    assert before == {name: site.keep(name, "status") for name in before}


@pytest.mark.parametrize("step", ["evacuate", "switch", "rejoin"])
def test_a_controller_that_was_killed_is_resumed(site: EtcdSite, step: str) -> None:
    before = site.pids()
    with Writer(site.put, OSError) as writer:
        controller = site.start("restart", "--yes", "--reason", "test")
        try:
            site.wait_for("step.started", step)
        finally:
            controller.send_signal(signal.SIGKILL)
            controller.wait()
        site.run("resume")
    assert not site.lost(writer.acknowledged)
    after = site.pids()
    assert all(after[name] != before[name] for name in site.names)
    stops = site.order()
    assert sorted(set(stops)) == sorted(site.names)


def _leader(site: EtcdSite) -> str:
    leads = site.members.leader(site.names[0])
    return next(name for name in site.names if site.members.id(name) == leads)


def _logged(site: EtcdSite, words: str) -> int:
    """How often, by all of them."""
    return sum(site.log(name).count(words) for name in site.names)
