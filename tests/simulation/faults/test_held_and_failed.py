"""In one batch an instance waits for a person's judgement, and another fails: both are named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gapless.drivers import registry
from gapless.testing.fake_unit import HEALTHY, NEVER_READY
from tests.simulation.faults.errors import Judged
from tests.simulation.faults.shop import HOSTS, Shop

TWO = "batch: 2, max_unavailable: 2"


@pytest.fixture
def both(shop: Shop) -> Shop:
    """Nothing is known of web1's errors; web2 never becomes ready with the new release."""
    judged = Judged(shop, keys="extend: 0s")
    judged.rates.silent.add("web1")
    shop.world._hooks.clear()
    shop.unit("web2").behaviours[shop.release("2")] = NEVER_READY
    return shop


def test_one_failure_too_many_waits_for_nobody(both: Shop) -> None:
    """All goes back as after any failure, and so does what waits."""
    (old, *_) = both.live()
    both.edit("canary: 1, batch: 1", TWO)
    ended = both.gapless("deploy", "--yes", code=4)
    assert "not ready after 20 s" in ended.text
    assert both.live() == [old] * 3
    assert both.serving() == list(HOSTS)
    assert both.journal().locks() == []
    (held,) = both.events("instance.held")
    assert held.host == "web1"
    outcomes = {e.host: e.data["outcome"] for e in both.events("instance.failed")}
    assert outcomes == {"web1": "restored", "web2": "restored"}
    (service,) = both.events("service.failed")
    assert service.data["reason"].startswith("web2: not ready")
    assert service.data["failed"] == ["web2"]


def test_what_was_tolerated_is_named_beside_what_waits(both: Shop) -> None:
    (old, *_) = both.live()
    both.edit("canary: 1, batch: 1", f"{TWO}, max_failed: 1")
    ended = both.gapless("deploy", "--yes", code=7)
    (paused,) = both.events("rollout.paused")
    assert paused.data["failed"] == ["api@web2"]
    assert list(paused.data["held"]) == ["api@web1"]
    assert "web1: too little data to judge" in ended.text
    assert "web2: not ready after 20 s" in ended.text
    new = both.live()[0]
    assert both.live() == [new, old, old]
    both.gapless("resume", code=5)
    assert both.live() == [new, old, new]


@pytest.mark.parametrize("policy", ["pause", "stop"])
def test_what_takes_nothing_back_by_itself_waits_for_a_person(both: Shop, policy: str) -> None:
    (old, *_) = both.live()
    both.edit("canary: 1, batch: 1", f"{TWO}, on_failure: {policy}")
    ended = both.gapless("deploy", "--yes", code=7)
    assert "web1: too little data to judge" in ended.text
    assert "web2: not ready after 20 s" in ended.text
    both.gapless("abort", code=4)
    assert both.live() == [old] * 3
    assert both.serving() == list(HOSTS)


JOBS = """\
  jobs:
    on: [web1, web3]
    systemd: jobs.service
    soak: 60s
    release: {directory: jobs, to: /srv/jobs}
    rollout: {batch: 2, max_unavailable: 2}
"""


@pytest.mark.parametrize("policy", ["pause", "stop"])
def test_who_lets_it_go_on_is_heard_as_after_any_failure(both: Shop, policy: str) -> None:
    """With ``pause`` the failure is accepted with it, with ``stop`` nothing more is begun."""
    (old, *_) = both.live()
    both.edit("canary: 1, batch: 1", f"{TWO}, on_failure: {policy}")
    both.gapless("deploy", "--yes", code=7)
    both.gapless("resume", code=5)
    new = both.live()[0]
    assert both.live() == [new, old, new if policy == "pause" else old]
    assert both.serving() == list(HOSTS)


def with_jobs(shop: Shop) -> str:
    """Another service, with a release that does not start on web3; the one it runs now."""
    (shop.folder / "jobs").mkdir()
    (shop.folder / "jobs" / "app").write_text("1")
    shop.config((shop.folder / "gapless.yaml").read_text() + JOBS)
    config = shop.project().services["jobs"].release
    assert config is not None
    new = registry.release("jobs", config, "shop").resolve().name
    for host in ("web1", "web3"):
        shop.host(host).files.mkdir("/srv/jobs/releases/old")
        shop.host(host).files.link("releases/old", "/srv/jobs/current")
        unit = shop.host(host).add_unit(
            "jobs.service", service="jobs", port=9000, release_link="/srv/jobs/current"
        )
        unit.run_already()
    shop.host("web3").units["jobs.service"].behaviours[new] = replace(HEALTHY, crash_after=10.0)
    return "old"


def test_one_service_goes_back_while_another_waits(both: Shop) -> None:
    """web1's instance of api waits; jobs fails meanwhile and is taken back at once."""
    shop = both
    shop.edit("canary: 1, batch: 1", f"{TWO}, max_failed: 1")
    old = with_jobs(shop)
    shop.gapless("deploy", "--yes", code=7)
    units = [shop.host(host).units["jobs.service"] for host in ("web1", "web3")]
    assert [unit.version for unit in units] == [old] * 2
    assert all(unit.serving for unit in units)
    shop.gapless("resume", code=4)  # two failed by now, and api allows one
    assert shop.serving() == list(HOSTS)
