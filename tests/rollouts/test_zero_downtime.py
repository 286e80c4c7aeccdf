"""The promise, on five real hosts behind a real HAProxy, measured from outside."""

from __future__ import annotations

import pytest

from tests.lab.load import Load
from tests.rollouts.site import Site

RATE = 50
"""Requests per second of each kind: new connections and kept alive, 100 in all."""


@pytest.mark.parametrize("run", range(5))
def test_rolling_restart_under_load_loses_nothing(site: Site, run: int) -> None:
    before = site.invocations()
    with (
        Load(site.proxy.url, rate=RATE, keep_alive=False) as new,
        Load(site.proxy.url, rate=RATE, keep_alive=True) as kept,
    ):
        site.run("restart", "--yes", "--reason", "test", check=0)
    assert new.report.sent > 100
    assert (new.report.failed, kept.report.failed) == (0, 0), (
        new.report.errors,
        kept.report.errors,
    )
    after = site.invocations()
    assert all(before[name] != after[name] for name in before)


def test_a_bad_release_loses_nothing_and_is_stopped_at_the_canary(site: Site) -> None:
    site.run("deploy", "--yes", "--reason", "first", check=0)
    restarts = site.invocations()
    site.new_release(VERSION="2", BEHAVIOUR="unhealthy")
    with (
        Load(site.proxy.url, rate=RATE, keep_alive=False) as new,
        Load(site.proxy.url, rate=RATE, keep_alive=True) as kept,
    ):
        done = site.run("deploy", "--yes", "--reason", "bad", check=4)
    assert (new.report.failed, kept.report.failed) == (0, 0), (
        new.report.errors,
        kept.report.errors,
    )
    assert set(site.versions().values()) == {"1"}
    after = site.invocations()
    touched = [name for name in restarts if restarts[name] != after[name]]
    assert touched == [site.hosts[0].name]
    assert "unhealthy" in done.stderr + done.stdout


def test_a_good_release_reaches_every_host_and_can_be_taken_back(site: Site) -> None:
    site.run("deploy", "--yes", check=0)
    site.new_release(VERSION="2")
    site.run("deploy", "--yes", check=0)
    assert set(site.versions().values()) == {"2"}
    site.run("rollback", "api", "--yes", "--reason", "test", check=0)
    assert set(site.versions().values()) == {"1"}


def test_nothing_to_do_is_exit_0_and_touches_nothing(site: Site) -> None:
    site.run("deploy", "--yes", check=0)
    before = site.invocations()
    done = site.run("deploy", "--yes", check=0)
    assert site.invocations() == before
    assert "othing to do" in done.stdout + done.stderr
