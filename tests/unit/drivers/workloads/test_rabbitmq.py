"""A client of RabbitMQ, with a queue of its own."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import pytest

from gapless.clock import within
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads import amqp
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.rabbitmq import RabbitWorkload
from gapless.prove.workload import NotDone
from tests.ports import free_port

_NOBODY = Login("store", WorkloadConfig())
_GREETING = amqp.method(0, amqp.START, b"\0\x09" + amqp.table({}) * 3)
_TUNE = amqp.method(0, amqp.TUNE, struct.pack(">HIH", 2047, 131072, 60))


def closed(name: amqp.Method, code: int, words: str) -> bytes:
    return amqp.method(1, name, struct.pack(">H", code) + amqp.short(words) + b"\0\0\0\0")


def confirmed(tag: int, name: amqp.Method = amqp.ACK, *, several: bool = False) -> bytes:
    return amqp.method(1, name, struct.pack(">QB", tag, several))


def message(text: str, tag: int = 1) -> bytes:
    data = struct.pack(">QB", tag, 0) + amqp.short("") + amqp.short("gp-ab") + b"\0\0\0\0"
    return amqp.method(1, amqp.GOT, data) + amqp.content(1, text.encode())


_EMPTY = amqp.method(1, amqp.EMPTY, b"\0")
_STEPS = {
    amqp.START_OK: _TUNE,
    amqp.OPEN: amqp.method(0, amqp.OPENED, b"\0"),
    amqp.CHANNEL: amqp.method(1, amqp.CHANNEL_OPENED, b"\0\0\0\0"),
    amqp.CONFIRM: amqp.method(1, amqp.CONFIRMED),
    amqp.DECLARE: amqp.method(1, amqp.DECLARED, b"\0" * 9),
    amqp.DELETE: amqp.method(1, amqp.DELETED, b"\0" * 4),
    amqp.GET: _EMPTY,
}


class Server:
    """Answers each method by ``steps``: bytes; None is silence, ``ConnectionError`` an end.
    A PUBLISH is answered by ``publishing`` of its number and its text."""

    def __init__(self) -> None:
        self.steps: dict[amqp.Method, Any] = dict(_STEPS)
        self.publishing: Callable[[int, str], Any] = lambda tag, _: confirmed(tag)
        self.port = free_port()
        self.said: list[tuple[amqp.Method, bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def names(self) -> list[amqp.Method]:
        return [name for name, _ in self.said]

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self.writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        tags = 0
        try:
            await reader.readexactly(len(amqp.HELLO))
            writer.write(_GREETING)
            while True:
                name, data = amqp.parted(await self._frame(reader))
                if name == amqp.PUBLISH:
                    tags += 1
                    await self._frame(reader)
                    told = self.publishing(tags, (await self._frame(reader)).decode())
                else:
                    told = self.steps.get(name)
                self.said.append((name, data))
                if told is ConnectionError:
                    writer.close()
                    return
                writer.write(told or b"")
        except (asyncio.IncompleteReadError, OSError):
            pass

    async def _frame(self, reader: asyncio.StreamReader) -> bytes:
        _, _, size = struct.unpack(">BHI", await reader.readexactly(7))
        return (await reader.readexactly(size + 1))[:-1]


def played(body: Callable[[Server, RabbitWorkload], Any]) -> None:
    """Runs the body with a server and its client."""

    async def scenario() -> None:
        async with Server() as server:
            of = RabbitWorkload((server.address,), _NOBODY, "gp-ab")
            try:
                await body(server, of)
            finally:
                await of.close()

    asyncio.run(scenario())


def test_what_is_said() -> None:
    @played
    async def _(server: Server, of: RabbitWorkload) -> None:
        await of.prepare()
        await of.write(7, "r.7")
        server.steps[amqp.GET] = message("7 r.7", tag=4)
        assert await of.read(7) == "r.7"
        assert await of.read(7) == "r.7", "it is asked for once"
        await of.clear()
        assert server.names == [
            *(amqp.START_OK, amqp.TUNE_OK, amqp.OPEN, amqp.CHANNEL, amqp.CONFIRM),
            *(amqp.DECLARE, amqp.PUBLISH, amqp.GET, amqp.ACK, amqp.DELETE),
        ]
        told = dict(server.said)
        assert b"x-queue-type" in told[amqp.DECLARE] and b"quorum" in told[amqp.DECLARE]
        assert b"x-expires" in told[amqp.DECLARE]
        assert told[amqp.PUBLISH].endswith(b"\x05gp-ab\x01"), "what no queue takes comes back"
        assert told[amqp.ACK] == struct.pack(">QB", 4, 0)


def test_a_message_is_looked_for_until_the_queue_is_empty() -> None:
    @played
    async def _(server: Server, of: RabbitWorkload) -> None:
        queue = [message("1 r.1"), message("2 r.2", 2), message("3 r.3", 3)]

        class Steps(dict[amqp.Method, Any]):
            def get(self, name: amqp.Method, _: Any = None) -> Any:
                return queue.pop(0) if name == amqp.GET and queue else self[name]

        server.steps = Steps({**_STEPS, amqp.TUNE_OK: None, amqp.ACK: None})
        assert await of.read(2) == "r.2"
        assert len(queue) == 1
        assert await of.read(9) is None
        assert await of.read(3) == "r.3"


def test_what_was_taken_is_forgotten_with_the_queue() -> None:
    @played
    async def _(server: Server, of: RabbitWorkload) -> None:
        server.steps[amqp.GET] = message("0 r.0")
        assert await of.read(0) == "r.0"
        await of.clear()
        gone = "NOT_FOUND - no queue 'gp-ab' in vhost '/'"
        server.steps[amqp.GET] = closed(amqp.CHANNEL_CLOSED, 404, gone)
        assert await of.read(0) is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (closed(amqp.CHANNEL_CLOSED, 404, "home node is down"), "home node is down"),
        (closed(amqp.CLOSED, 320, "CONNECTION_FORCED - shutdown"), "CONNECTION_FORCED"),
        (ConnectionError, "the server closed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not RabbitMQ|broke|not AMQP"),
    ],
)
def test_a_queue_that_cannot_be_asked_is_not_empty(told: Any, words: str) -> None:
    @played
    async def _(server: Server, of: RabbitWorkload) -> None:
        server.steps[amqp.GET] = told
        with pytest.raises(NotDone, match=words):
            await of.read(7)
        server.steps[amqp.GET] = message("7 r.7")
        assert await of.read(7) == "r.7"


def test_what_is_no_confirmation() -> None:
    @played
    async def _(server: Server, of: RabbitWorkload) -> None:
        server.publishing = lambda tag, _: confirmed(tag, amqp.NACK)
        with pytest.raises(NotDone, match="does not confirm"):
            await of.write(7, "r.7")
        back = amqp.method(1, amqp.RETURNED, b"\0\0\0\0")
        server.publishing = lambda tag, text: back + amqp.content(1, text.encode()) + confirmed(tag)
        with pytest.raises(NotDone, match="no queue takes"):
            await of.write(8, "r.8")
        server.publishing = lambda *_: ConnectionError
        with pytest.raises(NotDone, match="the server closed"):
            await of.write(9, "r.9")
        server.publishing = lambda tag, _: confirmed(tag)
        await of.write(9, "r.9")


def test_one_confirmation_of_several() -> None:
    @played
    async def _(server: Server, of: RabbitWorkload) -> None:
        await of.prepare()
        server.publishing = lambda tag, _: confirmed(tag, several=True) if tag == 3 else b""
        await asyncio.gather(*(of.write(number, f"r.{number}") for number in (1, 2, 3)))


def test_a_message_that_nobody_waits_for_any_more_is_kept() -> None:
    @played
    async def _(server: Server, of: RabbitWorkload) -> None:
        server.steps[amqp.GET] = None
        with pytest.raises(TimeoutError):
            async with within(0.1):
                await of.read(7)
        server.writers[0].write(message("7 r.7"))
        while amqp.ACK not in server.names:
            await asyncio.sleep(0.005)
        assert await of.read(7) == "r.7"


def test_who_has_to_log_in_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RABBIT_WORD", "correct-horse")

    async def scenario() -> None:
        async with Server() as server:
            login = Login("store", WorkloadConfig(), "shop", "env:RABBIT_WORD")
            of = RabbitWorkload((server.address,), login, "gp-ab")
            await of.prepare()
            assert b"\0shop\0correct-horse" in dict(server.said)[amqp.START_OK]
            await of.close()
            refusal = closed(amqp.CLOSED, 403, "ACCESS_REFUSED - Login was refused")
            server.steps[amqp.START_OK] = refusal
            with pytest.raises(NotDone, match="does not let us in: ACCESS_REFUSED") as refused:
                await of.prepare()
            assert "correct-horse" not in str(refused.value)

    asyncio.run(scenario())


def test_a_silent_server_is_left_for_the_next_one() -> None:
    async def scenario() -> None:
        async with Server() as silent, Server() as other:
            silent.publishing = lambda *_: b""
            of = RabbitWorkload((silent.address, other.address), _NOBODY, "gp-ab")
            with pytest.raises(TimeoutError):
                async with within(0.3):
                    await of.write(7, "r.7")
            await of.write(7, "r.7")
            assert amqp.PUBLISH in other.names
            await of.close()

    asyncio.run(scenario())


def test_a_message_of_somebody_else_is_not_ours() -> None:
    @played
    async def _(server: Server, of: RabbitWorkload) -> None:
        server.steps[amqp.GET] = message("hello")
        with pytest.raises(NotDone, match="somebody else"):
            await of.read(7)
