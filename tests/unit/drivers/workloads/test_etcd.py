"""A client of etcd."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from gapless.clock import within
from gapless.config.api_url import ApiTlsConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.etcd import EtcdWorkload
from gapless.drivers.workloads.login import Login
from gapless.prove.workload import NotDone

from .peer import Peer, http

_NOBODY = Login("store", WorkloadConfig())


def client(*peers: Peer, login: Login = _NOBODY) -> EtcdWorkload:
    urls = tuple(f"http://{peer.address}" for peer in peers)
    return EtcdWorkload(urls, ApiTlsConfig(), login, "gapless-prove/ab")


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def body(question: bytes) -> Any:
    return json.loads(question.partition(b"\r\n\r\n")[2])


def done(**more: Any) -> bytes:
    return http(200, json.dumps({"header": {}, **more}))


def test_what_is_said() -> None:
    async def scenario() -> None:
        async with Peer(lambda _: done(kvs=[{"value": packed("r.7")}])) as peer:
            of = client(peer)
            await of.write(7, "r.7")
            assert await of.read(7) == "r.7"
            await of.clear()
            put, got, removed = peer.said
        assert put.startswith(b"POST /v3/kv/put ")
        assert body(put) == {"key": packed("gapless-prove/ab/7"), "value": packed("r.7")}
        assert body(got) == {"key": packed("gapless-prove/ab/7")}  # nothing says serializable
        ends = {"key": packed("gapless-prove/ab/"), "range_end": packed("gapless-prove/ab0")}
        assert removed.startswith(b"POST /v3/kv/deleterange ") and body(removed) == ends
        assert "gapless-prove/ab/" in of.place

    asyncio.run(scenario())


def test_nothing_there_is_none() -> None:
    async def scenario() -> None:
        async with Peer(lambda _: done()) as peer:
            assert await client(peer).read(1) is None

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(503, '{"message": "etcdserver: no leader"}'), "no leader"),
        (http(200, "{}"), "nonsense"),
        (http(200, "<html>"), "nonsense"),
        (done(kvs=[{}]), "nonsense"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "in the middle"),
        (b"", "in the middle"),
        (b"hello", "in the middle"),
    ],
)
def test_what_is_no_acknowledgement(answer: bytes, words: str) -> None:
    async def scenario() -> None:
        async with Peer(lambda _: answer) as peer:
            with pytest.raises(NotDone, match=words):
                await client(peer).read(1)

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["refused", "silent", "gone"])
def test_the_next_attempt_goes_to_another_member(how: str) -> None:
    async def scenario() -> None:
        bad = Peer(lambda _: None if how == "silent" else http(503, "{}"))
        async with Peer(lambda _: done()) as good:
            if how != "gone":
                await bad.__aenter__()
            of = client(bad, good)
            with pytest.raises((NotDone, OSError)):
                async with within(0.2):
                    await of.write(1, "r.1")
            await of.write(1, "r.1")
            await of.write(2, "r.2")  # and stays there
            assert len(good.said) == 2
            if how != "gone":
                await bad.__aexit__(None, None, None)

    asyncio.run(scenario())


def test_who_has_to_log_in_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_WORD", "correct-horse")
    tokens = iter(["t1", "t2"])

    def answer(question: bytes) -> bytes:
        if b"/auth/authenticate" in question:
            return http(200, json.dumps({"token": next(tokens)}))
        return http(401, '{"message": "invalid auth token"}') if b"t1" in question else done()

    async def scenario() -> None:
        login = Login("store", WorkloadConfig(user="shop", password="env:ETCD_WORD"), "root", "x")
        async with Peer(answer) as peer:
            of = client(peer, login=login)
            with pytest.raises(NotDone, match="invalid auth token"):
                await of.write(1, "r.1")
            await of.write(1, "r.1")
            assert body(peer.said[0]) == {"name": "shop", "password": "correct-horse"}

    asyncio.run(scenario())


def test_a_login_that_is_refused_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_WORD", "correct-horse")

    async def scenario() -> None:
        login = Login("store", WorkloadConfig(), "root", "env:ETCD_WORD")
        async with Peer(lambda question: http(400, question.decode())) as peer:
            with pytest.raises(NotDone) as refused:
                await client(peer, login=login).write(1, "r.1")
        assert str(refused.value) == "etcd does not let in 'root': 400"

    asyncio.run(scenario())


def test_a_password_that_cannot_be_read_is_named() -> None:
    async def scenario() -> None:
        login = Login("store", WorkloadConfig(), "root", "env:NO_SUCH_WORD")
        async with Peer(lambda _: done()) as peer:
            with pytest.raises(NotDone, match="env:NO_SUCH_WORD"):
                await client(peer, login=login).write(1, "r.1")

    asyncio.run(scenario())
