"""A restart that a person ends half-way: what was restarted is told."""

from __future__ import annotations

import pytest

from tests.simulation.faults.shop import Shop


def ask_to_abort(shop: Shop) -> None:
    shop.journal().request(shop.last().id, "abort", "ann", 1.0)


def test_an_aborted_restart_tells_what_was_restarted(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.at("web2/api/verify", lambda: ask_to_abort(shop))
    ended = shop.gapless("restart", "--yes", code=4)
    assert [deed for deed in shop.changed() if deed.startswith("web3")] == []
    assert "before anything" not in ended.text
    assert "Aborted; what was restarted runs the release it had, and is checked" in ended.text
    assert f"now api {old}: web1 web2 (restarted), web3 (not touched)" in ended.text


def test_an_abort_is_heard_in_the_middle_of_a_soak(shop: Shop) -> None:
    shop.at("web2/api/soak", lambda: ask_to_abort(shop))
    shop.gapless("restart", "--yes", code=4)
    told = [e for e in shop.journal().events(shop.last().id) if e.host == "web2"]
    types = [f"{e.type} {e.step}" for e in told]
    soaks, back = types.index("step.started soak"), types.index("rollback.started switch")
    assert "step.succeeded soak" not in types[soaks:back]
    assert told[back].ts - told[soaks].ts < 1.0


def test_a_restart_that_is_interrupted_and_then_aborted(shop: Shop) -> None:
    shop.kill_at("web3/api/drain")
    shop.killed("restart", "--yes")
    ended = shop.gapless("abort", "--progress=plain", code=4)
    assert "is taken up again, to be taken back" in ended.text
    assert "goes on" not in ended.text
    assert "before anything" not in ended.text
    assert "web1 web2 (restarted)" in ended.text


def test_a_plan_beside_an_interrupted_rollout_says_what_ends_that(shop: Shop) -> None:
    shop.kill_at("web3/api/drain")
    shop.killed("restart", "--yes")
    rollout = shop.last().id
    ways = f"gapless resume {rollout} or gapless abort {rollout}"
    for words in (("plan", "restart"), ("restart", "--dry-run")):
        told = shop.gapless(*words, code=0).text
        assert f"Refused as long as this restart of api is interrupted (rollout {rollout})" in told
        assert ways in told
    shop.gapless("plan", "restart", "--exit-code", code=3)
    shop.gapless("abort", code=4)
    assert "Refused as long" not in shop.gapless("plan", "restart", "--exit-code", code=10).text


@pytest.mark.parametrize("verb", ["restart", "deploy"])
def test_an_abort_before_anything_was_changed(shop: Shop, verb: str) -> None:
    shop.release("2")
    shop.kill_at("web1/api/snapshot")
    shop.killed(verb, "--yes")
    ended = shop.gapless("abort", code=4)
    assert shop.changed() == []
    assert "Aborted before anything that runs was changed" in ended.text
