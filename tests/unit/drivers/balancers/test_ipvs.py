"""IPVS: the suite against a program that speaks as ipvsadm does, and what is particular to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.drivers.balancers.ipvs_view import NonsenseError, parse, rule
from gapless.errors import TrafficError
from gapless.model import Fence
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite

from .ipvs_rig import WEB1, WEB2, IpvsRig, ipvs_rig

LISTED = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.0.1:80 wlc persistent 300
  -> 10.0.0.11:8080               Masq    1      3          12
  -> [fd00::12]:8080              Tunnel  0      0          0
"""
SAVED = """\
-A -t 10.0.0.1:80 -s wlc -p 300
-a -t 10.0.0.1:80 -r 10.0.0.11:8080 -m -w 1 -x 10 -y 5
-a -t 10.0.0.2:80 -r 10.0.0.11:8080 -g -w 7
-a -t 10.0.0.1:80 -r 10.0.0.12:8080 -i -w 2 --tun-type gue --tun-port 6080
"""


class TestIpvs(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return ipvs_rig(self.folder)


def play(folder: Path, case: Callable[[IpvsRig], Coroutine[Any, Any, None]]) -> None:
    async def scene() -> None:
        async with ipvs_rig(folder) as rig:
            await case(rig)

    asyncio.run(scene())


def test_a_listing_is_read() -> None:
    view = parse(LISTED)
    assert view.persistent and list(view.servers) == ["10.0.0.11:8080", "[fd00::12]:8080"]
    first = view.servers["10.0.0.11:8080"]
    assert (first.weight, first.active, first.inactive) == (1, 3, 12)


@pytest.mark.parametrize(
    "text",
    [
        "", "xyzzy", LISTED.replace("Weight ActiveConn", "Packets"), LISTED[: LISTED.index("TCP")],
        LISTED.replace("Masq    1", "Masq    many"), LISTED.replace("Masq", "Magic"),
        LISTED.replace("TCP  10.0.0.1:80 wlc persistent 300\n", ""),
    ],
)  # fmt: skip
def test_rubbish_is_never_read_as_something(text: str) -> None:
    with pytest.raises(NonsenseError):
        parse(text)


def test_a_rule_keeps_all_options_but_the_weight() -> None:
    tcp = ("-t", "10.0.0.1:80")
    assert rule(SAVED, tcp, "10.0.0.11:8080") == (
        "-t", "10.0.0.1:80", "-r", "10.0.0.11:8080", "-m", "-x", "10", "-y", "5",
    )  # fmt: skip
    tunnel = rule(SAVED, tcp, "10.0.0.12:8080")
    assert tunnel is not None and tunnel[4:] == ("-i", "--tun-type", "gue", "--tun-port", "6080")
    assert rule(SAVED, tcp, "10.0.0.13:8080") is None
    assert rule(SAVED, ("-u", "10.0.0.1:80"), "10.0.0.11:8080") is None


def test_an_edit_changes_nothing_but_the_weight(tmp_path: Path) -> None:
    """ipvsadm -e sets what is not said to its default: masquerading would become routing."""

    async def case(rig: IpvsRig) -> None:
        before = rig.hosts["lb1"].kernel
        await rig.balancer().drain(rig.instance, ())
        now = rig.hosts["lb1"].kernel["servers"]
        assert now[WEB1] == before["servers"][WEB1] | {"weight": 0}
        assert now[WEB2] == before["servers"][WEB2]
        await rig.balancer().admit(rig.instance, ())
        assert rig.hosts["lb1"].kernel == before

    play(tmp_path, case)


def test_closing_connections_count_where_it_is_wished(tmp_path: Path) -> None:
    async def case(rig: IpvsRig) -> None:
        for node in rig.hosts.values():
            node.change(WEB1, inactive=4)
        assert (await rig.balancer().drain(rig.instance, ())).evidence is Evidence.COUNTED
        strict = rig.balancer(ipvs={"closing": True}, drain_timeout="300ms")
        drained = await strict.drain(rig.instance, ())
        assert (drained.evidence, drained.left) == (Evidence.TIMED, 8)
        assert {m.state for m in drained.members} == {MemberState.DRAINING}

    play(tmp_path, case)


def test_an_admit_gives_the_weight_of_the_host(tmp_path: Path) -> None:
    async def case(rig: IpvsRig) -> None:
        balancer = rig.balancer(ipvs={"weight": 5, "weights": {rig.instance.host: 40}})
        for instance in (rig.instance, rig.other):
            await balancer.drain(instance, ())
            await balancer.admit(instance, ())
        servers = rig.hosts["lb2"].kernel["servers"]
        assert [servers[name]["weight"] for name in (WEB1, WEB2)] == [40, 5]

    play(tmp_path, case)


def test_every_order_carries_the_fence_of_its_node(tmp_path: Path) -> None:
    async def case(rig: IpvsRig) -> None:
        fences = [Fence("shop.api", "r1", 3), Fence("shop.api", "r1", 8)]
        await rig.balancer().drain(rig.instance, fences)
        for node, fence in zip(rig.hosts.values(), fences, strict=True):
            assert [action.fence for action in node.actions] == [fence]
            assert node.actions[0].commands[0].argv[-2:] == ("-w", "0")

    play(tmp_path, case)


@pytest.mark.parametrize(
    ("flags", "expire", "told"),
    [
        ("", "0", ""),
        (" persistent 300", "1", ""),
        (" persistent 300", "0", "still sent to a drained server"),
        (" persistent 300", None, "still sent to a drained server"),
    ],
)
def test_an_examination_knows_the_trap_of_persistent_services(
    tmp_path: Path, flags: str, expire: str | None, told: str
) -> None:
    async def case(rig: IpvsRig) -> None:
        for node in rig.hosts.values():
            node.kernel = {**node.kernel, "flags": flags}
            if expire is not None:
                (node.folder / "expire").write_text(expire)
        found = await rig.balancer().examine([rig.instance])
        wrong = [v for verdicts in found.values() for v in verdicts if not v.passed]
        assert len(wrong) == (2 if told else 0)
        for verdict in wrong:
            assert told in verdict.answer
            assert verdict.wanted == "sysctl -w net.ipv4.vs.expire_quiescent_template=1"

    play(tmp_path, case)


def test_an_examination_tells_weights_that_an_admit_would_change(tmp_path: Path) -> None:
    async def case(rig: IpvsRig) -> None:
        rig.hosts["lb1"].change(WEB1, weight=7)
        found = await rig.balancer().examine([rig.instance, rig.other])
        assert "from 7 to 1" in found["lb1"][0].answer and not found["lb1"][0].passed
        assert found["lb1"][1].passed and found["lb2"][0].passed

    play(tmp_path, case)


def test_a_program_that_fails_is_an_error_with_its_words(tmp_path: Path) -> None:
    async def case(rig: IpvsRig) -> None:
        with pytest.raises(TrafficError) as caught:
            await rig.balancer(ipvs={"service": "10.0.0.9:80"}).members(rig.instance)
        assert "ipvsadm ended with 1 on lb1" in caught.value.what
        assert "No such service" in caught.value.evidence
        assert "run it by hand on lb1" in caught.value.next

    play(tmp_path, case)
