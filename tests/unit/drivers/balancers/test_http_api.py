"""One HTTP request through a transport: what is sent, what is understood, what is silence."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gapless.config.api_url import ApiTlsConfig, ApiUrl
from gapless.config.hosts import HostConfig
from gapless.drivers.balancers import http_answer
from gapless.drivers.balancers.http_api import Ask, HttpApi, Place
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import NoAnswer
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import TrafficError
from gapless.model import Fence

from .certificates import Certificates
from .local import Local, transport


class Server:
    """Answers every request with the same bytes; remembers what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self.where: Any = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
        body = await reader.readexactly(int(length[0].split()[1])) if length else b""
        self.heard.append(head + body)
        writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def serving(answer: bytes, **how: Any) -> AsyncIterator[Server]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, **how)
    server.where = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server


def api(address: str, local: Any = None, **more: Any) -> HttpApi:
    host = NodeHost("edge", "lb1", lambda: transport(local or Local()))
    return HttpApi(host, address, product="Thing", hint="start it", **more)


def play(answer: bytes, case: Callable[[Server], Coroutine[Any, Any, None]]) -> None:
    async def scene() -> None:
        async with serving(answer) as server:
            await case(server)

    asyncio.run(scene())


OK = b'HTTP/1.1 200 OK\r\nETag: "x 1"\r\nContent-Length: 10\r\n\r\n{"a": "b"}'


def test_a_request_is_whole_and_says_that_it_is_the_last_of_its_connection() -> None:
    async def case(server: Server) -> None:
        local = Local()
        fence = Fence("shop.api", "r1", 3)
        asked = Ask("PATCH", "/id/x?y=1", [{"dial": "ü"}], {"If-Match": '"x 1"'})
        answer = await api(f"http://{server.where}/base", local).ask(asked, fence)
        assert answer.ok and answer.json() == {"a": "b"}
        assert answer.headers.get("etag") == '"x 1"'
        head, _, body = server.heard[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "PATCH /base/id/x?y=1 HTTP/1.1"
        assert {f"Host: {server.where}", "Connection: close", 'If-Match: "x 1"'} <= set(lines)
        assert f"Content-Length: {len(body)}" in lines and "Content-Type: application/json" in lines
        assert json.loads(body) == [{"dial": "ü"}]
        assert local.fences == [fence]

    play(OK, case)


def test_chunks_are_put_together() -> None:
    async def case(server: Server) -> None:
        answer = await api(f"http://{server.where}").ask(Ask("GET", "/"))
        assert answer.body == b"hello world" and str(answer) == "200 hello world"

    play(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
        case,
    )


def test_a_header_may_come_behind_the_last_chunk() -> None:
    async def case(server: Server) -> None:
        answer = await api(f"http://{server.where}").ask(Ask("GET", "/"))
        assert (answer.body, answer.headers.get("etag")) == (b"hello", '"x: 1"')

    play(
        b"HTTP/1.1 200 OK\r\nTrailer: ETag\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'5\r\nhello\r\n0\r\nEtag: "x: 1"\r\n\r\n',
        case,
    )


def test_a_refusal_is_an_answer() -> None:
    async def case(server: Server) -> None:
        answer = await api(f"http://{server.where}").ask(Ask("PUT", "/"))
        assert (answer.status, answer.ok, answer.json()) == (412, False, None)

    play(b"HTTP/1.1 412 No\r\n\r\n", case)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"],
    ids=["nothing", "half of it"],
)
def test_a_connection_that_ends_too_early_is_silence(answer: bytes) -> None:
    async def case(server: Server) -> None:
        with pytest.raises(NoAnswer) as caught:
            await api(f"http://{server.where}").ask(Ask("GET", "/x"))
        error = caught.value
        assert error.what == "Thing on lb1 ended the connection without a whole answer"
        assert "GET /x" in error.evidence and error.next == "start it"

    play(answer, case)


def test_nobody_there_is_silence() -> None:
    with pytest.raises(NoAnswer, match="Thing on lb1 does not answer"):
        asyncio.run(api("http://127.0.0.1:1").ask(Ask("GET", "/")))


@pytest.mark.parametrize(
    "answer", [b"xyzzy\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nxyzzy"]
)
def test_what_is_not_http_is_nonsense_with_the_evidence(answer: bytes) -> None:
    async def case(server: Server) -> None:
        with pytest.raises(TrafficError) as caught:
            await api(f"http://{server.where}").ask(Ask("GET", "/"))
        assert not isinstance(caught.value, NoAnswer)
        assert "nonsense" in caught.value.what and "xyzzy" in caught.value.evidence

    play(answer, case)


def test_an_endless_answer_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case(server: Server) -> None:
        with pytest.raises(TrafficError, match="nonsense") as caught:
            await api(f"http://{server.where}").ask(Ask("GET", "/"))
        assert "longer than 9 bytes" in caught.value.evidence

    monkeypatch.setattr(http_answer, "LARGEST", 9)
    play(OK, case)


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 403 No\r\nContent-Length: 24\r\n\r\n{"token": "opensesame-1"}',
        b"opensesame-1 is no HTTP",
    ],
)
def test_a_secret_is_sent_and_never_seen_again(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "opensesame-1")

    async def case(server: Server) -> None:
        asked = api(f"http://{server.where}", secrets={"X-Token": "env:SHOP_TOKEN"})
        try:
            told = str(await asked.ask(Ask("GET", "/")))
        except TrafficError as error:
            told = f"{error} {error.evidence}"
        assert b"X-Token: opensesame-1\r\n" in server.heard[0]
        assert "***" in told and "opensesame" not in told

    play(answer, case)


def test_a_secret_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    with pytest.raises(TrafficError, match="env:SHOP_TOKEN"):
        asyncio.run(api("http://127.0.0.1:1", secrets={"X": "env:SHOP_TOKEN"}).ask(Ask("GET", "/")))


def test_nothing_can_be_smuggled_into_a_request() -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        asyncio.run(api("http://127.0.0.1:1").ask(Ask("GET", "/a HTTP/1.1\r\nX: y")))


def test_a_socket_file_is_a_place_too(tmp_path: Path) -> None:
    async def scene() -> None:
        server = Server(OK)
        path = tmp_path / "api.sock"
        async with await asyncio.start_unix_server(server.serve, path):
            state = str(tmp_path / "state")
            local = LocalTransport("", HostConfig(transport="local", sudo=False, state_dir=state))
            await local.connect()
            try:
                assert (await api(f"unix:{path}", local).ask(Ask("GET", "/"))).ok
            finally:
                await local.close()

    asyncio.run(scene())


def test_tls_is_believed_only_by_certificate_and_asked_with_our_own(tmp_path: Path) -> None:
    made = Certificates(tmp_path)

    async def scene() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=made.ca)
        context.load_cert_chain(made.server)
        context.verify_mode = ssl.CERT_REQUIRED
        state = str(tmp_path / "state")
        local = LocalTransport("", HostConfig(transport="local", sudo=False, state_dir=state))
        await local.connect()
        try:
            async with serving(OK, ssl=context) as server:
                address = f"https://{server.where}"

                async def ask(**tls: str) -> bool:
                    return (
                        await api(address, local, tls=ApiTlsConfig(**tls)).ask(Ask("GET", "/"))
                    ).ok

                assert await ask(ca=made.ca, cert=made.client, name="etcd.shop.example")
                with pytest.raises(NoAnswer) as caught:
                    await ask(ca=made.ca, cert=made.client)
                assert "no TLS with" in caught.value.evidence
                assert "127.0.0.1" in caught.value.evidence
                with pytest.raises(NoAnswer) as caught:
                    await ask(name="etcd.shop.example", cert=made.client)
                assert "self-signed certificate" in caught.value.evidence
                with pytest.raises(NoAnswer):
                    await ask(ca=made.ca, name="etcd.shop.example")
                with pytest.raises(NoAnswer) as caught:
                    await ask(ca=str(tmp_path / "nothing"), name="etcd.shop.example")
                assert "No such file" in caught.value.evidence
        finally:
            await local.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("address", "socket", "called", "prefix"),
    [
        ("http://localhost:2019", "localhost:2019", "localhost:2019", ""),
        ("http://[::1]:2019/x/", "[::1]:2019", "[::1]:2019", "/x"),
        ("http://api", "api:80", "api", ""),
        ("https://api", "api:443", "api", ""),
        ("unix:/run/x.sock", "unix:/run/x.sock", "localhost", ""),
    ],
)
def test_where_an_address_is(address: str, socket: str, called: str, prefix: str) -> None:
    place = Place.of(TypeAdapter(ApiUrl).validate_python(address))
    assert (place.socket, place.called, place.prefix) == (socket, called, prefix)
    assert (place.tls is not None) == address.startswith("https")


@pytest.mark.parametrize(
    "text",
    [
        "localhost:2019",
        "ftp://x:1",
        "http://",
        "http://x:port",
        "http://x:0",
        "http://me:pw@x:1",
        "http://x/?a=b",
        "http://x/a b",
        "unix:run",
        7,
        None,
    ],
)
def test_what_is_no_address_of_an_api(text: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ApiUrl).validate_python(text)
