"""HAProxy: the suite against real processes, and what is particular to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.errors import FenceRefused, TrafficError
from gapless.model import Fence, Instance
from gapless.testing.balancer_members import MemberCases
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite, until

from .haproxy_rig import HaproxyRig, haproxy_rig, need_haproxy, newer_haproxy


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_haproxy()


class TestHaproxy(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return haproxy_rig(self.folder)


class TestNewerHaproxy(TestHaproxy):
    """HAProxy 2.8, and servers that may be added at any time."""

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return haproxy_rig(self.folder, program=newer_haproxy(), dynamic=True)


class TestDynamicServers(MemberCases):
    """In HAProxy 2.6 as well."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return haproxy_rig(self.folder, dynamic=True)


Case = Callable[[HaproxyRig], Coroutine[Any, Any, None]]


def play(folder: Path, case: Case, **how: Any) -> None:
    async def scene() -> None:
        async with haproxy_rig(folder, **how) as rig:

            async def up() -> bool:
                return await rig.balancer().serving([rig.instance, rig.other]) == 2

            await until(up, "both are up")
            await case(rig)

    asyncio.run(scene())


def test_a_check_passed_by_the_old_copy_is_not_the_new_ones(tmp_path: Path) -> None:
    """A restart quicker than ``fall`` checks leaves L7OK standing: only a newer one counts."""

    async def case(rig: HaproxyRig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.instance, ())
        served = rig.apps[0].served
        rig.apps[0].healthy = False
        shown = (await balancer.members(rig.instance))[0]
        assert shown.checked, "HAProxy still shows the old check"
        admit = asyncio.create_task(balancer.admit(rig.instance, ()))
        for _ in range(20):
            await rig.ask(0)
            await asyncio.sleep(0.05)
        assert not admit.done() and rig.apps[0].served == served
        rig.apps[0].healthy = True
        assert all(member.checked for member in await admit)

    play(tmp_path, case, inter="500ms")


def test_servers_without_checks_are_accepted_and_said_to_be_unchecked(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        balancer = rig.balancer()
        drained = await balancer.drain(rig.instance, ())
        assert drained.evidence is Evidence.COUNTED
        members = await balancer.admit(rig.instance, ())
        assert all(not member.checked and "no check" in member.raw for member in members)
        assert {member.state for member in members} == {MemberState.UP}

    play(tmp_path, case, checks="")


def test_a_down_server_is_drained_though_haproxy_says_down(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        rig.apps[0].healthy = False
        balancer = rig.balancer()

        async def down() -> bool:
            members = await balancer.members(rig.instance)
            return {member.state for member in members} == {MemberState.DOWN}

        await until(down, "both see it down")
        drained = await balancer.drain(rig.instance, ())
        assert {member.state for member in drained.members} == {MemberState.DRAINED}
        assert all("DOWN" in member.raw for member in drained.members)

    play(tmp_path, case)


def test_a_typo_in_the_server_name_gets_a_hint(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        balancer = rig.balancer(haproxy={"server": "wbe1"})
        with pytest.raises(TrafficError) as caught:
            await balancer.drain(rig.instance, ())
        assert "'wbe1'" in caught.value.what and "web1, web2" in caught.value.evidence
        assert "did you mean 'web1'?" in caught.value.next

    play(tmp_path, case)


@pytest.mark.parametrize(
    ("haproxy", "what", "then"),
    [
        ({"backend": "shpo"}, "no backend 'shpo'", "haproxy.cfg"),
        ({"socket": "/user.sock"}, "does not allow", "level admin"),
        ({"backend": "shop;x"}, "cannot be a name", "letters"),
        ({"socket": "/nobody.sock"}, "does not answer", "listens"),
    ],
)
def test_every_refusal_has_its_reason_and_what_to_do(
    tmp_path: Path, haproxy: dict[str, str], what: str, then: str
) -> None:
    async def case(rig: HaproxyRig) -> None:
        with pytest.raises(TrafficError) as caught:
            await rig.balancer(haproxy=haproxy).drain(rig.instance, ())
        assert what in caught.value.what and then in caught.value.next

    play(tmp_path, case)


def test_weights_are_left_alone_and_weight_zero_is_told(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        await rig.proxies[0].say("set server shop/web1 weight 0")
        balancer = rig.balancer(admit_timeout="300ms")
        await balancer.drain(rig.instance, ())
        with pytest.raises(TrafficError) as caught:
            await balancer.admit(rig.instance, ())
        assert "weight 0" in caught.value.evidence
        assert [m.weight for m in await balancer.members(rig.instance)] == [0, 1]

    play(tmp_path, case)


def test_connections_left_can_be_cut(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        await rig.hold(0)
        balancer = rig.balancer(drain_timeout="300ms", haproxy={"shutdown_sessions": True})
        assert (await balancer.drain(rig.instance, ())).left == 1

        async def idle() -> bool:
            members = await balancer.members(rig.instance)
            return {member.state for member in members} == {MemberState.DRAINED}

        await until(idle, "the session is cut")

    play(tmp_path, case)


def test_requests_and_errors_are_counted_per_node(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        for _ in range(10):
            await rig.ask(0)
        counters = await rig.balancer().counters(rig.instance)
        assert counters.requests == 5 and counters.errors == 0
        assert counters.detail["lb1"]["hrsp_2xx"] == 5 and counters.detail["lb2"]["stot"] == 0

    play(tmp_path, case)


def test_every_order_and_no_question_carries_the_fence_of_its_host(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        balancer = rig.balancer()
        fences = [Fence("shop.api", "r1", 3), Fence("shop.api", "r1", 8)]
        assert balancer.hosts == ("lb1", "lb2")
        await balancer.drain(rig.instance, fences)
        await balancer.admit(rig.instance, fences)
        for local, fence in zip(rig.locals.values(), fences, strict=True):
            for said, carried in zip(local.said, local.fences, strict=True):
                assert carried == (fence if said.startswith("set ") else None), said

    play(tmp_path, case)


def test_a_newer_rollout_shuts_us_out(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        async def refuse(*_: object, fence: Fence | None = None, **__: object) -> bytes:
            if fence is not None:
                raise FenceRefused("the host obeys r2")
            return await original(*_, **__)  # type: ignore[arg-type]

        local = rig.locals["lb1"]
        original, local.exchange = local.exchange, refuse  # type: ignore[method-assign]
        with pytest.raises(FenceRefused):
            await rig.balancer().drain(rig.instance, [Fence("shop.api", "r1", 1)])

    play(tmp_path, case)


def test_a_stranger_who_puts_it_back_mid_drain_is_overruled(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        loosen = await rig.hold(0)
        balancer = rig.balancer()
        drain = asyncio.create_task(balancer.drain(rig.instance, ()))

        async def seen(state: MemberState) -> bool:
            return (await balancer.members(rig.instance))[0].state is state

        await until(lambda: seen(MemberState.DRAINING), "it drains")
        await rig.proxies[0].say("set server shop/web1 state ready")
        await until(lambda: seen(MemberState.DRAINING), "it drains again")
        await loosen()
        assert (await drain).evidence is Evidence.COUNTED

    play(tmp_path, case)


def test_a_lost_connection_to_the_host_is_made_again(tmp_path: Path) -> None:
    from gapless.errors import LostContact

    async def case(rig: HaproxyRig) -> None:
        local = rig.locals["lb2"]
        original = local.exchange
        turns = iter(range(1000))

        async def flaky(*words: Any, **options: Any) -> bytes:
            if next(turns) % 2 == 0:
                raise LostContact("cut")
            return await original(*words, **options)

        local.exchange = flaky  # type: ignore[method-assign]
        await rig.balancer().drain(rig.instance, ())
        await rig.balancer().admit(rig.instance, ())

    play(tmp_path, case)


def test_a_template_names_the_server(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        for template in ("{host}", "{service}", "{address}"):
            with pytest.raises(TrafficError) as caught:
                await rig.balancer(haproxy={"server": template}).drain(rig.instance, ())
            assert "web1.shop.example" in caught.value.what or "shop.api" in caught.value.what
        odd = Instance("shop.api", "web1; set server x")
        with pytest.raises(TrafficError, match="cannot be a name"):
            await rig.balancer(haproxy={"server": "{host}"}).members(odd)

    play(tmp_path, case)


def test_an_examination_tells_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        stranger = Instance("shop.api", "web9.shop.example")
        for verdicts in (await rig.balancer().examine([rig.instance, rig.other])).values():
            assert [(v.passed, v.answer) for v in verdicts] == [(True, "it has 2 of 2 servers")]
        for verdicts in (await rig.balancer().examine([rig.instance, stranger])).values():
            known, missing = verdicts
            assert known.passed
            assert not missing.passed
            assert "has no server" in missing.answer
            assert "set 'server' of the balancer" in missing.wanted
        await rig.stop(0)
        silent, *_ = (await rig.balancer().examine([rig.instance])).values()
        assert "does not answer" in silent[0].answer
        assert "haproxy runs there" in silent[0].wanted

    play(tmp_path, case)


def test_options_that_haproxy_does_not_take_are_told_with_its_words(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        dynamic = {"address": "127.0.0.1:1", "options": "cookie x"}
        balancer = rig.balancer(haproxy={"dynamic": dynamic})
        with pytest.raises(TrafficError) as caught:
            await balancer.add(Instance("shop.api", "web3.shop.example"), ())
        assert "does not add the server" in caught.value.what
        assert "'cookie' option is not accepted" in caught.value.evidence
        assert "compare 'dynamic'" in caught.value.next
        (verdict,) = (await balancer.examine([rig.instance, Instance("shop.api", "web3")]))["lb1"]
        assert verdict.passed and "1 of 2 servers, what is missing is added" in verdict.answer

    play(tmp_path, case)


def test_weights_carry_fences_and_have_a_range(tmp_path: Path) -> None:
    async def case(rig: HaproxyRig) -> None:
        fences = [Fence("shop.api", "r1", 3), Fence("shop.api", "r1", 8)]
        await rig.balancer().weights({rig.instance: 256}, fences)
        for local, fence in zip(rig.locals.values(), fences, strict=True):
            said = list(zip(local.said, local.fences, strict=True))
            assert ("set server shop/web1 weight 256\n", fence) in said
        with pytest.raises(TrafficError, match="257 cannot be the weight"):
            await rig.balancer().weights({rig.instance: 257}, fences)
        stranger = Instance("shop.api", "web9.shop.example")
        with pytest.raises(TrafficError, match="has no server 'web9'"):
            await rig.balancer().weights({rig.instance: 1, stranger: 1}, fences)
        assert {m.weight for m in await rig.balancer().members(rig.instance)} == {256}

    play(tmp_path, case)
