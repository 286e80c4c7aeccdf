"""Clients of members that speak TLS: who vouches for whom, and what is told where nobody does."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from gapless.config.api_url import ApiTlsConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.speaking_tls import tls_to
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.nats import NatsWorkload
from gapless.drivers.workloads.rabbitmq import RabbitWorkload
from gapless.drivers.workloads.redis_cluster import RedisClusterWorkload
from gapless.drivers.workloads.redis_sentinel import SentinelWorkload
from gapless.drivers.workloads.zookeeper import ZooKeeperWorkload
from gapless.prove.workload import NotDone, Workload
from tests.ports import free_port
from tests.unit.drivers.balancers.certificates import Certificates

from . import test_rabbitmq, test_zookeeper
from .peer import Peer
from .test_redis import names

NAME = "etcd.shop.example"
_NOBODY = Login("store", WorkloadConfig())
_BYE = b"+OK\r\n"
_MASTER = b"*3\r\n$6\r\nmaster\r\n:1\r\n*0\r\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


def believing(certificates: Certificates, **other: str) -> ApiTlsConfig:
    keys = {"ca": certificates.ca, "cert": certificates.client, "name": NAME, **other}
    return ApiTlsConfig.model_validate({key: value for key, value in keys.items() if value})


def strict(certificates: Certificates) -> ssl.SSLContext:
    """A server that wants a certificate of its clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    context.load_cert_chain(certificates.server)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def before(certificates: Certificates, port: int) -> AsyncIterator[str]:
    """The address of a door with TLS to what listens there without."""
    rooms: set[asyncio.Task[None]] = set()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
        writer.close()

    async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        for way in (pour(reader, there[1]), pour(there[0], writer)):
            rooms.add(asyncio.create_task(way))

    own = free_port()
    context = strict(certificates)
    server = await asyncio.start_server(let_in, "127.0.0.1", own, ssl=context)
    try:
        yield f"127.0.0.1:{own}"
    finally:
        server.close()
        for room in rooms:
            room.cancel()
        await asyncio.gather(*rooms, return_exceptions=True)


async def written(of: Workload) -> None:
    try:
        await of.write(1, "one")
    finally:
        await of.close()


Client = Callable[[str, ApiTlsConfig | None], Workload]


async def in_redis_cluster(
    certificates: Certificates, scene: Callable[[Client, str], Awaitable[None]]
) -> None:
    def client(address: str, tls: ApiTlsConfig | None) -> Workload:
        return RedisClusterWorkload((address,), _NOBODY, "p", tls)

    async with Peer(lambda _: _BYE * 2) as peer, before(certificates, peer.port) as address:
        await scene(client, address)


async def in_rabbitmq(
    certificates: Certificates, scene: Callable[[Client, str], Awaitable[None]]
) -> None:
    def client(address: str, tls: ApiTlsConfig | None) -> Workload:
        return RabbitWorkload((address,), _NOBODY, "gp-ab", tls)

    async with test_rabbitmq.Server() as server, before(certificates, server.port) as address:
        await scene(client, address)


async def in_zookeeper(
    certificates: Certificates, scene: Callable[[Client, str], Awaitable[None]]
) -> None:
    def client(address: str, tls: ApiTlsConfig | None) -> Workload:
        return ZooKeeperWorkload((address,), "gp-ab", tls)

    async with (
        test_zookeeper.Server(lambda *_: b"") as server,
        before(certificates, server.port) as address,
    ):
        await scene(client, address)


async def in_nats(
    certificates: Certificates, scene: Callable[[Client, str], Awaitable[None]]
) -> None:
    def client(address: str, tls: ApiTlsConfig | None) -> Workload:
        return NatsWorkload((address,), _NOBODY, "gp-ab", 3, tls)

    async with nats(certificates, tls_required=True) as address:
        await scene(client, address)


@asynccontextmanager
async def nats(certificates: Certificates, **info: bool) -> AsyncIterator[str]:
    """A server that says INFO in the clear, and the rest over TLS."""
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        with suppress(OSError, asyncio.IncompleteReadError):
            await writer.start_tls(strict(certificates))
            while line := await reader.readline():
                verb, *words = line.decode().split()
                if verb == "PING":
                    writer.write(b"PONG\r\n")
                elif verb == "HPUB":
                    await reader.readexactly(int(words[-1]) + 2)
                    told = json.dumps({"stream": "gp-ab", "seq": 1}).encode()
                    writer.write(b"MSG %b 1 %d\r\n%b\r\n" % (words[1].encode(), len(told), told))

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


_EACH = [in_redis_cluster, in_rabbitmq, in_zookeeper, in_nats]


@pytest.mark.parametrize("within", _EACH)
def test_both_are_vouched_for(
    certificates: Certificates, within: Callable[..., Awaitable[None]]
) -> None:
    async def scene(client: Client, address: str) -> None:
        await written(client(address, believing(certificates)))

    asyncio.run(_of(within(certificates, scene)))


@pytest.mark.parametrize("within", _EACH)
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ca": ""}, "no TLS with .*: .*(self-signed|issuer)"),
        ({"name": ""}, "no TLS with .*: IP address mismatch"),
        ({"ca": "/nowhere/ca.pem"}, "there is no file /nowhere/ca.pem"),
        ({"cert": "/nowhere/cert.pem"}, "there is no file /nowhere/cert.pem"),
    ],
)
def test_who_is_not_vouched_for_is_not_believed(
    certificates: Certificates,
    within: Callable[..., Awaitable[None]],
    wrong: dict[str, str],
    told: str,
) -> None:
    async def scene(client: Client, address: str) -> None:
        with pytest.raises(NotDone, match=told):
            await written(client(address, believing(certificates, **wrong)))

    asyncio.run(_of(within(certificates, scene)))


@pytest.mark.parametrize("within", _EACH)
def test_without_a_certificate_of_ours_nothing_is_written(
    certificates: Certificates, within: Callable[..., Awaitable[None]]
) -> None:
    async def scene(client: Client, address: str) -> None:
        with pytest.raises((NotDone, OSError)):
            await written(client(address, believing(certificates, cert="")))

    asyncio.run(_of(within(certificates, scene)))


async def _of(made: Awaitable[None]) -> None:
    await made


def test_sentinels_and_the_master_are_believed_apart(certificates: Certificates) -> None:
    """Here the master speaks TLS, and the sentinel does not."""

    async def scene() -> None:
        master = Peer(lambda _: _MASTER + _BYE * 2)
        async with master, before(certificates, master.port) as address:
            door = Peer(master.answer)
            door.port = int(address.rpartition(":")[2])
            async with Peer(names(door)) as sentinel:
                of = SentinelWorkload(
                    (sentinel.address,), "shop", _NOBODY, _NOBODY, "p", tls=believing(certificates)
                )
                await written(of)

    asyncio.run(scene())


def test_nats_says_whether_it_speaks_tls(certificates: Certificates) -> None:
    async def scene() -> None:
        async with nats(certificates) as plain, nats(certificates, tls_required=True) as secure:
            for address, tls, told in (
                (plain, believing(certificates), "speaks no TLS"),
                (secure, None, "wants TLS: say 'tls' of its workload"),
            ):
                with pytest.raises(NotDone, match=told):
                    await written(NatsWorkload((address,), _NOBODY, "gp-ab", 3, tls))

    asyncio.run(scene())


def test_the_name_is_that_of_the_address_unless_another_one_is_given() -> None:
    assert tls_to("db1:6379", None) is None
    found = [tls_to(one, ApiTlsConfig()) for one in ("db1:6379", "[::1]:6379", "/run/r.sock")]
    assert [one and one.name for one in found] == ["db1", "::1", "localhost"]
    other = tls_to("db1:6379", ApiTlsConfig(name="redis", ca="ca", cert="c", key="k"))
    assert other and (other.name, other.ca, other.cert, other.key) == ("redis", "ca", "c", "k")
