"""A lock is broken, or taken by somebody else, while a rollout is at work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gapless.drivers.transports.base import Claim
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from tests.simulation.faults.shop import HOSTS, Shop

BOB = Claim("shop.api", "lock-break-7", "bob", "desk", 7, 0.0, "in the way")


def broken(shop: Shop, *hosts: str) -> None:
    """What ``lock break`` of another laptop does to hosts."""
    for host in hosts or HOSTS:
        claims = shop.host(host).claims
        claimed = claims.claim(BOB, shop.world.transport(host), take_over=True)
        assert claimed.fence is not None
        claims.release(claimed.fence)


def test_a_lock_that_is_broken_half_way_tells_what_was_changed(shop: Shop) -> None:
    (old, *_) = shop.live()
    new = shop.release("2")
    shop.at("web3/api/switch", lambda: broken(shop))
    ended = shop.gapless("deploy", "--yes", code=5)
    assert "GL-508" in ended.text
    assert "Nothing was changed" not in ended.text
    assert "a person is needed" in ended.text
    assert f"{new}: web1 web2 in the middle of its replacement: web3" in ended.text
    assert f"gapless resume {shop.last().id} or gapless abort {shop.last().id}" in ended.text
    assert shop.live() == [new, new, old]
    for words in (("history",), ("status",), ("lock",)):
        assert "lock held" not in shop.gapless(*words, code=0).text
    assert "interrupted" in shop.gapless("history", code=0).text
    report = shop.gapless("history", shop.last().id, code=0)
    assert f"{new}: web1 web2" in report.text


def test_resume_after_a_broken_lock_goes_on(shop: Shop) -> None:
    new = shop.release("2")
    shop.at("web2/api/switch", lambda: broken(shop))
    shop.gapless("deploy", "--yes", code=5)
    ended = shop.gapless("resume", code=0)
    assert "GL-508" not in ended.text
    shop.all_serve(new)
    assert [deed for deed in shop.changed() if deed.startswith("web1")] == ["web1 restart"]


def test_abort_after_a_broken_lock_takes_everything_back(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.release("2")
    shop.at("web2/api/switch", lambda: broken(shop))
    shop.gapless("deploy", "--yes", code=5)
    shop.gapless("abort", code=4)
    shop.rest()
    assert shop.live() == [old] * 3
    assert shop.serving() == list(HOSTS)


@pytest.mark.parametrize("step", ["snapshot", "migrate"])
def test_a_lock_that_is_broken_before_any_change(shop: Shop, step: str) -> None:
    before = shop.live()
    shop.release("2")
    ran: list[str] = []

    async def migrate(host: FakeHost) -> Answer:
        ran.append(host.name)
        return 0, "", ""

    shop.migration(migrate)
    shop.at(step if step == "migrate" else f"web1/api/{step}", lambda: broken(shop))
    ended = shop.gapless("deploy", "--yes", code=6)
    assert "GL-508" in ended.text
    assert "Nothing was changed." in ended.text
    assert f"gapless resume {shop.last().id} or gapless abort {shop.last().id}" in ended.text
    assert (ran, shop.changed(), shop.live()) == ([], [], before)
    assert "interrupted" in shop.gapless("history", code=0).text


def test_resume_of_what_somebody_else_took(shop: Shop) -> None:
    new = shop.release("2")
    shop.kill_at("web2/api/soak")
    shop.killed("deploy", "--yes")
    shop.rest(1.0)
    rollout = shop.last().id
    for host in HOSTS:
        taken = replace(BOB, rollout="rzzz-0000")
        shop.host(host).claims.claim(taken, shop.world.transport(host), take_over=True)
    ended = shop.gapless("resume", code=5)
    assert "api is locked: rollout rzzz-0000 owns it" in ended.text
    assert "Nothing was changed" not in ended.text
    assert f"{new}: web1 in the middle of its replacement: web2" in ended.text
    assert f"gapless resume {rollout} or gapless abort {rollout}" in ended.text
