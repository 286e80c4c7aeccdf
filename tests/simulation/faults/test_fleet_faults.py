"""Faults in the middle of a deploy to twenty hosts, and what each of them runs in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gapless.drivers.balancers.base import Member, MemberState
from gapless.model import Instance
from gapless.testing.fake_traffic import FakeBalancer
from gapless.testing.fake_transport import FakeTransport
from gapless.testing.fake_unit import NEVER_READY
from gapless.testing.faults import Fault, What
from gapless.testing.world import World
from tests.simulation.faults.fleet import ONE, REST, TWENTY, failures, touched, versions
from tests.simulation.faults.shop import Shop

ALWAYS = 10**9
LATER = TWENTY[2:]
"""The hosts behind the first group."""


def never_binds(shop: Shop, host: str, new: str) -> None:
    """With this release the unit is active, and nobody listens on its port."""
    shop.unit(host).behaviours[new] = NEVER_READY

    def follow(world: World) -> None:
        shop.unit(host).port = 1 if shop.unit(host).version == new else 8000

    shop.world.on_change(follow)


@pytest.mark.parametrize("host", ["web01", ONE])
def test_host_that_never_binds_its_port(fleet: Callable[..., Shop], host: str) -> None:
    shop = fleet()
    old, new = shop.live()[0], shop.release("2")
    never_binds(shop, host, new)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert f"api on {host}: not ready after 20 s" in ended.text
    assert "Connection refused" in ended.text
    assert failures(shop) == [(host, "ready")]
    assert versions(shop) == dict.fromkeys(TWENTY, old)
    if host == "web01":
        assert touched(shop) == {"web01"}, "nobody but the canary"
    assert not touched(shop) & set(REST)
    shop.all_serve(old)
    shop.world.check()


def spoil(shop: Shop, hosts: Sequence[str]) -> None:
    """Whatever is pushed to these hosts arrives with another content."""
    push = FakeTransport.push

    async def spoiled(
        transport: FakeTransport, source: Path, target: str, *,
        exclude: Sequence[str] = (), link_from: str = "",
    ) -> int:  # fmt: skip
        sent = await push(transport, source, target, exclude=exclude, link_from=link_from)
        if transport.host in hosts:
            shop.host(transport.host).files.write(f"{target}/app", b"flipped")
        return sent

    shop.patch.setattr(FakeTransport, "push", spoiled)


@pytest.mark.parametrize("keys", ["", "max_failed: 1"])
def test_digest_mismatch(fleet: Callable[..., Shop], keys: str) -> None:
    shop = fleet(keys)
    old, new = shop.live()[0], shop.release("2")
    spoil(shop, [ONE])
    ended = shop.gapless("deploy", "--yes", code=5 if keys else 4)
    assert f"api on {ONE} during stage: digest mismatch" in ended.text
    assert failures(shop) == [(ONE, "stage")]
    assert versions(shop) == {**dict.fromkeys(TWENTY, new if keys else old), ONE: old}
    assert ONE not in touched(shop)
    assert not shop.host(ONE).files.exists(f"/srv/api/releases/{new}"), "what is wrong is not kept"
    assert shop.leftovers() == []
    shop.world.check()


def test_source_gone_in_mid_rollout(fleet: Callable[..., Shop]) -> None:
    """The first group has the release; from then on nobody gets it any more."""
    shop = fleet()
    old, _ = shop.live()[0], shop.release("2")
    for host in LATER:
        shop.world.faults.add(
            Fault(What.HOST_FAULT, verb="push", host=host, times=ALWAYS, text="the source is gone")
        )
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "the source is gone" in ended.text
    assert {step for _, step in failures(shop)} == {"stage"}
    assert touched(shop) == set(TWENTY[:2])
    shop.all_serve(old)
    shop.world.check()


ALL = "members serving drain admit"


def answers(shop: Shop, what: What, verb: str, times: int) -> None:
    """From now on the balancer does so when it is asked for one of these."""
    fault = Fault(what, verb=verb, host="balancer:edge", times=times, text="not understood: xyzzy")
    shop.world.faults.add(fault)


@pytest.mark.parametrize("what", [What.UNREACHABLE, What.DEADLINE, What.REFUSE])
def test_balancer_that_stays_away_or_talks_nonsense(fleet: Callable[..., Shop], what: What) -> None:
    """Nothing is restarted in traffic: what cannot be drained stays what it is, on the way there
    and back, and is named. When the balancer is back, one command takes all of it back."""
    shop = fleet()
    old, new = shop.live()[0], shop.release("2")
    shop.at("web03/api/drain", lambda: answers(shop, what, ALL, times=ALWAYS))
    ended = shop.gapless("deploy", "--yes", code=5)
    shop.rest()
    assert {host for host, _ in failures(shop)} == set(TWENTY[2:6])
    assert versions(shop) == {**dict.fromkeys(TWENTY, old), "web01": new, "web02": new}
    assert touched(shop) == {"web01", "web02"}, "somebody was restarted who could not be drained"
    assert shop.last().outcome == "mixed"
    for host in TWENTY[:6]:
        assert f"api on {host}: the way back failed" in ended.text
    for host in TWENTY[2:6]:  # they were not stopped: nobody is told to do so
        assert f"manual $ gapless admit api@{host}" in ended.text
        assert f"{host} is left out" not in ended.text, "nobody knows whether it heard the order"
    assert "runs as before, perhaps out of traffic: web[03:06]" in ended.text
    assert "web[07:20]: not begun" in ended.text
    shop.world.check()
    assert shop.lost == []

    shop.world.faults.planned.clear()
    for host in TWENTY[2:6]:
        shop.gapless("admit", f"api@{host}", code=0)
    shop.gapless("rollback", "--yes", code=0)
    shop.all_serve(old)


@pytest.mark.parametrize("verb", ["drain", "admit"])
@pytest.mark.parametrize("what", [What.UNREACHABLE, What.REFUSE])
def test_balancer_that_is_back_at_once(fleet: Callable[..., Shop], verb: str, what: What) -> None:
    """It fails one order and no other: all that was touched goes back behind it."""
    shop = fleet()
    old, _ = shop.live()[0], shop.release("2")
    shop.at("web03/api/preflight", lambda: answers(shop, what, verb, times=1))
    shop.gapless("deploy", "--yes", code=4)
    ((_, step),) = failures(shop)
    assert step == verb
    assert versions(shop) == dict.fromkeys(TWENTY, old)
    assert touched(shop) <= set(TWENTY[:6])
    shop.all_serve(old)
    shop.world.check()


VERBS = [("deploy", "--yes"), ("restart", "--yes"), ("drain", "api@web07"), ("admit", "api@web07")]


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
@pytest.mark.parametrize("what", [What.UNREACHABLE, What.REFUSE])
def test_balancer_that_is_away_before_the_first_change(
    fleet: Callable[..., Shop], words: tuple[str, ...], what: What
) -> None:
    """All of it is refused, and nobody is told that anything is broken."""
    shop = fleet()
    old, _ = shop.live()[0], shop.release("2")
    answers(shop, what, ALL, times=ALWAYS)
    ended = shop.gapless(*words, code=3)
    host = "web07" if "@" in words[-1] else "web01"
    assert f"balancer edge cannot be asked for api@{host}: edge: " in ended.text
    assert f"gapless doctor --hosts {host}" in ended.text
    assert "way back" not in ended.text and "broken" not in ended.text
    assert shop.last().outcome == "refused" and shop.events("step.started") == []
    assert shop.changed() == [] and shop.journal().locks() == []
    shop.world.faults.planned.clear()
    shop.all_serve(old)


def test_balancer_that_is_away_and_force(fleet: Callable[..., Shop]) -> None:
    """It goes on, which is told, and nothing is stopped that could not be drained."""
    shop = fleet()
    old = shop.live()[0]
    answers(shop, What.UNREACHABLE, ALL, times=ALWAYS)
    shop.gapless("restart", "--yes", "--force", "--reason", "now", code=4)
    told = [event.data["why"] for event in shop.events("step.skipped")]
    assert any("forced: balancer edge cannot be asked for api@web01" in why for why in told)
    assert shop.changed() == []
    shop.world.faults.planned.clear()
    shop.all_serve(old)


def test_instance_that_its_balancer_does_not_have(
    fleet: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = fleet()
    report = FakeBalancer._report

    def without(balancer: FakeBalancer, instance: Instance) -> tuple[Member, ...]:
        members = report(balancer, instance)
        if instance.host != ONE:
            return members
        return tuple(replace(m, state=MemberState.MISSING, raw="no such server") for m in members)

    monkeypatch.setattr(FakeBalancer, "_report", without)
    ended = shop.gapless("restart", "--yes", code=3)
    assert f"balancer edge has no member for api@{ONE}" in ended.text
    assert "no such server" in ended.text and f"gapless doctor --hosts {ONE}" in ended.text
    assert shop.changed() == []


def test_balancer_that_dies_under_the_first_drain(fleet: Callable[..., Shop]) -> None:
    """Nobody knows whether it heard the order: what runs is said to run."""
    shop = fleet()
    old, _ = shop.live()[0], shop.release("2")
    answers(shop, What.UNREACHABLE, "drain admit", times=ALWAYS)
    ended = shop.gapless("deploy", "--yes", code=5)
    assert "now api runs as before, perhaps out of traffic: web01" in ended.text
    assert "manual $ gapless admit api@web01" in ended.text
    assert "left out of edge" not in ended.text and "systemctl" not in ended.text
    assert "gapless rollback" not in ended.text and "--force" not in ended.text
    assert shop.changed() == []
    shop.world.faults.planned.clear()
    shop.gapless("admit", "api@web01", code=0)
    shop.all_serve(old)


def test_balancer_that_dies_under_a_drain_by_hand(fleet: Callable[..., Shop]) -> None:
    shop = fleet()
    answers(shop, What.UNREACHABLE, "drain admit", times=ALWAYS)
    ended = shop.gapless("drain", "api@web07", code=5)
    assert "now api runs as before, perhaps out of traffic: web07" in ended.text
    assert "broken" not in ended.text and "systemctl" not in ended.text
    shop.world.faults.planned.clear()
    shop.gapless("drain", "api@web07", code=0)


@pytest.mark.parametrize("verb", ["resume", "abort"])
def test_going_on_is_not_refused_by_a_balancer_that_is_away(
    fleet: Callable[..., Shop], verb: str
) -> None:
    """What was begun is brought to an end, whatever that is."""
    shop = fleet()
    old, _ = shop.live()[0], shop.release("2")
    shop.kill_at("web01/api/stage")
    shop.killed("deploy", "--yes")
    shop.rest()
    answers(shop, What.UNREACHABLE, ALL, times=ALWAYS)
    shop.gapless(verb, code=4)
    assert shop.last().outcome == "restored" and shop.changed() == []
    shop.world.faults.planned.clear()
    shop.all_serve(old)
