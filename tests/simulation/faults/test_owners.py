"""Who owns a service, asked from a controller that does not own it."""

from __future__ import annotations

import json

import click
import pytest

from gapless.cli import rolling
from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.faults.shop import HOSTS, Shop

FOREVER = 1e6


def interrupted(shop: Shop) -> str:
    shop.kill_at("web2/api/soak")
    shop.killed("restart", "--yes", "--reason", "new certificates")
    shop.rest(1.0)
    return shop.last().id


@pytest.fixture
def elsewhere(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> str:
    """A rollout under way whose controller's disk is gone: another laptop looks."""
    rollout = interrupted(shop)
    monkeypatch.setenv("GAPLESS_STATE", str(shop.folder / "another"))
    return rollout


def test_a_lock_that_only_hosts_know_is_shown(shop: Shop, elsewhere: str) -> None:
    shown = shop.gapless("lock", code=0)
    assert "Nothing is locked" not in shown.text
    assert f"{elsewhere} no, says web[1:3] new certificates" in shown.text
    assert "gapless lock break api" in shown.text
    assert elsewhere in shop.gapless("lock", "--json", code=0).out
    refused = shop.gapless("restart", "--yes", code=6)
    assert (
        f"rollout {elsewhere} owns it, and its controller is not connected there now"
        in refused.text
    )


def test_hosts_that_cannot_be_asked_are_named(shop: Shop) -> None:
    assert shop.gapless("lock", code=0).text == "Nothing is locked."
    shop.host("web2").cut(FOREVER)
    shown = shop.gapless("lock", code=0)
    assert "Nothing is locked, as far as could be asked." in shown.text
    assert "Not asked: web2: no connection" in shown.text


def test_whose_lock_was_broken(shop: Shop, elsewhere: str) -> None:
    ended = shop.gapless("lock", "break", "api", "--reason", "its disk is gone", "--yes", code=0)
    assert "The lock of api is broken." in ended.text
    assert f"Rollout {elsewhere} of root on " in ended.text
    assert "known to web[1:3]: its controller is not connected" in ended.text
    assert shop.gapless("lock", code=0).text == "Nothing is locked."
    again = shop.gapless("lock", "break", "api", "--reason", "again", "--yes", code=0)
    assert "Nobody owned api, neither here nor on its hosts" in again.text


@pytest.mark.parametrize("verb", ["restart", "lock break"])
def test_no_is_an_answer(
    shop: Shop, elsewhere: str, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(rolling, "terminal", lambda: True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda *args, **more: False)
    options = ("api", "--reason", "x") if verb != "restart" else ()
    ended = shop.gapless(*verb.split(), *options, code=3)
    assert "Nothing was changed." in ended.text
    if verb != "restart":
        assert f"Rollout {elsewhere} of root on " in ended.text
        assert elsewhere in shop.gapless("lock", code=0).text


def test_a_paused_rollout_is_not_at_work(shop: Shop) -> None:
    shop.edit("rollout: {canary: 1, batch: 1}", "rollout: {canary: 1, batch: 1, on_failure: pause}")
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=7)
    rollout = shop.last().id
    ways = f"gapless promote {rollout} or gapless abort {rollout}"
    assert ways in ended.text
    refused = shop.gapless("restart", "--yes", code=6)
    assert f"rollout {rollout} is paused" in refused.text
    assert "at work" not in refused.text
    for shown in (refused, *(shop.gapless(*w, code=0) for w in (("lock",), ("status",)))):
        assert ways in shown.text
        assert "gapless resume" not in shown.text
    paused = shop.gapless("pause", code=0)
    assert "it is paused already" in paused.text
    assert ways in paused.text
    assert shop.serving() == list(HOSTS)


def test_pause_of_a_rollout_that_nobody_works_on(shop: Shop) -> None:
    rollout = interrupted(shop)
    paused = shop.gapless("pause", code=0)
    assert f"Rollout {rollout} begins nothing new: nobody works on it" in paused.text
    assert f"gapless resume {rollout} or gapless abort {rollout}" in paused.text
    assert shop.journal().requests(rollout) == []


ENVIRONMENTS = "environments: {staging: {}, production: {}}\n"


def test_a_rollout_of_another_environment_here_is_told_as_that(shop: Shop) -> None:
    """Without -e the same hosts are seen: whose lock it is, is known here."""
    shop.config((shop.folder / "gapless.yaml").read_text() + ENVIRONMENTS)
    shop.bad_release(NEVER_READY)
    deploy = ("deploy", "-e", "production", "--yes", "--on-failure", "pause")
    rollout = shop.gapless(*deploy, "--json", code=7).out
    name = json.loads(rollout)["rollout"]
    shown = shop.gapless("lock", code=0).text
    assert f"Rollout {name} is one of production here: deploy of api, paused." in shown
    assert "only hosts know" not in shown
    assert f"gapless promote -e production {name} or gapless abort -e production {name}" in shown
    assert "lock break" not in shown


def test_why_it_was_aborted_is_in_the_history(shop: Shop) -> None:
    shop.bad_release(NEVER_READY)
    shop.gapless("deploy", "--yes", "--on-failure", "pause", code=7)
    name = shop.last().id
    shop.gapless("abort", name, "--reason", "the wrong branch", code=4)
    told = shop.journal().events(name)
    assert [e.reason for e in told if e.type == "abort.requested"] == ["the wrong branch"]
    ended = next(event for event in told if event.type == "rollout.aborted")
    assert ended.reason.endswith(": the wrong branch")
