"""Envoy: the suite against real processes, and what is particular to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from gapless.drivers.balancers.base import Evidence, MemberState, Readmits
from gapless.errors import TrafficError
from gapless.model import Fence, Instance
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite, until

from .envoy_rig import AROUND, CHECKS, EnvoyRig, dynamic_envoy_rig, envoy_rig, need_envoy


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_envoy()


class TestEnvoy(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return envoy_rig(self.folder)


class TestDynamicEnvoy(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return dynamic_envoy_rig(self.folder)


Case = Callable[[EnvoyRig], Coroutine[Any, Any, None]]
NO_PANIC = {"healthy_panic_threshold": {"value": 0}}


def play(folder: Path, case: Case, **cluster: Any) -> None:
    async def scene() -> None:
        async with envoy_rig(folder, **cluster) as rig:

            async def up() -> bool:
                return await rig.balancer().serving([rig.instance, rig.other]) == 2

            await until(up, "both are up")
            await case(rig)

    asyncio.run(scene())


def test_a_client_keeps_its_connection_through_drain_and_admit(tmp_path: Path) -> None:
    """It resets nothing, and says so: one connection, and every request on it is answered."""

    async def case(rig: EnvoyRig) -> None:
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
        drained = await balancer.drain(rig.instance, ())
        assert drained.evidence is Evidence.COUNTED
        await balancer.admit(rig.instance, ())
        over.set()
        await asking
        assert answered > 50
        writer.close()

    play(tmp_path, case)


def test_a_count_of_nothing_needs_a_moment_behind_it(tmp_path: Path) -> None:
    """Envoy's workers learn of a change after its interface shows it."""

    async def case(rig: EnvoyRig) -> None:
        await rig.balancer().drain(rig.instance, ())
        node = rig.node()
        first = await node.see(rig.instance)
        assert first.out and not first.idle and first.member.state is MemberState.DRAINED
        await asyncio.sleep(0.15)
        assert (await node.see(rig.instance)).idle

    play(tmp_path, case)


def test_one_that_went_on_is_let_in_without_the_time_of_a_check(tmp_path: Path) -> None:
    """An abort gives clients back within a second, however seldom Envoy asks."""

    async def case(rig: EnvoyRig) -> None:
        balancer = rig.balancer()
        assert isinstance(balancer, Readmits)
        await balancer.drain(rig.instance, ())
        assert await rig.node().window(rig.instance) > SELDOM
        async with asyncio.timeout(SELDOM / 2):
            members = await balancer.readmit(rig.instance, ())
        assert {member.state for member in members} == {MemberState.UP}

    seldom = [
        {**check, "no_traffic_interval": "0.1s", "interval": f"{SELDOM}s"} for check in CHECKS
    ]
    play(tmp_path, case, health_checks=seldom)


SELDOM = 20.0


def test_an_endpoint_is_up_when_workers_know_that_its_check_has_passed(tmp_path: Path) -> None:
    """They are told of several changes at once, after the interface shows them."""

    async def scene() -> None:
        async with dynamic_envoy_rig(tmp_path, update_merge_window="1s") as rig:
            balancer = rig.balancer()
            for instance in (rig.instance, rig.other):
                await balancer.drain(instance, ())
                await balancer.remove(instance, ())
            await balancer.admit(rig.stranger, ())
            for node in range(rig.nodes):
                assert {await rig.ask(node) for _ in range(8)} == {rig.stranger.host}

    asyncio.run(scene())


def test_only_the_health_status_of_one_endpoint_is_written(tmp_path: Path) -> None:
    async def case(rig: EnvoyRig) -> None:
        file = rig.proxies[0].file
        file.chmod(0o640)
        before = file.read_text()
        assert before.startswith(AROUND)
        await rig.balancer().drain(rig.instance, ())
        first = before.partition("  - lb_endpoints:\n    - ")[2].partition("\n")[0]
        assert f"port_value: {rig.apps[0].port}}}" in first
        drained = before.replace(f"- {first}", f"- health_status: DRAINING\n      {first}")
        assert file.read_text() == drained != before
        await rig.balancer().admit(rig.instance, ())
        assert file.read_text() == drained.replace("DRAINING", "HEALTHY")
        assert file.stat().st_mode & 0o777 == 0o640
        assert [path.name for path in file.parent.iterdir() if ".gapless-" in path.name] == []

    play(tmp_path, case)


def test_nothing_is_taken_out_that_would_make_envoy_panic(tmp_path: Path) -> None:
    """Below its threshold Envoy sends to drained hosts as well."""

    async def case(rig: EnvoyRig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.other, ())
        with pytest.raises(TrafficError, match="would panic") as caught:
            await balancer.drain(rig.instance, ())
        assert "healthy_panic_threshold: {value: 0}" in caught.value.next
        assert "DRAINING" in caught.value.evidence
        assert await balancer.serving([rig.instance]) == 1

    play(tmp_path, case)


def test_while_envoy_panics_nothing_is_drained(tmp_path: Path) -> None:
    async def case(rig: EnvoyRig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.other, ())
        await rig.healthy(False)

        async def panics() -> bool:
            members = await balancer.members(rig.other)
            return {member.state for member in members} == {MemberState.UP}

        await until(panics, "the last healthy host is sick")

        async def gets_traffic() -> bool:
            return await rig.ask(0) == rig.other.host

        await until(gets_traffic, "Envoy does send to it")
        assert "it panics" in (await balancer.members(rig.other))[0].raw
        short = rig.balancer(drain_timeout="300ms", admit_timeout="300ms")
        with pytest.raises(TrafficError, match="does not stay out of traffic"):
            await short.drain(rig.other, ())

    play(tmp_path, case)


def test_without_a_panic_threshold_all_can_be_taken_out(tmp_path: Path) -> None:
    async def case(rig: EnvoyRig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.other, ())
        await balancer.drain(rig.instance, ())
        assert await rig.ask(0) == ""

    play(tmp_path, case, common_lb_config=NO_PANIC)


def test_a_check_passed_by_the_old_copy_is_not_the_new_ones(tmp_path: Path) -> None:
    """Replaced more quickly than checks fail: Envoy still shows it healthy, and it is not asked."""

    async def case(rig: EnvoyRig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.instance, ())
        served = rig.apps[0].served
        await rig.healthy(False)
        shown = (await balancer.members(rig.instance))[0]
        assert shown.checked, "Envoy still shows the old check"
        admit = asyncio.create_task(balancer.admit(rig.instance, ()))
        for _ in range(50):
            await rig.ask(0)
            await asyncio.sleep(0.05)
        assert not admit.done() and rig.apps[0].served == served
        assert "DRAINING" in rig.proxies[0].file.read_text(), "it is not even told to"
        await rig.healthy(True)
        assert all(member.checked for member in await admit)

    slow = {"interval": "2s", "no_traffic_interval": "2s"}  # a busy machine is slower than 0.5 s
    play(tmp_path, case, health_checks=[CHECKS[0] | slow])


def test_hosts_without_checks_are_accepted_and_said_to_be_unchecked(tmp_path: Path) -> None:
    async def case(rig: EnvoyRig) -> None:
        balancer = rig.balancer()
        assert (await balancer.drain(rig.instance, ())).evidence is Evidence.COUNTED
        members = await balancer.admit(rig.instance, ())
        assert {member.state for member in members} == {MemberState.UP}
        assert all(not member.checked and "no check" in member.raw for member in members)

    play(tmp_path, case, health_checks=[])


def test_what_the_file_says_is_not_what_envoy_does(tmp_path: Path) -> None:
    """Written in place, not renamed: Envoy does not see it. The order makes it look."""

    async def case(rig: EnvoyRig) -> None:
        balancer = rig.balancer()
        for proxy in rig.proxies:
            assignment = yaml.safe_load(proxy.file.read_text())
            first, *_ = assignment["resources"][0]["endpoints"][0]["lb_endpoints"]
            first["health_status"] = "DRAINING"
            proxy.file.write_text(yaml.safe_dump(assignment))
        await asyncio.sleep(0.2)
        members = await balancer.members(rig.instance)
        assert {member.state for member in members} == {MemberState.UP}
        drained = await balancer.drain(rig.instance, ())
        assert {member.state for member in drained.members} == {MemberState.DRAINED}

    play(tmp_path, case)


def test_two_rollouts_that_change_one_file_lose_nothing(tmp_path: Path) -> None:
    async def case(rig: EnvoyRig) -> None:
        one, two = rig.balancer(), rig.balancer()
        await asyncio.gather(one.drain(rig.instance, ()), two.drain(rig.other, ()))
        for instance in (rig.instance, rig.other):
            members = await one.members(instance)
            assert {member.state for member in members} == {MemberState.DRAINED}
        await asyncio.gather(two.admit(rig.other, ()), one.admit(rig.instance, ()))
        assert await one.serving([rig.instance, rig.other]) == 2

    play(tmp_path, case, common_lb_config=NO_PANIC)


def test_every_order_goes_under_the_fence_of_its_host(tmp_path: Path) -> None:
    async def case(rig: EnvoyRig) -> None:
        fences = [Fence("shop.api", "r1", 3), Fence("shop.api", "r1", 8)]
        balancer = rig.balancer()
        await balancer.drain(rig.instance, fences)
        await balancer.admit(rig.instance, fences)
        await balancer.weights({rig.instance: 5}, fences)
        for local, fence in zip(rig.locals.values(), fences, strict=True):
            assert local.replaced == [fence] * len(local.replaced)
            assert len(local.replaced) >= 3
            assert not local.commands
            assert set(local.fences) == {None}, "questions carry none"

    play(tmp_path, case)


def test_every_refusal_has_its_reason_and_what_to_do(tmp_path: Path) -> None:
    async def case(rig: EnvoyRig) -> None:
        port = rig.apps[0].port
        for envoy, what, then in (
            ({"server": f"127.0.0.2:{port}"}, "has no endpoint", f"mean '127.0.0.1:{port}'"),
            ({"cluster": "shpo"}, "cluster 'shpo' of Envoy on lb1 has no endpoint", "set 'server'"),
            ({"file": "$NODE/none.yaml"}, "there is no $NODE/none.yaml on lb1", "compare"),
            ({"file": "$NODE/envoy.json"}, "has no endpoints of 'shop'", "compare 'file'"),
        ):
            with pytest.raises(TrafficError) as caught:
                await rig.balancer(envoy=envoy).drain(rig.instance, ())
            assert what in caught.value.what and then in caught.value.next
            assert caught.value.evidence
        await rig.balancer().drain(rig.instance, ())
        with pytest.raises(TrafficError, match="Envoy has no weight 0"):
            await rig.balancer().weights({rig.instance: 0}, ())

    play(tmp_path, case)


def test_an_examination_tells_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    async def case(rig: EnvoyRig) -> None:
        stranger = Instance("shop.api", "web9.shop.example")
        for verdicts in (await rig.balancer().examine([rig.instance, rig.other])).values():
            assert [(v.passed, v.answer) for v in verdicts] == [(True, "it has 2 of 2 endpoints")]
        for known, missing in (await rig.balancer().examine([rig.instance, stranger])).values():
            assert known.passed and not missing.passed
            assert "has no endpoint" in missing.answer
        await rig.stop(0)
        silent, *_ = (await rig.balancer().examine([rig.instance])).values()
        assert "Envoy on lb1 does not answer" in silent[0].answer
        assert "admin interface" in silent[0].wanted

    play(tmp_path, case)


def test_requests_and_errors_are_told_per_node(tmp_path: Path) -> None:
    async def case(rig: EnvoyRig) -> None:
        for _ in range(10):
            await rig.ask(0)
        counters = await rig.balancer().counters(rig.instance)
        assert counters.requests == counters.detail["lb1"]["rq_total"] == 5
        assert counters.errors == 0 and counters.detail["lb2"]["rq_total"] == 0
        rig.apps[0].stop()
        await rig.healthy(False)
        for _ in range(4):
            await rig.ask(0)
        assert (await rig.balancer().counters(rig.instance)).errors > 0

    play(tmp_path, case, health_checks=[])
