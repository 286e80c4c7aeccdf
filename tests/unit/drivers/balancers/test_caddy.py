"""Caddy: the suite against real processes, and what is particular to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.errors import TrafficError
from gapless.model import Fence
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite, until

from .caddy_rig import CHECKS, CaddyRig, caddy_rig, dynamic_caddy_rig, need_caddy


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_caddy()


class TestCaddy(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return caddy_rig(self.folder)


class TestDynamicCaddy(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return dynamic_caddy_rig(self.folder)


Case = Callable[[CaddyRig], Coroutine[Any, Any, None]]


def play(folder: Path, case: Case, **how: Any) -> None:
    async def scene() -> None:
        async with caddy_rig(folder, **how) as rig:

            async def up() -> bool:
                return await rig.balancer().serving([rig.instance, rig.other]) == 2

            await until(up, "both are up")
            await case(rig)

    asyncio.run(scene())


FENCES = [Fence("shop.api", "r1", 3), Fence("shop.api", "r1", 8)]


def test_upstreams_come_back_as_they_were_and_where_they_were(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        before = await rig.proxies[0].upstreams()
        assert before[0]["max_requests"] == 50
        twice = [before[0], {**before[1], "max_requests": 9}, before[0]]
        await rig.proxies[0].say("PATCH", "/id/shop/upstreams", twice)
        balancer = rig.balancer()
        await balancer.drain(rig.instance, ())
        assert await rig.proxies[0].upstreams() == [twice[1]]
        await balancer.admit(rig.instance, ())
        assert await rig.proxies[0].upstreams() == twice
        assert await rig.proxies[1].upstreams() == before

    play(tmp_path, case)


def test_a_transition_is_one_reload_and_carries_the_fence_of_its_host(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        balancer = rig.balancer()
        for _ in range(2):
            await balancer.drain(rig.instance, FENCES)
        for _ in range(2):
            await balancer.admit(rig.instance, FENCES)
        for local, fence in zip(rig.locals.values(), FENCES, strict=True):
            said = list(zip(local.said, local.fences, strict=True))
            assert [carried for text, carried in said if text.startswith("PATCH")] == [fence] * 2
            assert {carried for text, carried in said if text.startswith("GET")} == {None}

    play(tmp_path, case)


def test_each_change_closes_idle_connections_of_clients_as_it_says_of_itself(
    tmp_path: Path,
) -> None:
    async def case(rig: CaddyRig) -> None:
        assert rig.balancer().capabilities().resets_keepalives
        assert rig.balancer().capabilities().loses_new
        reader, writer = await asyncio.open_connection(rig.proxies[0].address, rig.proxies[0].port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head and b"close" not in head.lower()
        await rig.balancer().drain(rig.instance, ())
        async with asyncio.timeout(10):
            await reader.read()  # to the end that Caddy makes
        writer.close()

    play(tmp_path, case)


def test_nobodys_change_is_overwritten(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        local, meddled = rig.locals["lb1"], [{"dial": "127.0.0.1:1"}]
        original, turns = local.exchange, iter([True])

        async def exchange(address: str, data: bytes, *rest: Any) -> bytes:
            if data.startswith(b"PATCH") and next(turns, False):
                now = await rig.proxies[0].upstreams()
                await rig.proxies[0].say("PATCH", "/id/shop/upstreams", [*meddled, *now])
            return await original(address, data, *rest)

        local.exchange = exchange  # type: ignore[method-assign]
        balancer = rig.balancer()
        before = await rig.proxies[0].upstreams()
        await balancer.drain(rig.instance, ())
        assert await rig.proxies[0].upstreams() == [*meddled, before[1]]
        await balancer.admit(rig.instance, ())
        assert await rig.proxies[0].upstreams() == [*meddled, *before]

    play(tmp_path, case)


def test_whoever_comes_next_knows_what_was_taken_out(tmp_path: Path) -> None:
    """It is parked in Caddy itself: a resumed rollout is another process, maybe elsewhere."""

    async def case(rig: CaddyRig) -> None:
        before = await rig.proxies[0].say("GET", "/id/shop")
        await rig.balancer().drain(rig.instance, FENCES)
        members = await rig.balancer().members(rig.instance)
        assert {member.state for member in members} == {MemberState.DRAINED}
        await rig.balancer().admit(rig.instance, FENCES)
        assert await rig.proxies[0].say("GET", "/id/shop") == before
        await rig.proxies[0].say("PATCH", "/id/shop/upstreams", before["upstreams"][1:])
        with pytest.raises(TrafficError, match="has no upstream"):  # not ours: nothing is made up
            await rig.balancer().admit(rig.instance, FENCES)

    play(tmp_path, case)


def test_what_is_parked_is_reached_by_nobody_and_counted_on(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        balancer = rig.balancer(caddy={"on": ["lb1"]})
        assert (await balancer.drain(rig.instance, ())).evidence is Evidence.COUNTED
        listed = await rig.proxies[0].say("GET", "/reverse_proxy/upstreams")
        assert rig.dial(rig.instance.host) in {one["address"] for one in listed}
        await rig.proxies[0].say("PATCH", "/id/shop/upstreams", [])
        assert await rig.ask(0) == "", "no answer of anybody leads there"

    play(tmp_path, case)


def test_two_may_be_out_and_come_back_in_any_order(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        before = await rig.proxies[0].say("GET", "/id/shop")
        for first, second in ((rig.instance, rig.other), (rig.other, rig.instance)):
            balancer = rig.balancer()
            await asyncio.gather(balancer.drain(first, ()), balancer.drain(second, ()))
            assert await balancer.serving([first, second]) == 0
            await balancer.admit(first, ())
            await balancer.admit(second, ())
            now = await rig.proxies[0].say("GET", "/id/shop")
            assert {u["dial"] for u in now.pop("upstreams")} == {
                u["dial"] for u in before["upstreams"]
            }
            assert now == {key: value for key, value in before.items() if key != "upstreams"}

    play(tmp_path, case)


def test_only_a_caddy_that_resumes_keeps_a_drain_over_a_restart(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.instance, ())
        await rig.proxies[0].stop()
        await rig.proxies[0].start("--resume")
        await rig.restart(1)

        async def seen() -> bool:
            found = [member.state for member in await balancer.members(rig.instance)]
            return found == [MemberState.DRAINED, MemberState.UP]

        await until(seen, "the one resumed, the other forgot")
        resumed, forgets = (await balancer.examine([rig.instance, rig.other])).values()
        assert [v.answer for v in resumed] == ["it has 2 of 2 upstreams"]
        assert "started without --resume: a restart undoes every drain" in forgets[0].answer
        assert forgets[0].passed
        await balancer.drain(rig.instance, ())
        assert await rig.ask(1) == rig.other.host

    play(tmp_path, case)


def test_upstreams_without_checks_are_accepted_and_said_to_be_unchecked(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        rig.apps[0].healthy = False
        balancer = rig.balancer()
        await balancer.drain(rig.instance, ())
        members = await balancer.admit(rig.instance, ())
        assert {member.state for member in members} == {MemberState.UP}
        assert all(not member.checked and "no check" in member.raw for member in members)

    play(tmp_path, case, checks={})


def test_a_refused_admit_tells_what_caddys_check_said(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        balancer = rig.balancer(admit_timeout="300ms")
        await balancer.drain(rig.instance, ())
        rig.apps[0].healthy = False
        with pytest.raises(TrafficError) as caught:
            await balancer.admit(rig.instance, ())
        assert f"GET http://{rig.dial(rig.instance.host)}/health: 503" in caught.value.evidence
        assert len(await rig.proxies[0].upstreams()) == 1, "it never came to Caddy"

    play(tmp_path, case)


@pytest.mark.parametrize(
    ("caddy", "what", "then"),
    [
        ({"proxy": "shpo"}, "no handler /id/shpo", "compare 'proxy'"),
        ({"proxy": "/config/apps/http"}, "answers nonsense", "is it http://localhost:2019"),
        ({"api": "http://localhost:2020"}, "does not allow", "admin.origins"),
        ({"api": "http://localhost:1"}, "does not answer", "admin API listens"),
        ({"upstream": "127.0.0.1:1"}, "has no upstream", "set 'upstream'"),
    ],
)
def test_every_refusal_has_its_reason_and_what_to_do(
    tmp_path: Path, caddy: dict[str, str], what: str, then: str
) -> None:
    async def case(rig: CaddyRig) -> None:
        for number, local in enumerate(rig.locals.values()):
            local.ports["localhost:2020"] = rig.proxies[number].admin
        with pytest.raises(TrafficError) as caught:
            await rig.balancer(caddy=caddy).drain(rig.instance, ())
        assert what in caught.value.what and then in caught.value.next
        (found, *_), _ = (await rig.balancer(caddy=caddy).examine([rig.instance])).values()
        assert what in found.answer or what in caught.value.what

    play(tmp_path, case)


def test_a_path_names_the_handler_as_well(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        path = "/config/apps/http/servers/door/routes/0/handle/0"
        balancer = rig.balancer(caddy={"proxy": path})
        await balancer.drain(rig.instance, ())
        assert await rig.ask(0) == rig.other.host
        await balancer.admit(rig.instance, ())

    play(tmp_path, case)


def test_what_caddy_found_up_to_ten_seconds_ago_is_not_believed(tmp_path: Path) -> None:
    async def case(rig: CaddyRig) -> None:
        balancer = rig.balancer()
        rig.apps[0].healthy = False
        assert await balancer.serving([rig.instance, rig.other]) == 1
        members = await balancer.members(rig.instance)
        assert {member.state for member in members} == {MemberState.DOWN}
        assert all("/health: 503" in member.raw for member in members)

    play(tmp_path, case)


def test_what_was_seen_down_has_to_be_up_for_as_long_as_caddy_takes_to_ask(tmp_path: Path) -> None:
    """Caddy tells what it found at the beginning for ten seconds, and sends nothing meanwhile."""

    async def case(rig: CaddyRig) -> None:
        balancer = rig.balancer(caddy={"on": ["lb1"]})
        rig.apps[0].healthy = False
        assert await balancer.serving([rig.instance]) == 0
        await asyncio.sleep(1.1)  # Caddy's own check has failed by then, too
        rig.apps[0].healthy = True
        assert await balancer.serving([rig.instance]) == 0

        async def up() -> bool:
            return await balancer.serving([rig.instance]) == 1

        await until(up, "it is up")
        assert rig.instance.host in {await rig.ask(0) for _ in range(4)}

    slow = {"active": {**CHECKS["active"], "interval": "1s"}}
    play(tmp_path, case, checks=slow)
