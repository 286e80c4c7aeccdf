"""Clients of Redis: by way of sentinels, and of a cluster that sends them on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gapless.clock import within
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.redis_cluster import RedisClusterWorkload
from gapless.drivers.workloads.redis_sentinel import SentinelWorkload
from gapless.prove.workload import NotDone

from .peer import Peer

_NOBODY = Login("store", WorkloadConfig())
_MASTER = b"*3\r\n$6\r\nmaster\r\n:1\r\n*0\r\n"
_REPLICA = b"*2\r\n$5\r\nslave\r\n$1\r\nx\r\n"
_BYE = b"+OK\r\n"


def names(peer: Peer) -> Callable[[bytes], bytes]:
    """A sentinel that names this one."""
    port = str(peer.port)
    return lambda _: (
        b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n-ERR Protocol error\r\n"
        % (len(port), port.encode())
    )


def through(*sentinels: Peer, login: Login = _NOBODY) -> SentinelWorkload:
    addresses = tuple(peer.address for peer in sentinels)
    return SentinelWorkload(addresses, "shop", login, _NOBODY, "gapless-prove/ab")


def test_the_master_is_asked_for_its_role_each_time() -> None:
    def answer(question: bytes) -> bytes:
        return _MASTER + (b"$3\r\nr.7\r\n" if b"GET" in question else b"+OK\r\n") + _BYE

    async def scenario() -> None:
        async with Peer(answer) as master, Peer(names(master)) as sentinel:
            of = through(sentinel)
            await of.write(7, "r.7")
            assert await of.read(7) == "r.7"
            await of.clear()
            assert len(sentinel.said) == 1, "who answers as master is asked again"
            assert all(b"ROLE" in question for question in master.said)
            assert b"gapless-prove/ab/7\r\n$3\r\nr.7\r\n$2\r\nEX\r\n" in master.said[0]
            assert b"DEL\r\n$18\r\ngapless-prove/ab/7\r\n" in master.said[2]

    asyncio.run(scenario())


def test_nothing_there_is_none() -> None:
    async def scenario() -> None:
        async with (
            Peer(lambda _: _MASTER + b"$-1\r\n" + _BYE) as master,
            Peer(names(master)) as sentinel,
        ):
            assert await through(sentinel).read(1) is None

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_REPLICA + b"+OK\r\n" + _BYE, "is not the master"),
        (_MASTER + b"-READONLY You can't write\r\n" + _BYE, "READONLY"),
        (_MASTER, "without a whole answer"),
        (b"", "without a whole answer"),
        (b"HTTP/1.1 400\r\n", "not Redis"),
        (b"-LOADING Redis is loading\r\n-LOADING\r\n", "LOADING"),
    ],
)
def test_one_that_is_no_master_is_left(answer: bytes, words: str) -> None:
    """The sentinels are asked anew then."""

    async def scenario() -> None:
        async with (
            Peer(lambda _: _MASTER + b"+OK\r\n" + _BYE) as master,
            Peer(names(master)) as sentinel,
        ):
            of = through(sentinel)
            await of.write(1, "r.1")
            master.answer = lambda _: answer
            with pytest.raises(NotDone, match=words):
                await of.write(2, "r.2")
            assert len(sentinel.said) == 1
            master.answer = lambda _: _MASTER + b"+OK\r\n" + _BYE
            await of.write(2, "r.2")
            assert len(sentinel.said) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("told", [b"*-1\r\n-ERR x\r\n", b"-IDONTKNOW\r\n-ERR x\r\n", b"", None])
def test_a_sentinel_that_does_not_know_is_left(told: bytes | None) -> None:
    async def scenario() -> None:
        async with (
            Peer(lambda _: _MASTER + b"+OK\r\n" + _BYE) as master,
            Peer(lambda _: told) as blind,
            Peer(names(master)) as sentinel,
        ):
            of = through(blind, sentinel)
            with pytest.raises((NotDone, TimeoutError)):
                async with within(0.2):
                    await of.write(1, "r.1")
            await of.write(1, "r.1")

    asyncio.run(scenario())


def test_a_refused_login_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_WORD", "correct-horse")
    login = Login("store", WorkloadConfig(), "", "env:REDIS_WORD")

    async def scenario() -> None:
        async with (
            Peer(lambda _: b"-WRONGPASS correct-horse\r\n" + _MASTER + b"+OK\r\n" + _BYE) as master,
            Peer(names(master)) as sentinel,
        ):
            with pytest.raises(NotDone) as refused:
                await through(sentinel, login=login).write(1, "r.1")
            assert master.said[0].startswith(b"*2\r\n$4\r\nAUTH\r\n$13\r\ncorrect-horse\r\n")
        assert str(refused.value).endswith("refuses the login: WRONGPASS")

    asyncio.run(scenario())


def of_nodes(*nodes: Peer) -> RedisClusterWorkload:
    addresses = tuple(node.address for node in nodes)
    return RedisClusterWorkload(addresses, _NOBODY, "gapless-prove/ab")


def test_it_goes_where_it_is_sent() -> None:
    async def scenario() -> None:
        async with Peer(lambda _: b"$3\r\nr.7\r\n" + _BYE) as second:
            moved = f"-MOVED 77 {second.address}\r\n".encode() + _BYE
            async with Peer(lambda _: moved) as first:
                of = of_nodes(first)
                assert await of.read(7) == "r.7"
                first.answer = lambda _: f"-ASK 77 {second.address}\r\n".encode() + _BYE
                second.answer = lambda _: b"+OK\r\n+OK\r\n" + _BYE
                await of.write(7, "r.7")
                assert b"ASKING" in second.said[-1] and b"ASKING" not in second.said[0]
                await of.clear()
                assert b"DEL" in second.said[-1]

    asyncio.run(scenario())


def test_a_node_that_does_not_know_its_own_name() -> None:
    async def scenario() -> None:
        async with Peer(lambda _: b"$-1\r\n" + _BYE) as second:
            moved = f"-MOVED 77 :{second.port}\r\n".encode() + _BYE
            async with Peer(lambda _: moved) as first:
                assert await of_nodes(first).read(7) is None

    asyncio.run(scenario())


def test_nodes_that_send_to_each_other_for_ever() -> None:
    async def scenario() -> None:
        async with Peer(lambda _: b"") as peer:
            peer.answer = lambda _: f"-MOVED 77 {peer.address}\r\n".encode() + _BYE
            with pytest.raises(NotDone, match="sent on 5 times"):
                await of_nodes(peer).read(7)

    asyncio.run(scenario())


def test_a_node_that_is_down_is_left() -> None:
    async def scenario() -> None:
        async with Peer(lambda _: b"+OK\r\n" + _BYE) as up:
            down = Peer(lambda _: b"-CLUSTERDOWN The cluster is down\r\n" + _BYE)
            async with down:
                of = of_nodes(down, up)
                with pytest.raises(NotDone, match="CLUSTERDOWN"):
                    await of.write(1, "r.1")
                await of.write(1, "r.1")

    asyncio.run(scenario())
