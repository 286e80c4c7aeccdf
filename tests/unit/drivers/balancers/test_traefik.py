"""Traefik: the suite against real processes, and what is particular to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.errors import TrafficError
from gapless.model import Fence, Instance
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite, until

from .apps import get
from .traefik_rig import AROUND, CHECKS, TraefikRig, dynamic_traefik_rig, need_traefik, traefik_rig


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_traefik()


class TestTraefik(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return traefik_rig(self.folder)


class TestDynamicTraefik(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return dynamic_traefik_rig(self.folder)


Case = Callable[[TraefikRig], Coroutine[Any, Any, None]]


def play(folder: Path, case: Case, **service: Any) -> None:
    async def scene() -> None:
        async with traefik_rig(folder, **service) as rig:

            async def up() -> bool:
                return await rig.balancer().serving([rig.instance, rig.other]) == 2

            await until(up, "both are up")
            await case(rig)

    asyncio.run(scene())


def test_a_client_keeps_its_connection_through_drain_and_admit(tmp_path: Path) -> None:
    """It resets nothing, and says so: one connection, and every request on it is answered."""

    async def case(rig: TraefikRig) -> None:
        balancer = rig.balancer()
        assert not balancer.capabilities().resets_keepalives
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.proxies[0].port)
        answered, over = 0, asyncio.Event()

        async def ask_all_the_time() -> None:
            nonlocal answered
            while not over.is_set():
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 ")
                length = head.lower().partition(b"content-length: ")[2].split()[0]
                await reader.readexactly(int(length))
                answered += 1

        asking = asyncio.create_task(ask_all_the_time())
        await balancer.drain(rig.instance, ())
        await balancer.admit(rig.instance, ())
        over.set()
        await asking
        assert answered > 50
        writer.close()

    play(tmp_path, case)


def test_a_drain_lasts_until_requests_had_time_to_end_and_is_only_timed(tmp_path: Path) -> None:
    async def case(rig: TraefikRig) -> None:
        balancer = rig.balancer(traefik={"settle": "700ms"}, drain_timeout="10s")
        can = balancer.capabilities()
        assert can.drain_evidence is Evidence.TIMED and can.lasts == pytest.approx(0.7)
        drained = await balancer.drain(rig.instance, ())
        assert drained.evidence is Evidence.TIMED and drained.left == 0
        assert 0.7 <= drained.seconds < 5

    play(tmp_path, case)


def test_a_request_in_flight_ends_in_peace_while_it_settles(tmp_path: Path) -> None:
    async def case(rig: TraefikRig) -> None:
        rig.apps[1].gate.set()
        asked: list[asyncio.Task[str]] = []
        while not rig.apps[0].holding:  # round robin: at most every second one
            asked.append(asyncio.create_task(get(rig.proxies[0].port, "/hold")))
            await asyncio.sleep(0.05)
        balancer = rig.balancer(traefik={"settle": "1s"})
        drain = asyncio.create_task(balancer.drain(rig.instance, ()))

        async def out() -> bool:
            return (await balancer.members(rig.instance))[0].state is MemberState.DRAINING

        await until(out, "it is out, and settles")
        rig.apps[0].gate.set()
        assert rig.instance.host in await asyncio.gather(*asked)
        await drain

    play(tmp_path, case)


def test_only_the_weight_of_one_server_is_written(tmp_path: Path) -> None:
    async def case(rig: TraefikRig) -> None:
        file = rig.proxies[0].file
        file.chmod(0o640)
        before = file.read_text()
        assert before.startswith(AROUND)
        line = f"- url: http://127.0.0.1:{rig.apps[0].port}\n"
        await rig.balancer().drain(rig.instance, ())
        drained = before.replace(line, f"- weight: -1\n          {line[2:]}")
        assert file.read_text() == drained != before
        await rig.balancer().admit(rig.instance, ())
        assert file.read_text() == drained.replace("-1", "1")
        assert file.stat().st_mode & 0o777 == 0o640
        assert [path.name for path in file.parent.iterdir() if ".gapless-" in path.name] == []

    play(tmp_path, case)


def test_a_file_that_traefik_refuses_is_not_believed(tmp_path: Path) -> None:
    """Somebody's mistake elsewhere in it: Traefik keeps what it had, and so it says."""

    async def case(rig: TraefikRig) -> None:
        for proxy in rig.proxies:
            proxy.rewrite(proxy.file.read_text().replace("entryPoints", "entryPionts"))
        limits = {"drain_timeout": "500ms", "admit_timeout": "500ms"}
        with pytest.raises(TrafficError, match="does not stay out of traffic") as caught:
            await rig.balancer(**limits).drain(rig.instance, ())
        assert "weight 1, UP" in caught.value.evidence
        assert await rig.balancer().serving([rig.instance, rig.other]) == 2

    play(tmp_path, case)


def test_a_strategy_that_heeds_no_weights_is_refused_beforehand(tmp_path: Path) -> None:
    async def case(rig: TraefikRig) -> None:
        before = rig.proxies[0].file.read_text()
        with pytest.raises(TrafficError, match="nothing can be taken out") as caught:
            await rig.balancer().drain(rig.instance, ())
        assert "p2c" in caught.value.evidence and "wrr" in caught.value.next
        assert rig.proxies[0].file.read_text() == before
        await rig.maintenance(0)
        assert rig.instance.host in {await rig.ask(0) for _ in range(50)}, "so it is"
        assert (await rig.balancer().members(rig.instance))[0].state is MemberState.UP

    play(tmp_path, case, strategy="p2c")


def test_who_was_down_before_our_change_is_not_up_by_it(tmp_path: Path) -> None:
    """Every change makes Traefik call all servers UP until their next check."""

    async def case(rig: TraefikRig) -> None:
        balancer = rig.balancer()
        await rig.healthy(False)

        async def serving(count: int) -> bool:
            return await balancer.serving([rig.instance, rig.other]) == count

        await until(lambda: serving(1), "one is down")
        drain = asyncio.create_task(balancer.drain(rig.other, ()))
        called_up = False
        while not drain.done():
            called_up |= (await rig.node().see(rig.instance)).member.state is MemberState.UP
            assert await balancer.serving([rig.instance]) == 0
            await asyncio.sleep(0.02)
        assert called_up, "Traefik itself does say so, to one who did not know better"
        await drain

    slow = {**CHECKS, "interval": "2s", "unhealthyInterval": "2s"}
    play(tmp_path, case, healthCheck=slow)


def test_a_check_passed_by_the_old_copy_is_not_the_new_ones(tmp_path: Path) -> None:
    async def case(rig: TraefikRig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.instance, ())
        served = rig.apps[0].served
        await rig.healthy(False)
        assert (await balancer.members(rig.instance))[0].checked, "Traefik shows the old check"
        admit = asyncio.create_task(balancer.admit(rig.instance, ()))
        for _ in range(40):
            await rig.ask(0)
            await asyncio.sleep(0.05)
        assert not admit.done() and rig.apps[0].served == served
        await rig.healthy(True)
        assert all(member.checked for member in await admit)

    slow = {**CHECKS, "interval": "1s"}
    play(tmp_path, case, healthCheck=slow)


def test_an_up_before_any_check_is_not_the_end_of_an_admit(tmp_path: Path) -> None:
    """It falls sick just as it is let in: Traefik calls it UP, the admit waits for the check."""

    async def case(rig: TraefikRig) -> None:
        balancer = rig.balancer(admit_timeout="500ms")
        await balancer.drain(rig.instance, ())
        admit = asyncio.create_task(balancer.admit(rig.instance, ()))

        async def let_in() -> bool:
            members = await rig.balancer().members(rig.instance)
            return {member.state for member in members} == {MemberState.UP}

        await until(let_in, "Traefik calls it UP on every node")
        await rig.healthy(False)
        with pytest.raises(TrafficError, match="is not reported up"):
            await admit

    play(tmp_path, case)


def test_every_order_goes_under_the_fence_of_its_host(tmp_path: Path) -> None:
    async def case(rig: TraefikRig) -> None:
        fences = [Fence("shop.api", "r1", 3), Fence("shop.api", "r1", 8)]
        balancer = rig.balancer()
        await balancer.drain(rig.instance, fences)
        await balancer.admit(rig.instance, fences)
        for local, fence in zip(rig.locals.values(), fences, strict=True):
            assert local.replaced == [fence, fence]
            assert not local.commands
            assert set(local.fences) == {None}, "questions carry none"

    play(tmp_path, case)


def test_every_refusal_has_its_reason_and_what_to_do(tmp_path: Path) -> None:
    async def case(rig: TraefikRig) -> None:
        port = rig.apps[0].port
        static = {"file": "$NODE/traefik.yml"}
        for traefik, what, then in (
            (
                {"server": f"http://127.0.0.2:{port}"},
                "has no server",
                f"mean 'http://127.0.0.1:{port}'",
            ),
            ({"service": "shpo"}, "has no service shpo@file", "compare 'service'"),
            ({"file": "$NODE/none.yml"}, "there is no $NODE/none.yml on lb1", "compare"),
            (static, "has no servers of 'shop'", "compare 'file'"),
        ):
            with pytest.raises(TrafficError) as caught:
                await rig.balancer(traefik=traefik).drain(rig.instance, ())
            assert what in caught.value.what and then in caught.value.next
            assert caught.value.evidence
        with pytest.raises(TrafficError, match="Traefik has no weight 0"):
            await rig.balancer().weights({rig.instance: 0}, ())

    play(tmp_path, case)


def test_an_examination_tells_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    async def case(rig: TraefikRig) -> None:
        stranger = Instance("shop.api", "web9.shop.example")
        for verdicts in (await rig.balancer().examine([rig.instance, rig.other])).values():
            assert [(v.passed, v.answer) for v in verdicts] == [(True, "it has 2 of 2 servers")]
        for verdicts in (await rig.balancer().examine([rig.instance, stranger])).values():
            assert [v.passed for v in verdicts] == [False, False], "neither the API nor the file"
            assert all("has no server" in v.answer for v in verdicts)
        await rig.stop(0)
        silent, *_ = (await rig.balancer().examine([rig.instance])).values()
        assert "Traefik on lb1 does not answer" in silent[0].answer
        assert "traefik runs there" in silent[0].wanted

    play(tmp_path, case)


def test_a_process_that_just_started_knows_nothing_of_anybody(tmp_path: Path) -> None:
    async def case(rig: TraefikRig) -> None:
        balancer = rig.balancer()
        await rig.healthy(False)
        await rig.restart(0)
        seen = await rig.node().see(rig.instance)
        assert seen.member.state is MemberState.UNKNOWN and "UP" in seen.member.raw
        assert "just started" in seen.member.raw and not seen.accepted
        assert await balancer.serving([rig.instance, rig.other]) == 0

        async def known() -> bool:
            return await balancer.serving([rig.instance, rig.other]) == 1

        await until(known, "the first checks are over")

    play(tmp_path, case, healthCheck={**CHECKS, "interval": "1s"})
