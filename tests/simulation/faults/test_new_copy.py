"""The new copy is not what it should be: it is taken back, and nobody lost a request."""

from __future__ import annotations

import asyncio

from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.fake_unit import NEVER_READY, Behaviour
from tests.simulation.faults.shop import Shop


def taken_back(shop: Shop, old: str) -> None:
    """Only the canary was touched, and it is what it was before."""
    assert shop.last().outcome == "restored"
    shop.rest()
    assert {line.split()[0] for line in shop.changed()} == {"web1"}
    assert "web1 restart" in shop.changed(), "it never came to the new one"
    shop.all_serve(old)
    shop.world.check()


def test_unit_that_never_becomes_ready(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "api on web1: not ready after 20 s" in ended.text
    assert 'GET http://localhost:8000/health → 503 {"status": "starting"' in ended.text
    assert "(wanted " in ended.text
    assert "the old version is restored and checked" in ended.text
    taken_back(shop, old)


def test_unit_that_crashes_ten_seconds_after_ready(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.bad_release(Behaviour(crash_after=10.0, healthy_after=0.05))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "during soak: did not stay up for 30 s" in ended.text
    assert "InvocationID" in ended.text
    assert "main process exited, code=exited, status=1" in ended.text, "its last words are lost"
    assert "the old version is restored and checked" in ended.text
    assert shop.last().outcome == "restored"
    shop.rest()
    assert shop.world.deeds("crash", host="web1"), "it never crashed"
    assert {line.split()[0] for line in shop.changed()} == {"web1"}
    # a crash in traffic loses what came until the balancer is told: the others held the floor
    assert set(shop.lost) == {"web1"}
    shop.lost.clear()
    shop.all_serve(old)
    shop.world.check()


def test_health_endpoint_that_answers_200_with_unhealthy(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.bad_release(Behaviour(status=200, body='{"status": "unhealthy"}'))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "api on web1: not ready after 20 s" in ended.text
    assert '→ 200 {"status": "unhealthy"}' in ended.text
    assert "wanted json" in ended.text
    taken_back(shop, old)


def test_health_command_that_hangs_before_the_change(shop: Shop) -> None:
    (old, *_) = shop.live()

    async def check(host: FakeHost) -> Answer:
        await asyncio.sleep(86_400)
        return 0, "", ""

    shop.program("check-api", check)
    shop.edit(
        "http: http://localhost:8000/health\n      expect: {json: {status: healthy}}",
        "command: check-api\n      answer: 3s",
    )
    ended = shop.gapless("restart", "--yes", code=3)
    assert shop.last().outcome == "refused"
    assert "no answer within 3 s" in ended.text
    assert "Nothing was changed." in ended.text
    shop.rest()
    assert shop.changed() == []
    shop.all_serve(old)


def test_hanging_health_command(shop: Shop) -> None:
    """It answers for the old release, and hangs for the new one."""
    (old, *_) = shop.live()

    async def check(host: FakeHost) -> Answer:
        if host.units["api.service"].version != old:
            await asyncio.sleep(86_400)
        return 0, "fine\n", ""

    shop.program("check-api", check)
    shop.edit(
        "http: http://localhost:8000/health\n      expect: {json: {status: healthy}}",
        "command: check-api\n      answer: 3s",
    )
    shop.release("2")
    before = shop.world.clock.now()
    ended = shop.gapless("deploy", "--yes", code=4)
    assert shop.last().ended - before < 300, "it was waited for"
    assert "api on web1: not ready after 20 s" in ended.text
    assert "check-api → no answer within 3 s (wanted exit 0)" in ended.text
    taken_back(shop, old)
