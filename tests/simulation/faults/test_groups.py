"""Groups in their order, and what comes between them: a pause, or a person's approval that survives
whatever happens to the controller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gapless import api
from gapless.cli import approving, going_on, rolling
from gapless.clock import LoopClock
from gapless.events.event import Event
from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.faults.shop import Shop
from tests.simulation.killing import ControllerKilled

APPROVE = "groups: [{group: web3, then: approve}, {group: web1}]"


def grouped(shop: Shop, groups: str = APPROVE) -> str:
    """A new release, to be deployed to web3, then web1, then web2; its name."""
    shop.edit("canary: 1, batch: 1", groups)
    return shop.release("2")


def at_terminal(shop: Shop, answer: Callable[[], str]) -> list[str]:
    """Somebody is there and says yes to the plan; what is asked of them later goes into the
    list."""
    asked: list[str] = []

    async def read() -> str:
        asked.append("asked")
        said = answer()
        if not said:
            await asyncio.sleep(1e6)
        return said

    shop.patch.setattr(rolling, "terminal", lambda: True)
    shop.patch.setattr(going_on, "terminal", lambda: True)
    shop.patch.setattr(rolling, "confirmed", lambda question: True)
    shop.patch.setattr(approving, "read_line", read)
    return asked


def order(shop: Shop) -> list[str]:
    return [deed.host for deed in shop.world.deeds("restart")]


def told(shop: Shop, kind: str) -> list[Event]:
    return shop.events(f"approval.{kind}")


def test_a_rollout_pauses_where_nobody_can_be_asked(shop: Shop) -> None:
    old, new = shop.live()[0], grouped(shop)
    plan = shop.gapless("plan", "deploy", code=0)
    assert "then waits for a person: gapless promote" in plan.text
    assert "web2 is in no group and is replaced last" in plan.text
    ended = shop.gapless("deploy", "--yes", code=7)
    assert shop.live() == [old, old, new]
    assert "api waits for approval: web3 is done, web1 is next" in ended.text
    assert f"gapless promote {shop.last().id}" in ended.text
    assert "web1 web2: not begun" in ended.text
    history = shop.gapless("status", code=0)
    assert f"gapless promote {shop.last().id}" in history.text
    ended = shop.gapless("promote", "--reason", "graphs are flat", code=0)
    shop.all_serve(new)
    assert order(shop) == ["web3", "web1", "web2"]
    (granted,) = told(shop, "granted")
    assert granted.reason == "graphs are flat"
    assert granted.actor
    assert granted.data["before"] == "web1"
    assert len(told(shop, "requested")) == 1
    events = shop.gapless("events", shop.last().id, "--type", "approval.", code=0)
    assert "graphs are flat" in events.text


def test_resume_lets_it_go_on_as_well(shop: Shop) -> None:
    new = grouped(shop)
    shop.gapless("deploy", "--yes", code=7)
    shop.gapless("deploy", "--resume", "--yes", code=0)
    shop.all_serve(new)
    assert len(told(shop, "granted")) == 1


def test_abort_takes_back_what_waits_for_approval(shop: Shop) -> None:
    old = shop.live()[0]
    grouped(shop)
    shop.gapless("deploy", "--yes", code=7)
    shop.gapless("abort", code=4)
    shop.all_serve(old)
    assert not told(shop, "granted")


def test_the_person_at_the_terminal_is_asked(shop: Shop) -> None:
    new = grouped(shop)
    asked = at_terminal(shop, lambda: "y\n")
    ended = shop.gapless("deploy", code=0)
    assert asked == ["asked"]
    assert "api: web3 is done. Go on with web1? [y/N]:" in ended.text
    shop.all_serve(new)
    (granted,) = told(shop, "granted")
    assert (granted.reason, bool(granted.actor)) == ("at the terminal", True)


def test_no_is_not_yet(shop: Shop) -> None:
    old, new = shop.live()[0], grouped(shop)
    at_terminal(shop, lambda: "\n")
    shop.gapless("deploy", code=7)
    assert shop.live() == [old, old, new]
    shop.gapless("promote", code=0)
    shop.all_serve(new)


def test_somebody_elsewhere_is_faster_than_the_terminal(shop: Shop) -> None:
    new = grouped(shop)

    def elsewhere() -> str:
        api.approve(api.load(shop.folder / "gapless.yaml"), actor="bob", reason="looks good")
        return ""

    at_terminal(shop, elsewhere)
    shop.gapless("deploy", code=0)
    shop.all_serve(new)
    (granted,) = told(shop, "granted")
    assert (granted.actor, granted.reason) == ("bob", "looks good")


@pytest.mark.parametrize("go_on", ["resume", "promote"])
def test_a_controller_killed_while_it_asks(shop: Shop, go_on: str) -> None:
    """What was asked stays asked, and is not granted by the crash."""
    old, new = shop.live()[0], grouped(shop)

    def die() -> str:
        shop.kill()
        raise ControllerKilled

    at_terminal(shop, die)
    shop.killed("deploy")
    assert shop.live() == [old, old, new]
    if go_on == "resume":  # nobody knows whether that person meant to approve
        shop.gapless("resume", "--yes", code=7)
        assert shop.live() == [old, old, new]
    shop.gapless("promote", "--yes", code=0)
    shop.all_serve(new)
    assert len(told(shop, "requested")) == 1
    assert len(told(shop, "granted")) == 1


def test_what_was_approved_is_not_asked_again_after_a_kill(shop: Shop) -> None:
    new = grouped(shop)
    shop.gapless("deploy", "--yes", code=7)
    shop.kill_at("switch")
    shop.killed("promote", "--yes")
    shop.gapless("resume", "--yes", code=0)
    shop.all_serve(new)
    assert len(told(shop, "requested")) == 1
    assert len(told(shop, "granted")) == 1


def test_a_pause_between_groups(shop: Shop) -> None:
    new = grouped(shop, "groups: [{group: web3, then: 10m}, {group: web1}]")
    assert "then waits 10 min" in shop.gapless("plan", "deploy", code=0).text
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(new)
    first, second, third = (deed.at for deed in shop.world.deeds("restart"))
    assert 600 < second - first < 660
    assert third - second < 60


def test_after_a_kill_the_rest_of_the_pause_is_waited_for(shop: Shop) -> None:
    new = grouped(shop, "groups: [{group: web3, then: 10m}, {group: web1}]")
    sleep, begun = LoopClock.sleep, shop.loop.time()

    async def mortal(clock: LoopClock, seconds: float) -> None:
        await sleep(clock, seconds)
        if shop.loop.time() > begun + 300:  # in the middle of the pause
            shop.kill()
            raise ControllerKilled

    shop.patch.setattr(LoopClock, "sleep", mortal)
    shop.killed("deploy", "--yes")
    shop.gapless("resume", "--yes", code=0)
    shop.all_serve(new)
    first, second, _ = (deed.at for deed in shop.world.deeds("restart"))
    assert 600 < second - first < 680


def test_a_failure_in_a_group_asks_for_no_approval(shop: Shop) -> None:
    old = shop.live()[0]
    shop.edit("canary: 1, batch: 1", APPROVE)
    shop.bad_release(NEVER_READY)
    shop.gapless("deploy", "--yes", code=4)
    shop.all_serve(old)
    assert not told(shop, "requested")


def test_resume_of_a_deploy_that_is_not_there(shop: Shop) -> None:
    ended = shop.gapless("deploy", "--resume", "api", code=2)
    assert "no deploy of api is unfinished" in ended.text
    assert "gapless deploy api" in ended.text
    grouped(shop)
    shop.gapless("deploy", "--yes", code=7)
    ended = shop.gapless("restart", "--resume", code=2)
    assert f"gapless resume {shop.last().id}" in ended.text
    ended = shop.gapless("deploy", "--resume", "--batch", "2", code=2)
    assert "as it was planned" in ended.text
