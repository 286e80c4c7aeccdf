"""Canaries that get the traffic in shares and are judged beside the old copy, and what that is
worth when the new copy has all of the traffic and nobody is left beside it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.simulation.faults.counted import Counted
from tests.simulation.faults.test_shares import ask, weights

Make = Callable[..., Counted]
FEW = 0.8
"""Requests a second: what comes in all shares together decides nothing."""


@pytest.fixture
def make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Make:
    """A shop of some hosts, with release "1" in slot b."""
    return partial(Counted, tmp_path, monkeypatch, capsys)


@pytest.fixture
def alone(make: Make) -> Counted:
    """One host: with its old copy goes all that a new one can be compared with."""
    return make(on=("web1",))


def test_the_only_instance_ends_done(alone: Counted) -> None:
    name = alone.release("2")
    alone.gapless("deploy", "--yes", code=0)
    alone.all_serve(name)
    assert alone.running() == {"web1": "a"}
    assert weights(alone) == {1}
    (verdict,) = alone.judged("verify")
    assert verdict.startswith("PASS")
    assert not alone.events("check.inconclusive")


def test_the_plan_says_whom_it_is_compared_with(alone: Counted) -> None:
    alone.release("2")
    plan = alone.gapless("plan", "deploy", code=0).text
    assert "balancer errors of the new copy on web1 are judged beside the old one" in plan
    assert "no other instance is left to compare it with" in plan
    plan = alone.gapless("plan", "deploy", "--force", "--reason", "fire", code=0).text
    assert "are judged beside" not in plan


def test_what_its_shares_showed_stands_where_nothing_comes_after(alone: Counted) -> None:
    """Nobody asks for anything any more: that is no reason to wait for a person."""
    name = alone.release("2")
    alone.at("drain", lambda: alone.pace(0.0))
    alone.gapless("deploy", "--yes", code=0)
    alone.all_serve(name)
    (verdict,) = alone.judged("verify")
    assert verdict.startswith("PASS balancer errors of copy a since its first share: 0 of ")
    assert "on copy b" in verdict
    (soaked,) = [e for e in alone.events("step.succeeded") if e.step == "verify"]
    assert soaked.data.get("seconds", 0) < 10, "it was decided: nothing is waited for"


def test_one_that_errs_goes_back_at_its_share(alone: Counted) -> None:
    alone.fails(alone.release("2"), 0.3)
    ended = alone.gapless("deploy", "--yes", "--progress=plain", code=4)
    assert "all traffic back on copy b" in ended.text
    assert "FAILED web1 api shift" in ended.text
    assert alone.running() == {"web1": "b"}
    assert weights(alone) == {1}


def test_one_that_errs_at_the_end_of_its_last_share_goes_back_at_it(alone: Counted) -> None:
    """Between the last look and the end of the share: it is looked at once more."""
    alone.edit("balancer_errors: {}", "balancer_errors: {interval: 1h}")
    alone.fails(alone.release("2"), 0.3)
    alone.gapless("deploy", "--yes", code=4)
    (failed,) = alone.events("step.failed")
    assert failed.step == "shift"


def test_one_that_errs_with_all_of_the_traffic_goes_back(alone: Counted) -> None:
    """The old copy is not beside it any more; what it was counted beside it is what was before."""
    name = alone.release("2")
    alone.at("drain", lambda: alone.fails(name, 0.3))
    alone.gapless("deploy", "--yes", code=4)
    (failed,) = alone.events("step.failed")
    assert failed.step == "soak"
    told = failed.data["verdict"]
    assert told["asked"] == "balancer errors since it has all of the traffic"
    assert re.search(r"baseline 0 of [1-9]\d\d", told["answer"]), told["answer"]
    assert alone.running() == {"web1": "b"}


@pytest.mark.parametrize("share", [1, 2])
def test_a_controller_killed_within_a_share_counts_on(alone: Counted, share: int) -> None:
    """The share that was cut short is given anew for all of its time, and the screen says so. What
    was counted in those before is not forgotten, though the balancer has no history."""
    name = alone.release("2")
    kill_within(alone, share)
    ended = alone.gapless("resume", "--progress=plain", code=0)
    part = ("10 %", "30 %")[share - 1]
    anew = f"copy a gets {part} of the traffic for 2 min, anew: nobody watched it to its end"
    assert anew in ended.text
    assert ended.text.count("anew:") == 1
    alone.all_serve(name)
    assert weights(alone) == {1}
    given = [e for e in alone.events("shift.confirmed") if e.data.get("anew")]
    held = [e for e in alone.events("shift.held") if e.data["share"] == given[0].data["share"]]
    assert held[0].ts - given[0].ts >= 120
    assert seconds_of(alone.shown(2)["verdict"]["answer"]) >= 238


def test_a_controller_killed_within_a_share_forgets_no_error(alone: Counted) -> None:
    """Three requests failed in the first share, which is too few to tell; three more in the second,
    after the kill, are too many. They alone would not be."""
    alone.fails(alone.release("2"), 0.03)
    kill_within(alone, 2, after=20.0)
    alone.gapless("resume", code=4)
    (failed,) = alone.events("step.failed")
    assert (failed.step, seconds_of(failed.data["verdict"]["answer"]) > 120) == ("shift", True)
    given = alone.events("shift.confirmed")[-1]
    assert failed.ts - given.ts < 60
    assert alone.running() == {"web1": "b"}


def test_a_controller_killed_within_a_share_is_aborted(alone: Counted) -> None:
    alone.release("2")
    kill_within(alone, 2)
    alone.gapless("abort", code=4)
    assert alone.running() == {"web1": "b"}
    assert weights(alone) == {1}
    assert alone.lost == []


@pytest.mark.parametrize("step", ["admit", "drain", "soak", "verify"])
def test_a_controller_killed_after_the_shares_knows_what_they_showed(
    alone: Counted, step: str
) -> None:
    name = alone.release("2")
    alone.kill_at(step)
    alone.killed("deploy", "--yes")
    alone.gapless("resume", code=0)
    alone.all_serve(name)
    assert not alone.events("instance.held")


def test_too_little_in_the_shares_is_counted_on(alone: Counted) -> None:
    """What is enough in the end is that of all shares, and what comes after."""
    alone.pace(FEW)
    name = alone.release("2")
    alone.gapless("deploy", "--yes", code=0)
    alone.all_serve(name)
    (verdict,) = alone.judged("verify")
    assert verdict.startswith("PASS balancer errors since it has all of the traffic")
    shown = alone.shown(2)
    assert shown["finding"] == "unknown"
    assert seconds_of(verdict) > 240 + 30, "the shares are a part of it"


def test_too_little_altogether_waits_for_a_person(alone: Counted) -> None:
    alone.pace(0.01)
    name = alone.release("2")
    ended = alone.gapless("deploy", "--yes", code=7)
    assert "too little data to judge" in ended.text
    alone.gapless("resume", code=0)
    alone.all_serve(name)


def test_a_balancer_that_tells_nothing_any_more_is_never_a_pass(alone: Counted) -> None:
    """What the shares showed is not what came after."""
    alone.release("2")
    alone.at("drain", alone.silent)
    ended = alone.gapless("deploy", "--yes", code=7)
    assert "too little data to judge" in ended.text
    assert not alone.judged("verify")[0].startswith("PASS")


def test_errors_of_both_copies_are_not_those_of_the_new_one(alone: Counted) -> None:
    """What was before is what the old copy had at last, not when all was calm."""
    (old,), name = alone.live(), alone.release("2")

    def everywhere() -> None:
        for release in (old, name):
            alone.fails(release, 0.4)

    alone.at("web1/api/shift", lambda: alone.loop.call_later(130, everywhere))
    alone.gapless("deploy", "--yes", code=0)
    alone.all_serve(name)


def test_whom_each_of_several_is_compared_with(make: Make) -> None:
    """The canary with its old copy, and what is untouched; all others with what they had before,
    and what is untouched; the last with what it had before alone."""
    shop = make()
    name = shop.release("2")
    plan = shop.gapless("plan", "deploy", code=0).text
    assert "on all others by what each had before, and by instances that are not touched" in plan
    assert "on web3, the last, by what was before alone" in plan
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(name)
    assert "on copy b and untouched hosts" in shop.shown(2)["verdict"]["answer"]
    _, second, third = shop.judged("verify")
    assert "untouched hosts" in second and re.search(r"baseline 0 of \d+ and", second)
    assert "untouched hosts" not in third and re.search(r"baseline 0 of \d+ \(", third)


def test_an_abort_at_the_share_of_the_only_instance(alone: Counted) -> None:
    alone.release("2")
    alone.at("web1/api/shift", lambda: asyncio.get_running_loop().call_later(30, ask, alone))
    alone.gapless("deploy", "--yes", code=4)
    assert alone.running() == {"web1": "b"}
    assert weights(alone) == {1}


def kill_within(shop: Counted, share: int, *, after: float = 60.0) -> None:
    """The controller dies so many seconds after this share was given."""
    dies = 120 * (share - 1) + after
    shop.at("web1/api/shift", lambda: shop.loop.call_later(dies, shop.kill))
    shop.killed("deploy", "--yes")


def seconds_of(answer: str) -> int:
    """What the judge had seen of the new copy."""
    return int(answer.split(" requests failed in ")[1].split(" s")[0])
