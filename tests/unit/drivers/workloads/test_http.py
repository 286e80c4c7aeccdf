"""A client by declared requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gapless.config.api_url import ApiTlsConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.http import HttpWorkload
from gapless.prove.workload import NotDone

from .peer import Peer, http

_WRITE = {"path": "/topics/{place}/{number}", "position": "at.offset"}
_READ = {"path": "/topics/{place}?offset={position}"}
_REMOVE = {"path": "/topics/{place}"}


def client(peer: Peer, headers: dict[str, str] | None = None, **more: Any) -> HttpWorkload:
    keys = {"write": _WRITE, "read": _READ, **more}
    config = WorkloadConfig.model_validate(keys)
    url = f"http://{peer.address}/api"
    return HttpWorkload("chronik", (url,), ApiTlsConfig(), headers or {}, config, "gp-ab")


def written(question: bytes) -> bytes:
    return http(200, '{"at": {"offset": 41}}')


def test_what_is_said() -> None:
    async def scenario() -> None:
        async with Peer(written) as peer:
            of = client(peer, remove=_REMOVE)
            assert of.removes and of.place == "/topics/gp-ab"
            await of.write(7, "r.7")
            peer.answer = lambda _: http(200, '[{"value": "r.7"}]')
            assert await of.read(7) == "r.7"
            await of.clear()
            put, got, removed = peer.said
        assert put.startswith(b"POST /api/topics/gp-ab/7 ") and put.endswith(b"\r\n\r\nr.7")
        assert got.startswith(b"GET /api/topics/gp-ab?offset=41 ")
        assert removed.startswith(b"DELETE /api/topics/gp-ab ")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (http(200, '{"value": "r.7"}'), "r.7"),
        (http(200, '["r.71", "r.7"]'), "r.7"),
        (http(200, '["r.71"]'), None),
        (http(200, "[]"), None),
        (http(404, "r.7"), None),
    ],
)
def test_what_is_there(answer: bytes, found: str | None) -> None:
    async def scenario() -> None:
        async with Peer(written) as peer:
            of = client(peer)
            await of.write(7, "r.7")
            peer.answer = lambda _: answer
            assert await of.read(7) == found

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(421, '{"error": "NOT_LEADER"}'), "POST /topics/gp-ab/7 → 421 .*NOT_LEADER"),
        (http(200, '{"offset": 1}'), "an answer without at.offset"),
        (http(200, "fine"), "an answer without at.offset"),
    ],
)
def test_what_is_no_acknowledgement(answer: bytes, words: str) -> None:
    async def scenario() -> None:
        async with Peer(lambda _: answer) as peer:
            with pytest.raises(NotDone, match=words):
                await client(peer).write(7, "r.7")

    asyncio.run(scenario())


def test_a_read_that_is_refused_does_not_say_that_nothing_is_there() -> None:
    async def scenario() -> None:
        async with Peer(written) as peer:
            of = client(peer)
            await of.write(7, "r.7")
            peer.answer = lambda _: http(503, "starting")
            with pytest.raises(NotDone, match="503 starting"):
                await of.read(7)

    asyncio.run(scenario())


def test_a_key_goes_with_all_and_is_shown_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHRONIK_WORD", "correct-horse")

    async def scenario() -> None:
        async with Peer(lambda _: http(403, "not correct-horse")) as peer:
            of = client(peer, {"X-API-Key": "env:CHRONIK_WORD"})
            with pytest.raises(NotDone) as refused:
                await of.write(7, "r.7")
            assert b"X-API-Key: correct-horse\r\n" in peer.said[0]
        assert "correct-horse" not in str(refused.value) and "403 not ***" in str(refused.value)

    asyncio.run(scenario())


def test_a_key_that_cannot_be_read_is_named() -> None:
    async def scenario() -> None:
        async with Peer(written) as peer:
            with pytest.raises(NotDone, match="env:NO_SUCH_WORD"):
                await client(peer, {"X-API-Key": "env:NO_SUCH_WORD"}).write(7, "r.7")

    asyncio.run(scenario())


def test_a_remove_that_is_refused_is_told() -> None:
    async def scenario() -> None:
        async with Peer(lambda _: http(405, "")) as peer:
            with pytest.raises(NotDone, match="DELETE /topics/gp-ab → 405"):
                await client(peer, remove=_REMOVE).clear()
            assert not client(peer).removes

    asyncio.run(scenario())
