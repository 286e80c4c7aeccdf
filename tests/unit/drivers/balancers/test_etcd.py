"""Keys in conftool's form: the suite against a real etcd, and what is particular to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.drivers.balancers.etcd import EtcdBalancer
from gapless.drivers.balancers.etcd_verify import standing
from gapless.drivers.balancers.sight import NoAnswer
from gapless.errors import FloorBroken, TrafficError
from gapless.model import Fence, Instance
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite, until
from tests.ports import free_port

from .etcd_rig import EtcdRig, etcd_rig
from .etcd_server import Etcd
from .local import Local, transport

pytestmark = pytest.mark.xdist_group("balancer-etcd")


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    server = Etcd(tmp_path_factory.mktemp("etcd"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


class TestEtcd(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _server(self, etcd: Etcd) -> None:
        self.etcd = etcd

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return etcd_rig(self.etcd)


Case = Callable[[EtcdRig], Coroutine[Any, Any, None]]


def play(etcd: Etcd, case: Case) -> None:
    async def scene() -> None:
        async with etcd_rig(etcd) as rig:

            async def up() -> bool:
                return await rig.balancer().serving([rig.instance, rig.other]) == 2

            await until(up, "both are up")
            await case(rig)

    asyncio.run(scene())


def test_only_pooled_is_changed(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        rig.tell(rig.instance.host, weight=7, pooled="yes", note="ü")
        await rig.balancer().drain(rig.instance, ())
        assert rig.told(rig.instance.host) == {"weight": 7, "pooled": "no", "note": "ü"}
        await rig.balancer().admit(rig.instance, ())
        assert rig.told(rig.instance.host) == {"weight": 7, "pooled": "yes", "note": "ü"}
        assert rig.told(rig.other.host) == {"weight": 10, "pooled": "yes"}

    play(etcd, case)


def test_it_can_be_taken_out_of_the_pool_altogether(etcd: Etcd) -> None:
    """PyBal knows the inactive no more, and that is no typo."""

    async def case(rig: EtcdRig) -> None:
        balancer = rig.balancer(etcd={"depooled": "inactive"})
        drained = await balancer.drain(rig.instance, ())
        assert rig.told(rig.instance.host)["pooled"] == "inactive"
        assert {m.state for m in drained.members} == {MemberState.DRAINED}
        await balancer.admit(rig.instance, ())
        assert rig.told(rig.instance.host)["pooled"] == "yes"

    play(etcd, case)


def meddling(rig: EtcdRig, meddle: Callable[[], None]) -> None:
    """Somebody writes between our look and our first change."""
    local = rig.locals["lb1"]
    original, turns = local.exchange, iter([meddle])

    async def exchange(address: str, data: bytes, *rest: Any) -> bytes:
        if b"/v3/kv/txn" in data:
            for turn in turns:
                await asyncio.to_thread(turn)
        return await original(address, data, *rest)

    local.exchange = exchange  # type: ignore[method-assign]


def test_nobodys_change_is_overwritten(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        host = rig.instance.host
        meddling(rig, lambda: rig.tell(host, pooled="yes", weight=99))
        balancer = rig.balancer(etcd={"on": ["lb1"]})
        await balancer.drain(rig.instance, ())
        assert rig.told(host) == {"pooled": "no", "weight": 99}
        meddling(rig, lambda: rig.tell(host, pooled="no", weight=5))
        await balancer.admit(rig.instance, ())
        assert rig.told(host) == {"pooled": "yes", "weight": 5}

    play(etcd, case)


@pytest.mark.parametrize("threshold", [2, "67%", "100%"])
def test_the_depool_threshold_holds_before_anything_is_changed(
    etcd: Etcd, threshold: int | str
) -> None:
    """Three of a pool, one of them depooled by hand: two of three are what is left to hold."""

    async def case(rig: EtcdRig) -> None:
        rig.tell("web3.shop.example", pooled="no", weight=10)
        with pytest.raises(FloorBroken) as caught:
            await rig.balancer(etcd={"depool_threshold": threshold}).drain(rig.instance, ())
        assert "only 1 of 3 would be pooled" in caught.value.what
        assert "web3.shop.example pooled=no" in caught.value.evidence
        assert rig.told(rig.instance.host)["pooled"] == "yes"

    play(etcd, case)


def test_the_inactive_and_those_without_weight_do_not_count(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        rig.tell("web3.shop.example", pooled="inactive", weight=10)
        await rig.balancer().drain(rig.instance, ())  # one of two is half
        await rig.balancer().admit(rig.instance, ())
        rig.tell("web3.shop.example", pooled="yes", weight=0)
        with pytest.raises(FloorBroken, match="only 1 of 3"):
            await rig.balancer().drain(rig.instance, ())

    play(etcd, case)


def test_a_depool_by_somebody_else_between_count_and_change_is_noticed(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        meddling(rig, lambda: rig.tell(rig.other.host, pooled="no", weight=10))
        with pytest.raises(FloorBroken, match="only 0 of 2"):
            await rig.balancer(etcd={"on": ["lb1"]}).drain(rig.instance, ())
        assert rig.told(rig.instance.host)["pooled"] == "yes"

    play(etcd, case)


def test_of_drains_at_the_same_time_only_those_that_leave_enough_are_done(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        hosts = [f"web{n}.shop.example" for n in range(1, 7)]
        for host in hosts:
            rig.tell(host, pooled="yes", weight=10)
        unverified = {"verify": None, "settle": 0, "depool_threshold": "50%"}
        drains = [
            rig.balancer(etcd=unverified).drain(Instance("shop.api", host), ()) for host in hosts
        ]
        outcomes = await asyncio.gather(*drains, return_exceptions=True)
        assert sum(isinstance(outcome, FloorBroken) for outcome in outcomes) == 3, outcomes
        assert sum(rig.told(host)["pooled"] == "yes" for host in hosts) == 3

    play(etcd, case)


def test_a_load_balancer_that_keeps_it_pooled_is_told_of_and_it_is_given_back(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        rig.followers[1].stubborn = True
        balancer = rig.balancer(drain_timeout="300ms")
        with pytest.raises(TrafficError) as caught:
            await balancer.drain(rig.instance, ())
        assert "does not stay out of traffic; it was admitted again" in caught.value.what
        assert "lb2: web1.shop.example pooled=no, weight 10, disabled/up/pooled" in (
            caught.value.evidence
        )
        assert rig.told(rig.instance.host)["pooled"] == "yes"

    play(etcd, case)


def test_without_a_load_balancer_to_ask_a_drain_is_timed_and_an_admit_only_read_back(
    etcd: Etcd,
) -> None:
    async def case(rig: EtcdRig) -> None:
        balancer = rig.balancer(etcd={"verify": None, "settle": "600ms"}, drain_timeout="200ms")
        assert balancer.capabilities().drain_evidence is Evidence.TIMED
        drained = await balancer.drain(rig.instance, ())
        assert drained.evidence is Evidence.TIMED and drained.left == 0
        assert drained.seconds >= 0.6
        assert await balancer.serving([rig.instance, rig.other]) == 1
        members = await balancer.admit(rig.instance, ())
        assert all(not m.checked and "not verified" in m.raw for m in members)

    play(etcd, case)


@pytest.mark.alone
def test_being_out_again_needs_its_time_again(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        balancer = rig.balancer(etcd={"verify": None, "settle": "400ms"})
        await balancer.drain(rig.instance, ())
        assert (await balancer.drain(rig.instance, ())).seconds < 0.4  # nothing happened since
        rig.tell(rig.instance.host, pooled="yes", weight=1)
        rig.tell(rig.instance.host, pooled="no", weight=1)
        assert (await balancer.drain(rig.instance, ())).seconds >= 0.4

    play(etcd, case)


def test_a_command_that_counts_makes_a_counted_drain(etcd: Etcd, tmp_path: Path) -> None:
    count = tmp_path / "open"

    async def case(rig: EtcdRig) -> None:
        key = '\'"pooled": "no"\''
        script = f'grep -q {key} {tmp_path}/state && echo "draining $(cat {count})" || echo up'
        balancer = rig.balancer(
            etcd={"verify": {"command": ["sh", "-c", script]}, "on": ["lb1"], "settle": "30s"}
        )
        state = tmp_path / "state"
        count.write_text("3")
        state.write_text("")
        drain = asyncio.create_task(balancer.drain(rig.instance, ()))

        async def depooled() -> bool:
            return bool(rig.told(rig.instance.host)["pooled"] == "no")

        await until(depooled, "etcd has it")
        assert not (await asyncio.wait({drain}, timeout=0.5))[0], "the load balancer did not follow"
        state.write_text(json.dumps(rig.told(rig.instance.host)))

        async def draining() -> bool:
            member = (await balancer.members(rig.instance))[0]
            return (member.state, member.connections) == (MemberState.DRAINING, 3)

        await until(draining, "it counts")
        count.write_text("0")
        drained = await asyncio.wait_for(drain, 10)
        assert drained.evidence is Evidence.COUNTED and drained.seconds < 30

    play(etcd, case)


def test_a_command_that_fails_is_shown(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        verify = {"command": ["sh", "-c", "echo no such pool >&2; exit 7"]}
        with pytest.raises(TrafficError, match="ended with 7 on lb1") as caught:
            await rig.balancer(etcd={"verify": verify}).drain(rig.instance, ())
        assert "no such pool" in caught.value.evidence
        assert rig.told(rig.instance.host)["pooled"] == "yes"

    play(etcd, case)


def test_weight_zero_is_no_admit(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        rig.tell(rig.instance.host, pooled="no", weight=0)
        balancer = rig.balancer(etcd={"verify": None}, admit_timeout="300ms")
        with pytest.raises(TrafficError, match="not reported up") as caught:
            await balancer.admit(rig.instance, ())
        assert "weight 0" in caught.value.evidence

    play(etcd, case)


def test_a_typo_gets_a_hint(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        balancer = rig.balancer(etcd={"key": rig.folder + "{host}.x"})
        with pytest.raises(TrafficError, match="has no key") as caught:
            await balancer.drain(rig.instance, ())
        assert "did you mean 'web1.shop.example'?" in caught.value.next
        unknown = rig.balancer(etcd={"verify": {"url": "http://localhost:9090/pools/shpo/{host}"}})
        with pytest.raises(TrafficError, match="on lb1 does not know web1"):
            await unknown.drain(rig.instance, ())
        assert rig.told(rig.instance.host)["pooled"] == "yes"

    play(etcd, case)


@pytest.mark.parametrize("value", ["xyzzy", "[]", '{"pooled": true}', '{"weight": 1}', ""])
def test_a_value_of_another_form_is_left_alone(etcd: Etcd, value: str) -> None:
    async def case(rig: EtcdRig) -> None:
        key = rig.folder + rig.instance.host
        etcd.put(key, value)
        for verb in (rig.balancer().drain, rig.balancer().admit):
            with pytest.raises(TrafficError, match="holds nonsense") as caught:
                await verb(rig.instance, ())
            assert value in caught.value.evidence
        assert etcd.get(key) == value

    play(etcd, case)


def test_the_next_endpoint_is_asked_when_one_is_silent(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        nobody = f"http://127.0.0.1:{free_port()}"
        balancer = rig.balancer(etcd={"endpoints": [nobody, etcd.url]})
        await balancer.drain(rig.instance, ())
        await balancer.admit(rig.instance, ())
        silent = rig.balancer(etcd={"endpoints": [nobody]})
        with pytest.raises(NoAnswer, match=f"etcd at {nobody} on lb1 does not answer") as caught:
            await silent.drain(rig.instance, ())
        assert "endpoint health" in caught.value.next
        with pytest.raises(NoAnswer):
            await silent.serving([rig.instance])

    play(etcd, case)


@pytest.mark.parametrize(
    "answer",
    [
        b"xyzzy",
        b'["xyzzy"]',
        b'{"xyzzy": 1}',
        b'{"header": {}, "xyzzy": 1}',
        b'{"header": {"revision": "1"}, "kvs": [{"key": "xyzzy!"}]}',
    ],
)
def test_what_is_no_etcd_is_nonsense(etcd: Etcd, answer: bytes) -> None:
    async def case(rig: EtcdRig) -> None:
        async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + answer)
            writer.close()

        async with await asyncio.start_server(lie, "127.0.0.1", 0) as liar:
            where = f"http://127.0.0.1:{liar.sockets[0].getsockname()[1]}"
            with pytest.raises(TrafficError, match="nonsense") as caught:
                await rig.balancer(etcd={"endpoints": where}).drain(rig.instance, ())
            assert "xyzzy" in caught.value.evidence

    play(etcd, case)


def test_every_change_and_no_question_carries_the_fence_of_its_host(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        fences = [Fence("shop.api", "r1", 3), Fence("shop.api", "r1", 8)]
        balancer = rig.balancer()
        await balancer.drain(rig.instance, fences)
        await balancer.admit(rig.instance, fences)
        for local, fence in zip(rig.locals.values(), fences, strict=True):
            for said, carried in zip(local.said, local.fences, strict=True):
                assert carried == (fence if "/v3/kv/txn" in said else None), said
        assert any("/v3/kv/txn" in said for local in rig.locals.values() for said in local.said)

    play(etcd, case)


def test_an_examination_tells_what_is_there_and_what_is_not(etcd: Etcd) -> None:
    async def case(rig: EtcdRig) -> None:
        stranger = Instance("shop.api", "web9.shop.example")
        for verdicts in (await rig.balancer().examine([rig.instance, stranger])).values():
            known, missing = verdicts
            assert known.passed and "pooled=yes, weight 10, enabled/up/pooled" in known.answer
            assert not missing.passed and "has no key" in missing.answer
            assert "set 'key' of the balancer" in missing.wanted

    play(etcd, case)


def test_a_user_is_logged_in_and_again_when_its_token_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Etcd(tmp_path)
    server.start()
    key = "/conftool/v1/pools/dc/shop/api/"
    web1, told = Instance("shop.api", "web1"), '{"pooled": "yes", "weight": 10}'
    for host in ("web1", "web2"):
        server.put(key + host, told)
    server.call("/v3/auth/user/add", {"name": "root", "password": "opensesame"})
    server.call("/v3/auth/role/add", {"name": "root"})
    server.call("/v3/auth/user/grant", {"user": "root", "role": "root"})
    server.call("/v3/auth/enable", {})
    monkeypatch.setenv("ETCD_PASSWORD", "opensesame")
    local = Local("lb1")

    def balancer(**more: Any) -> EtcdBalancer:
        etcd = {"endpoints": server.url, "key": key + "{host}", "settle": 0, **more}
        config = BalancerConfig.model_validate({"etcd": etcd})
        return EtcdBalancer("edge", config, lambda _: transport(local), LoopClock())

    async def scene() -> None:
        with pytest.raises(TrafficError, match="refuses") as caught:
            await balancer().drain(web1, ())
        assert caught.value.next == "set 'login' of the balancer"
        known = balancer(login={"user": "root", "password": "env:ETCD_PASSWORD"})
        await known.drain(web1, ())
        server.stop()
        server.start(secured=True)
        assert {m.state for m in await known.admit(web1, ())} == {MemberState.UP}
        monkeypatch.setenv("ETCD_PASSWORD", "guessed")
        unknown = balancer(login={"user": "root", "password": "env:ETCD_PASSWORD"})
        with pytest.raises(TrafficError, match="does not let in the user 'root'") as caught:
            await unknown.drain(web1, ())
        assert "guessed" not in f"{caught.value} {caught.value.evidence}"

    try:
        asyncio.run(scene())
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("text", "state", "traffic", "count"),
    [
        ("enabled/up/pooled\n", MemberState.UP, True, None),
        ("enabled/down/pooled", MemberState.DOWN, True, None),  # kept: too many are down
        ("enabled/down/not pooled", MemberState.DOWN, False, None),
        ("enabled/partially up/not pooled", MemberState.DOWN, False, None),
        ("disabled/up/pooled", MemberState.DOWN, True, None),
        ("disabled/up/not pooled", MemberState.DOWN, False, None),
        ("up", MemberState.UP, True, None),
        ("draining 3", MemberState.DRAINING, False, 3),
        ("drained 0\nand more", MemberState.DRAINED, False, 0),
        ("DOWN", MemberState.DOWN, None, None),
        ("missing", MemberState.MISSING, False, None),
    ],
)
def test_what_a_load_balancer_says(
    text: str, state: MemberState, traffic: bool | None, count: int | None
) -> None:
    found = standing(text)
    assert found is not None
    assert (found.state, found.traffic, found.count) == (state, traffic, count)


@pytest.mark.parametrize("text", ["", "xyzzy", "upwards", "enabled/up", "enabled/up/pooled/x"])
def test_what_no_load_balancer_says(text: str) -> None:
    assert standing(text) is None


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"key": "/pools/{host}/x"}, "after the last /"),
        ({"key": "{host}"}, "after the last /"),
        ({"key": "/pools/{name}/{host}"}, "a pool is one folder"),
        ({"endpoints": []}, "at least 1"),
        ({"endpoints": "etcd1:2379"}, "write http"),
        ({"verify": {}}, "exactly one of url, command"),
        ({"verify": {"url": "lb1/x"}}, "write http"),
        ({"verify": {"url": "http://lb1/a b"}}, "write http"),
        ({"verify": {"url": "http://lb1:port/a"}}, "not a URL"),
        ({"tls": {"key": "/etc/key"}}, "a key without a cert"),
        ({"login": {"user": "x", "password": "plain"}}, "a secret is a reference"),
    ],
)
def test_keys_that_can_mean_nothing_are_refused(keys: dict[str, Any], why: str) -> None:
    etcd = {"endpoints": "http://etcd1:2379", "key": "/pools/x/{host}", **keys}
    with pytest.raises(ValidationError, match=why):
        BalancerConfig.model_validate({"etcd": etcd})
