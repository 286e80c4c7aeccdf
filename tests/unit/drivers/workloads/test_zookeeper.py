"""A client of ZooKeeper, with a session that it keeps."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import pytest

from gapless.clock import within
from gapless.drivers.workloads.zookeeper import ZooKeeperWorkload
from gapless.drivers.workloads.zookeeper_client import text
from gapless.prove.workload import NotDone
from tests.ports import free_port

_CREATE, _DELETE, _GET, _CHILDREN, _SYNC, _CLOSE = 1, 2, 4, 8, 9, -11
_ABSENT, _EXISTS, _LOST = -101, -110, -4
Answer = Callable[[int, str], Any]


class Server:
    """Answers each request by ``answer(kind, path)``: bytes, the number of an error, ``None`` for
    silence, ``ConnectionError`` for an end."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.port = free_port()
        self.sessions = 0
        self.said: list[tuple[int, str]] = []
        self.greeting = struct.pack(">iiq", 0, 4000, 7) + text("\0" * 16)
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        await self._read(reader)
        self.sessions += 1
        writer.write(struct.pack(">i", len(self.greeting)) + self.greeting)
        while came := await self._read(reader):
            number, kind = struct.unpack(">ii", came[:8])
            path = _path(came[8:])
            self.said.append((kind, path))
            told = b"" if kind == _CLOSE else self.answer(kind, path)
            if told is ConnectionError:
                writer.close()
                return
            if told is None:
                continue
            code, body = (told, b"") if isinstance(told, int) else (0, told)
            whole = struct.pack(">iqi", number, 1, code) + body
            writer.write(struct.pack(">i", len(whole)) + whole)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            return await reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError):
            return b""


def _path(body: bytes) -> str:
    if len(body) < 4:
        return ""
    (size,) = struct.unpack(">i", body[:4])
    return body[4 : 4 + size].decode()


def _fine(kind: int, path: str) -> bytes:
    if kind == _GET:
        return text("r.7") + b"\0" * 68
    if kind == _CHILDREN:
        return struct.pack(">i", 2) + text("7") + text("8")
    return text(path)


def played(answer: Answer) -> Callable[[Callable[..., Any]], None]:
    """Runs the body with a server and its client."""

    def run(body: Callable[..., Any]) -> None:
        async def scenario() -> None:
            async with Server(answer) as server:
                of = ZooKeeperWorkload((server.address,), "gp-ab")
                try:
                    await body(server, of)
                finally:
                    await of.close()

        asyncio.run(scenario())

    return run


def test_what_is_said() -> None:
    @played(_fine)
    async def _(server: Server, of: ZooKeeperWorkload) -> None:
        await of.prepare()
        await of.write(7, "r.7")
        assert await of.read(7) == "r.7"
        await of.clear()
        await of.close()
        assert server.said == [
            (_CREATE, "/gp-ab"),
            (_CREATE, "/gp-ab/7"),
            (_SYNC, "/gp-ab/7"),
            (_GET, "/gp-ab/7"),
            (_SYNC, "/gp-ab"),
            (_CHILDREN, "/gp-ab"),
            (_DELETE, "/gp-ab/7"),
            (_DELETE, "/gp-ab/8"),
            (_DELETE, "/gp-ab"),
            (_CLOSE, ""),
        ]
        assert server.sessions == 1


def test_what_was_done_before_is_done() -> None:
    @played(lambda kind, _: _EXISTS if kind == _CREATE else _ABSENT)
    async def _(server: Server, of: ZooKeeperWorkload) -> None:
        await of.prepare()
        await of.write(7, "r.7")
        assert await of.read(7) is None
        await of.clear()


def test_a_node_that_went_meanwhile_is_gone() -> None:
    @played(lambda kind, path: _ABSENT if kind == _DELETE else _fine(kind, path))
    async def _(server: Server, of: ZooKeeperWorkload) -> None:
        await of.clear()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (_LOST, "the ensemble is lost"),
        (-999, "refuses: error .-999."),
        (ConnectionError, "the server closed"),
    ],
)
def test_what_is_no_acknowledgement(told: Any, words: str) -> None:
    @played(lambda *_: told)
    async def _(server: Server, of: ZooKeeperWorkload) -> None:
        for act in (of.write(7, "r.7"), of.read(7), of.clear()):
            with pytest.raises(NotDone, match=words):
                await act
        server.answer = _fine
        await of.write(7, "r.7")


@pytest.mark.parametrize("told", [b"", b"\0\0\0\7ab\xff\xff\xff\xff\xff"])
def test_nonsense_is_no_value(told: bytes) -> None:
    @played(lambda *_: told)
    async def _(server: Server, of: ZooKeeperWorkload) -> None:
        with pytest.raises(NotDone, match="nonsense"):
            await of.read(7)
        with pytest.raises(NotDone, match="nonsense"):
            await of.clear()


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (struct.pack(">iiq", 0, 0, 0) + text("\0" * 16), "gives no session"),
        (b"no", "it is not ZooKeeper"),
    ],
)
def test_one_that_gives_no_session(greeting: bytes, words: str) -> None:
    @played(_fine)
    async def _(server: Server, of: ZooKeeperWorkload) -> None:
        server.greeting = greeting
        with pytest.raises(NotDone, match=words):
            await of.write(7, "r.7")


def test_a_silent_server_is_left_for_the_next_one() -> None:
    async def scenario() -> None:
        async with Server(lambda *_: None) as silent, Server(_fine) as other:
            of = ZooKeeperWorkload((silent.address, other.address), "gp-ab")
            with pytest.raises(TimeoutError):
                async with within(0.2):
                    await of.write(7, "r.7")
            await of.write(7, "r.7")
            assert other.said == [(_CREATE, "/gp-ab/7")]
            await of.close()

    asyncio.run(scenario())


def test_a_server_that_is_down_is_left_for_the_next_one() -> None:
    async def scenario() -> None:
        async with Server(_fine) as other:
            of = ZooKeeperWorkload((f"127.0.0.1:{free_port()}", other.address), "gp-ab")
            with pytest.raises(OSError, match=r"refused|failed"):
                await of.write(7, "r.7")
            await of.write(7, "r.7")
            await of.close()

    asyncio.run(scenario())
