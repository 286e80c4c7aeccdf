"""``abort`` from another terminal while something is waited for: it is heard there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.engine.journal import StepRecord
from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.faults.pairs import Pairs
from tests.simulation.faults.shop import HOSTS, Shop

LONG = 25.0
"""Seconds that anything takes here which is waited for."""
AFTER = 5.0
AT_ONCE = 1.0
Wait = Callable[[Shop], None]


@pytest.fixture(params=["in place", "beside"])
def shop(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shop:
    """Three instances of release "1": restarted in place, or with two slots each."""
    kind = Shop if request.param == "in place" else Pairs
    return kind(tmp_path, monkeypatch, capsys)


def never_ready(shop: Shop) -> None:
    shop.bad_release(NEVER_READY)


def slow_warm_up(shop: Shop) -> None:
    async def heat(host: FakeHost, command: Command) -> Answer:
        await asyncio.sleep(LONG)
        return 0, "", ""

    for host in HOSTS:
        shop.host(host).programs["heat"] = heat
    shop.edit("    balancer:", "    warm: {command: heat, timeout: 1m}\n    balancer:")
    shop.release("2")


def slow_clients(shop: Shop) -> None:
    shop.release("2")
    shop.world.traffic["edge"].connections_last = LONG


WAITS: dict[str, Wait] = {"ready": never_ready, "warm": slow_warm_up, "drain": slow_clients}


def ask(shop: Shop, asked: list[float]) -> None:
    asked.append(shop.world.clock.now())
    shop.journal().request(shop.last().id, "abort", "ann", asked[0])


def asked_at(shop: Shop, step: str) -> list[float]:
    """When it was asked for: some seconds into the step on web1."""
    asked: list[float] = []
    shop.at(f"web1/api/{step}", lambda: shop.loop.call_later(AFTER, ask, shop, asked))
    return asked


def back_since(shop: Shop, asked: list[float]) -> float:
    """Seconds from then until the first step of the way back was begun."""
    (begun,) = asked
    steps = shop.journal().steps(shop.last().id).values()
    return min(one.begun for one in steps if "/web1/api/undo-" in one.key) - begun


def step_of(shop: Shop, word: str) -> StepRecord:
    """What became of it on web1."""
    steps = shop.journal().steps(shop.last().id).values()
    return next(s for s in steps if s.key.partition("#")[0].endswith(f"/web1/api/{word}"))


@pytest.mark.parametrize("step", WAITS)
def test_it_is_heard_in_the_middle(shop: Shop, step: str) -> None:
    (old, *_) = shop.live()
    WAITS[step](shop)
    asked = asked_at(shop, step)
    shop.gapless("deploy", "--yes", code=4)
    assert 0 <= back_since(shop, asked) < AT_ONCE
    shop.world.traffic["edge"].connections_last = 0.5
    shop.rest()
    shop.all_serve(old)
    assert not step_of(shop, step).good
    shop.world.check()


def test_a_drain_that_somebody_else_began_is_not_waited_for_either(shop: Shop) -> None:
    """Of a controller that was killed in it; who goes on waits for the same clients."""
    (old, *_) = shop.live()
    slow_clients(shop)
    shop.kill_at("web1/api/drain")
    shop.killed("deploy", "--yes")
    asked: list[float] = []
    shop.loop.call_later(AFTER, ask, shop, asked)
    shop.gapless("resume", code=4)
    assert 0 <= back_since(shop, asked) < AT_ONCE
    shop.rest()
    shop.all_serve(old)


def test_a_drain_by_hand_is_not_waited_for(shop: Shop) -> None:
    slow_clients(shop)
    shop.world._hooks.clear()
    asked = asked_at(shop, "drain")
    shop.gapless("drain", "api@web1", "--reason", "new disk", "--force", code=4)
    assert 0 <= back_since(shop, asked) < AT_ONCE
    assert shop.serving() == list(HOSTS)
    assert not shop.host("web1").memory["shop.api"].get("by_hand")


def test_the_way_back_of_one_that_is_drained_waits_for_its_clients(shop: Shop) -> None:
    """Nobody who wants out cuts that short: what is ended there has to be idle."""
    (old, *_) = shop.live()
    shop.release("2")
    asked = asked_at(shop, "soak")
    shop.at("web1/api/undo-drain", lambda: _slow(shop))
    shop.gapless("deploy", "--yes", code=4)
    assert 0 <= back_since(shop, asked) < AT_ONCE
    drained = step_of(shop, "undo-drain")
    assert drained.good and drained.ended - drained.begun >= LONG - 1
    shop.all_serve(old)


def _slow(shop: Shop) -> None:
    shop.world.traffic["edge"].connections_last = LONG
