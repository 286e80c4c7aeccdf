"""What a rollout would be refused for by its balancers, the plan says first, in the same words."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from gapless.drivers.balancers.base import Member, MemberState
from gapless.model import Instance
from gapless.testing.fake_traffic import FakeBalancer
from gapless.testing.faults import Fault, What
from tests.simulation.faults.fleet import ONE, TWENTY
from tests.simulation.faults.shop import Shop

ALWAYS = 10**9


def told(text: str) -> str:
    """A screen as one line."""
    return " ".join(text.split())


def away(shop: Shop, what: What = What.UNREACHABLE) -> None:
    """From now on nobody can ask the balancer for anything."""
    verbs = "members serving drain admit"
    shop.world.faults.add(
        Fault(what, verb=verbs, host="balancer:edge", times=ALWAYS, text="not understood: xyzzy")
    )


def missing(patch: pytest.MonkeyPatch, hosts: Collection[str]) -> None:
    """The balancer has no members for these."""
    report = FakeBalancer._report

    def without(balancer: FakeBalancer, instance: Instance) -> tuple[Member, ...]:
        members = report(balancer, instance)
        if instance.host not in hosts:
            return members
        return tuple(replace(m, state=MemberState.MISSING, raw="no such server") for m in members)

    patch.setattr(FakeBalancer, "_report", without)


def asked_for(patch: pytest.MonkeyPatch) -> list[str]:
    """Hosts of the instances that the balancer is asked for."""
    asked: list[str] = []
    members = FakeBalancer.members

    async def counted(balancer: FakeBalancer, instance: Instance) -> tuple[Member, ...]:
        asked.append(instance.host)
        return await members(balancer, instance)

    patch.setattr(FakeBalancer, "members", counted)
    return asked


@pytest.mark.parametrize("what", [What.UNREACHABLE, What.REFUSE])
def test_a_balancer_that_is_away_is_in_the_plan(fleet: Callable[..., Shop], what: What) -> None:
    shop = fleet()
    away(shop, what)
    plan = told(shop.gapless("plan", "restart", code=0).text)
    assert "api: refused as things are: balancer edge cannot be asked for api@web01: edge:" in plan
    assert "19 more instances as well; gapless doctor --hosts web01" in plan
    assert "Refused as things are, before anything is changed: the notes say why." in plan
    refused = told(shop.gapless("restart", "--yes", code=3).text)
    words = refused[refused.index("balancer edge cannot be asked for api@web01") :]
    assert words[: words.index(" edge:")] in plan
    assert shop.changed() == []


def test_an_instance_that_the_balancer_does_not_have_is_in_the_plan(
    fleet: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = fleet()
    missing(monkeypatch, [ONE])
    plan = told(shop.gapless("plan", "restart", code=0).text)
    assert f"refused as things are: balancer edge has no member for api@{ONE} (edge" in plan
    assert f"no such server); gapless doctor --hosts {ONE}" in plan
    rest = f"!{ONE}"
    assert "efused" not in shop.gapless("plan", "restart", "--hosts", f"all,{rest}", code=0).text


def test_what_is_out_already_is_said_to_stay_out_and_does(fleet: Callable[..., Shop]) -> None:
    shop = fleet()
    shop.world.traffic["edge"].take_out(Instance("api", ONE))
    plan = told(shop.gapless("plan", "restart", code=0).text)
    note = (
        f"api: {ONE} is left out of edge: it was out of traffic before this rollout;"
        f" gapless admit api@{ONE} ends it"
    )
    assert note in plan and "efused" not in plan
    alone = told(shop.gapless("plan", "restart", "--hosts", ONE, code=0).text)
    assert "stays out of traffic" in alone and "stays out of traffic" not in plan
    shop.gapless("restart", "--yes", code=0)
    assert not shop.world.traffic["edge"].slot(Instance("api", ONE)).open


def test_what_a_rollout_left_out_is_not_said_to_stay_out(fleet: Callable[..., Shop]) -> None:
    """The next one lets it in: the host remembers who left it so."""
    shop = fleet()
    shop.world.faults.add(
        Fault(What.REFUSE, verb="admit", host="balancer:edge", about="web01", times=ALWAYS)
    )
    shop.gapless("restart", "--yes", code=5)
    assert not shop.world.traffic["edge"].slot(Instance("api", "web01")).open
    shop.world.faults.planned.clear()
    assert "left out" not in shop.gapless("plan", "restart", code=0).text
    shop.gapless("restart", "--yes", code=0)
    assert shop.world.traffic["edge"].slot(Instance("api", "web01")).open


def test_with_force_the_plan_says_it_and_refuses_nothing(fleet: Callable[..., Shop]) -> None:
    shop = fleet()
    away(shop)
    words = ("plan", "restart", "--force", "--reason", "now")
    plan = told(shop.gapless(*words, code=0).text)
    assert "api: forced: balancer edge cannot be asked for api@web01" in plan
    assert "efused as things are" not in plan


def test_who_is_asked(fleet: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch) -> None:
    shop = fleet()
    asked = asked_for(monkeypatch)
    shop.gapless("plan", "restart", "--offline", code=0)
    assert asked == [], "offline nobody is asked"
    shop.gapless("plan", "restart", "--hosts", "web[02:03]", code=0)
    assert sorted(asked) == ["web02", "web03"]
    asked.clear()
    shop.gapless("plan", "restart", code=0)
    assert sorted(asked) == list(TWENTY)
    assert shop.changed() == []
