"""AWS target groups: the suite against moto, and what is particular to them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers import aws_api
from gapless.drivers.balancers.base import Evidence, MemberState, TellsDelay
from gapless.drivers.balancers.elbv2 import Elbv2Balancer
from gapless.drivers.balancers.sight import NoAnswer
from gapless.errors import TrafficError
from gapless.model import Instance
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite, until

from .elbv2_rig import Elbv2Rig, elbv2_rig, need_moto


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_moto()


class TestElbv2(BalancerSuite):
    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return elbv2_rig()


def play(case: Callable[[Elbv2Rig], Coroutine[Any, Any, None]], **how: float) -> None:
    async def scene() -> None:
        async with elbv2_rig(**how) as rig:

            async def up() -> bool:
                return await rig.balancer().serving([rig.instance, rig.other]) == 2

            await until(up, "both are healthy")
            await case(rig)

    asyncio.run(scene())


def test_a_drain_lasts_the_deregistration_delay_and_is_only_timed() -> None:
    async def case(rig: Elbv2Rig) -> None:
        balancer = rig.balancer()
        assert isinstance(balancer, TellsDelay) and await balancer.drain_delay() == 1.0
        drained = await balancer.drain(rig.instance, ())
        assert drained.evidence is Evidence.TIMED and drained.left == 0
        assert drained.seconds >= 1.0
        assert {m.state for m in drained.members} == {MemberState.DRAINED}
        assert "unused, Target.NotRegistered" in drained.members[0].raw

    play(case, delay=1.0)


def test_drain_timeout_ends_a_longer_delay() -> None:
    async def case(rig: Elbv2Rig) -> None:
        drained = await rig.balancer(drain_timeout="300ms").drain(rig.instance, ())
        assert drained.evidence is Evidence.TIMED and drained.left == 0 and drained.seconds < 5
        assert {m.state for m in drained.members} == {MemberState.DRAINING}
        assert "draining, Target.DeregistrationInProgress" in drained.members[0].raw
        # it may come back while it is still draining
        members = await rig.balancer().admit(rig.instance, ())
        assert {m.state for m in members} == {MemberState.UP}

    play(case, delay=300.0)


def test_a_delay_that_cannot_end_in_time_is_refused_where_nothing_may_be_cut() -> None:
    async def case(rig: Elbv2Rig) -> None:
        balancer = rig.balancer(drain_timeout="30s", on_drain_timeout="fail")
        with pytest.raises(TrafficError) as caught:
            await balancer.drain(rig.instance, ())
        assert (
            "draining for 5m" in caught.value.what and "drain_timeout is 30s" in caught.value.what
        )
        assert await balancer.serving([rig.instance]) == 1

    play(case, delay=300.0)


def test_initial_is_not_up() -> None:
    async def case(rig: Elbv2Rig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.instance, ())
        admit = asyncio.create_task(balancer.admit(rig.instance, ()))

        async def initial() -> bool:
            return all("initial" in m.raw for m in await balancer.members(rig.instance))

        await until(initial, "it is initial")
        assert not admit.done() and await balancer.serving([rig.instance]) == 0
        assert all(m.state is MemberState.UP and m.checked for m in await admit)

    play(case, checking=1.0)


def test_targets_may_be_named_by_host_and_port() -> None:
    async def case(rig: Elbv2Rig) -> None:
        elbv2 = {"targets": {rig.instance.host: "10.0.0.2"}, "port": 3001}
        (first, _) = await rig.balancer(elbv2=elbv2).members(rig.instance)
        assert first.name == "10.0.0.2:3001" and first.node == "shop"
        (first, _) = await rig.balancer(elbv2={"target": "{name}"}).members(rig.instance)
        assert first.name == "web1:3001" and first.state is MemberState.DRAINED
        arns = list(rig.arns.values())
        found = await rig.balancer(elbv2={"target_group": arns}).members(rig.instance)
        assert [m.node for m in found] == ["shop", "shop-internal"]

    play(case)


def test_an_examination_tells_what_is_there() -> None:
    async def case(rig: Elbv2Rig) -> None:
        found = (await rig.balancer().examine([rig.instance, rig.other]))[""]
        assert len(found) == 4 and all(verdict.passed for verdict in found)
        assert "shop: 10.0.0.1:3001 healthy" in found[0].answer
        wrong = (await rig.balancer(elbv2={"target_group": "shpo"}).examine([rig.instance]))[""]
        assert not wrong[0].passed and "there is no such target group" in wrong[0].answer
        assert wrong[0].wanted == "compare target_group and region"

    play(case)


def test_a_group_that_no_listener_uses_is_an_error() -> None:
    async def case(rig: Elbv2Rig) -> None:
        def unused(target: str) -> tuple[str, str]:
            return "unused", "Target.NotInUse"

        rig.groups["shop"].state = unused  # type: ignore[method-assign]
        with pytest.raises(TrafficError, match="no listener uses it"):
            await rig.balancer().drain(rig.instance, ())

    play(case)


def test_a_group_without_checks_is_believed_and_said_to_be() -> None:
    async def case(rig: Elbv2Rig) -> None:
        def unavailable(target: str) -> tuple[str, str]:
            return "unavailable", "Target.HealthCheckDisabled"

        for group in rig.groups.values():
            group.state = unavailable  # type: ignore[method-assign]
        balancer = rig.balancer()
        await balancer.drain(rig.instance, ())
        members = await balancer.admit(rig.instance, ())
        assert [(m.state, m.checked) for m in members] == [(MemberState.UP, False)] * 2

    play(case)


def balancer(connect: Callable[[Any], Any], **elbv2: Any) -> Elbv2Balancer:
    config = BalancerConfig.model_validate({"elbv2": {"target_group": "shop", **elbv2}})
    return Elbv2Balancer("edge", config, _nowhere, LoopClock(), connect=connect)


def _nowhere(host: str) -> Any:
    raise AssertionError


def members(mine: Elbv2Balancer) -> Any:
    return asyncio.run(mine.members(Instance("shop.api", "web1")))


def test_without_boto3_it_says_what_to_install() -> None:
    def missing(config: Any) -> Any:
        raise ModuleNotFoundError("No module named 'boto3'")

    with pytest.raises(TrafficError) as caught:
        members(balancer(missing))
    assert "boto3 is not installed" in caught.value.what
    assert caught.value.next == "pip install 'gapless[aws]'"


def test_without_credentials_nobody_is_asked_and_none_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(TrafficError) as caught:
        members(balancer(aws_api.connect, region="eu-west-1"))
    assert "finds no credentials" in caught.value.what
    with pytest.raises(TrafficError) as caught:
        members(balancer(aws_api.connect, profile="nobody"))
    assert "nobody" in caught.value.evidence


def test_an_endpoint_that_refuses_is_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    with pytest.raises(NoAnswer) as caught:
        members(
            balancer(
                aws_api.connect, region="eu-west-1", endpoint="http://127.0.0.1:9", timeout="1s"
            )
        )
    assert "http://127.0.0.1:9 does not answer" in caught.value.what
    assert "testing-secret" not in str(vars(caught.value))


def test_a_call_that_hangs_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_api, "_SLACK", 0.0)
    gate = threading.Event()

    class Hanging:
        def describe_target_groups(self, Names: list[str]) -> Any:
            gate.wait(20)

    async def scene() -> None:
        mine = balancer(lambda config: Hanging(), timeout="50ms")
        with pytest.raises(NoAnswer, match="does not answer"):
            await mine.members(Instance("shop.api", "web1"))
        gate.set()

    asyncio.run(scene())


def test_boto3_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys; from gapless.drivers.balancers.elbv2 import Elbv2Balancer as B;"
        "from gapless.config.balancers import BalancerConfig as C;"
        "c = C.model_validate({'elbv2': {'target_group': 'shop'}});"
        "B('edge', c, print, None).capabilities();"
        "print([m for m in sys.modules if m.startswith('boto')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
