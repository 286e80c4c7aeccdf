"""A client of NATS, over a connection that it keeps."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from gapless.clock import within
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.nats import NatsWorkload
from gapless.prove.workload import NotDone
from tests.ports import free_port

Answer = Callable[[str, bytes], Any]
_NOBODY = Login("store", WorkloadConfig())
_ACK = {"stream": "gp-ab", "seq": 5}


class Server:
    """Answers each message by ``answer(subject, payload)``: JSON, raw bytes, ``None`` for silence,
    ``ConnectionError`` for an end."""

    def __init__(self, answer: Answer, **info: Any) -> None:
        self.answer, self.info = answer, info
        self.port = free_port()
        self.connects: list[dict[str, Any]] = []
        self.said: list[tuple[str, bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.greeting = b"PING\r\nPONG\r\n"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self.writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        writer.write(f"INFO {json.dumps(self.info)}\r\n".encode())
        while line := await reader.readline():
            verb, *words = line.decode().split()
            if verb == "CONNECT":
                self.connects.append(json.loads(line[8:]))
            elif verb == "PING":
                writer.write(self.greeting)
            elif verb in ("PUB", "HPUB"):
                whole = await reader.readexactly(int(words[-1]) + 2)
                self.said.append((words[0], whole[:-2]))
                told = self.answer(words[0], whole[:-2])
                if told is ConnectionError:
                    writer.close()
                    return
                if told is not None:
                    body = told if isinstance(told, bytes) else json.dumps(told).encode()
                    head = f"MSG {words[1]} 1 {len(body)}\r\n".encode()
                    writer.write(head + body + b"\r\n")


def client(*servers: Server, login: Login = _NOBODY, members: int = 3) -> NatsWorkload:
    return NatsWorkload(tuple(one.address for one in servers), login, "gp-ab", members)


def played(answer: Answer, **info: Any) -> Callable[[Callable[..., Any]], None]:
    """Runs the body with a server and its client."""

    def run(body: Callable[..., Any]) -> None:
        async def scenario() -> None:
            async with Server(answer, **info) as server:
                of = client(server)
                try:
                    await body(server, of)
                finally:
                    await of.close()

        asyncio.run(scenario())

    return run


def test_what_is_said() -> None:
    def answer(subject: str, payload: bytes) -> Any:
        if "MSG.GET" in subject:
            return {"message": {"data": base64.b64encode(b"r.7").decode()}}
        return _ACK if subject == "gp-ab.7" else {"success": True}

    @played(answer)
    async def _(server: Server, of: NatsWorkload) -> None:
        await of.prepare()
        await of.write(7, "r.7")
        assert await of.read(7) == "r.7"
        await of.clear()
        made, put, got, removed = server.said
        assert made[0] == "$JS.API.STREAM.CREATE.gp-ab"
        config = json.loads(made[1])
        assert (config["num_replicas"], config["subjects"]) == (3, ["gp-ab.*"])
        assert put == ("gp-ab.7", b"NATS/1.0\r\nNats-Msg-Id: r.7\r\n\r\nr.7")
        assert json.loads(got[1]) == {"last_by_subj": "gp-ab.7"}
        assert removed[0] == "$JS.API.STREAM.DELETE.gp-ab"
        assert len(server.connects) == 1 and "user" not in server.connects[0]


@pytest.mark.parametrize("code", [10037, 10059])
def test_nothing_there_is_none(code: int) -> None:
    @played(lambda *_: {"error": {"code": 404, "err_code": code, "description": "x"}})
    async def _(server: Server, of: NatsWorkload) -> None:
        assert await of.read(7) is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"error": {"code": 503, "description": "no leader"}}, "NATS refuses: no leader"),
        ({"stream": "OTHER", "seq": 1}, "nonsense"),
        ({"stream": "gp-ab"}, "nonsense"),
        (b"fine", "nonsense"),
        (b"NATS/1.0 503\r\n\r\n", "nobody answers for the stream"),
        (ConnectionError, "the server closed"),
    ],
)
def test_what_is_no_acknowledgement(told: Any, words: str) -> None:
    @played(lambda *_: told)
    async def _(server: Server, of: NatsWorkload) -> None:
        with pytest.raises(NotDone, match=words):
            await of.write(7, "r.7")
        server.answer = lambda *_: _ACK
        await of.write(7, "r.7")


@pytest.mark.parametrize(
    ("greeting", "info", "words"),
    [
        (b"-ERR 'Authorization Violation'\r\n", {}, "Authorization Violation"),
        (b"PONG\r\n", {"tls_required": True}, "wants TLS"),
    ],
)
def test_one_that_does_not_let_us_in(greeting: bytes, info: dict[str, Any], words: str) -> None:
    @played(lambda *_: _ACK, **info)
    async def _(server: Server, of: NatsWorkload) -> None:
        server.greeting = greeting
        with pytest.raises(NotDone, match=words):
            await of.write(7, "r.7")


def test_who_has_to_log_in_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_WORD", "correct-horse")
    login = Login("store", WorkloadConfig(), "shop", "env:NATS_WORD")

    async def scenario() -> None:
        async with Server(lambda *_: _ACK) as server:
            of = client(server, login=login, members=1)
            await of.write(7, "r.7")
            told = server.connects[0]
            assert (told["user"], told["pass"]) == ("shop", "correct-horse")
            await of.close()

    asyncio.run(scenario())


def test_a_server_that_is_about_to_end_is_told_nothing_new() -> None:
    """What is under way there is answered all the same."""

    async def scenario() -> None:
        held: list[str] = []
        async with (
            Server(lambda subject, _: held.append(subject)) as leaving,
            Server(lambda *_: _ACK) as other,
        ):
            of = client(leaving, other)
            under_way = asyncio.create_task(of.read(1))
            while not held:
                await asyncio.sleep(0.005)
            leaving.writers[0].write(b'INFO {"ldm": true}\r\n')
            while of._kept.client is None or not of._kept.client.leaving:
                await asyncio.sleep(0.005)
            await of.write(7, "r.7")
            assert [subject for subject, _ in other.said] == ["gp-ab.7"]
            assert not under_way.done()
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)
            await of.close()

    asyncio.run(scenario())


def test_a_silent_server_is_left_for_the_next_one() -> None:
    async def scenario() -> None:
        async with Server(lambda *_: None) as silent, Server(lambda *_: _ACK) as other:
            of = client(silent, other)
            with pytest.raises(TimeoutError):
                async with within(0.2):
                    await of.write(7, "r.7")
            await of.write(7, "r.7")
            await of.close()

    asyncio.run(scenario())
