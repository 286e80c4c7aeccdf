"""A refused rollout says why once."""

from __future__ import annotations

import pytest

from gapless.drivers.transports.ssh_errors import Target, connection_error
from gapless.drivers.transports.ssh_way import Way
from gapless.engine.opening import _refusal
from gapless.engine.outcome import Ending
from gapless.errors import GaplessError, PreflightFailed
from gapless.plans import Batch, ServicePlan, Verb
from gapless.render.result import render_report
from gapless.report.summarize import summarize
from gapless.testing.virtual_time import run_virtual
from tests.unit.docs.seed_site import HOSTS, SeedSite


def refused(site: SeedSite) -> tuple[GaplessError, str]:
    ending: Ending = run_virtual(site.restart())
    assert ending.exit_code == 3
    assert ending.error is not None
    return ending.error, render_report(summarize(None, site.events))


def test_a_host_that_does_not_answer_is_told_once() -> None:
    site = SeedSite()
    site.host("web1").unreachable_until = 1e9
    error, screen = refused(site)
    assert error.what == "api on web1 is not fit to be touched: no connection"
    assert screen.count("no connection") == 1
    assert screen.count("Connection refused") == 1
    assert "Refused:" not in screen
    assert screen.endswith("Nothing was changed.\n")


def test_how_to_go_on_without_a_dead_host_is_told() -> None:
    site = SeedSite()
    site.host("web1").unreachable_until = 1e9
    error, screen = refused(site)
    assert "or the same command with --max-failed 1, or with --hosts '!web1'" in error.next
    assert "--hosts '!web1'" in screen


def test_a_sick_host_is_not_gone() -> None:
    site = SeedSite()
    site.unit("web2").healthy = False
    assert "--max-failed" not in refused(site)[0].next


def test_a_unit_that_is_down_is_told_in_words() -> None:
    site = SeedSite()
    run_virtual(site.unit("web2").stop())
    error, _ = refused(site)
    assert error.what == "api on web2 is not fit to be touched: it is inactive (dead)"


def test_several_hosts_are_told_once_each() -> None:
    site = SeedSite()
    for name in HOSTS:
        site.host(name).unreachable_until = 1e9
    error, screen = refused(site)
    assert error.what == "api is not fit to be touched on 2 hosts"
    assert screen.count("no connection") == 2
    assert error.next == "gapless doctor --hosts web1,web2"


def test_an_answer_is_told_once_with_what_was_asked_and_wanted() -> None:
    site = SeedSite()
    site.unit("web2").healthy = False
    error, screen = refused(site)
    assert screen.count("503") == 1
    assert "asked GET http://web2:8000/health\nwanted " in error.evidence


def test_a_refused_connection_is_said_in_words_once() -> None:
    target = Target("web1", "web1", 22, Way("web1", user="deploy"), "known_hosts", 10.0)
    error = connection_error(target, ConnectionRefusedError(111, "Connect call failed ('::1', 22)"))
    assert error.what == "cannot connect to web1: Connection refused"
    assert error.evidence == ""
    assert error.next.endswith("By hand: ssh deploy@web1")


@pytest.mark.parametrize(("count", "told"), [(6, True), (21, False)])
def test_the_next_command_leaves_no_host_out(count: int, told: bool) -> None:
    hosts = {f"web{n}": PreflightFailed("sick") for n in range(count)}
    service = ServicePlan(
        "api", 1, (), (), (Batch("batch1", tuple(hosts)),), count, 1, 0, "rollback", 0.0, 1.0
    )
    error = _refusal(Verb.RESTART, [(service, hosts)])
    named = f"gapless doctor --hosts {','.join(hosts)}"
    assert error.next == (named if told else "gapless doctor")
