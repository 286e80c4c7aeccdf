"""A real NATS that wants TLS of its clients: the driver orders and the client of ``--prove``
writes, and neither believes anybody that nobody vouches for. TLS begins when INFO has offered it,
or before that."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from gapless.config.cluster_nats import NatsClusterConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.clusters.nats_protocol import Order, Said
from gapless.drivers.clusters.nats_talk import NatsLogin, NatsTalk, ShutOut
from gapless.drivers.transports.base import Transport
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.nats import NatsWorkload
from gapless.errors import ClusterError
from gapless.prove.workload import NotDone
from tests.clusters.nats_cluster import CURRENT, DEBIAN, PROGRAMS, need_nats
from tests.clusters.redis_servers import _ends_with_us, local_transport, wait_for
from tests.clusters.vouched import WRONG, believing, tls, written
from tests.ports import free_port
from tests.unit.drivers.balancers.certificates import Certificates

pytestmark = pytest.mark.xdist_group("nats-tls")
_ORDER = Order("$JS.API.STREAM.LEADER.STEPDOWN.ORDERS")


@dataclass
class Server:
    """Where it listens; ``first``: TLS begins before anything is said."""

    certificates: Certificates
    address: str
    first: bool = False

    def written(self, **other: str) -> str | None:
        """By the client, and read again."""
        believes, nobody = tls(self.certificates, **other), Login("bus", WorkloadConfig())
        place = ((self.address,), nobody, "gp-ab", 1)
        return asyncio.run(written(NatsWorkload(*place, believes, tls_first=self.first)))

    def keys(self, **other: str) -> dict[str, Any]:
        """What the driver has to be told."""
        return {
            "client_tls": believing(self.certificates, **other),
            "handshake_first": self.first,
        }

    def told(self, folder: Path, *all_keys: Mapping[str, Any]) -> list[Said | ClusterError]:
        """What became of an order of the driver, with each of these keys."""

        async def scene() -> list[Said | ClusterError]:
            async with local_transport(folder) as local:
                return [await self._said(cast(Transport, local), keys) for keys in all_keys]

        return asyncio.run(scene())

    async def _said(self, local: Transport, keys: Mapping[str, Any]) -> Said | ClusterError:
        config = NatsClusterConfig.model_validate({"timeout": "10s", **keys})
        talk = NatsTalk("bus", "n1", self.address, lambda: local, config)
        try:
            return await talk.say(NatsLogin("bus", None), _ORDER)
        except ClusterError as error:
            return error


@contextmanager
def served(folder: Path, edition: str, tls_keys: str = "") -> Iterator[Server]:
    """As long as the body; without TLS where nothing is said of it."""
    need_nats(edition)
    program = PROGRAMS[edition]
    assert program
    certificates, port = Certificates(folder), free_port()
    pair = f'cert_file: "{certificates.server}", key_file: "{certificates.server}"'
    text = f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}/data" }}\n'
    if tls_keys:
        text += f'tls {{ {pair}, ca_file: "{certificates.ca}", {tls_keys} }}\n'
    config = folder / "nats.conf"
    config.write_text(text)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [program, "-c", str(config)], stdout=log, stderr=log, preexec_fn=_ends_with_us
        )
    try:
        wait_for(lambda: "Server is ready" in (folder / "log").read_text(), "it is ready")
        yield Server(certificates, f"127.0.0.1:{port}", "handshake_first" in tls_keys)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def offers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """TLS, in its INFO."""
    with served(tmp_path_factory.mktemp("offers"), DEBIAN, "verify: true") as server:
        yield server


@pytest.fixture(scope="module")
def begins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With TLS."""
    keys = "verify: true, handshake_first: true"
    with served(tmp_path_factory.mktemp("begins"), CURRENT, keys) as server:
        yield server


@pytest.fixture(params=["offers", "begins"])
def server(request: pytest.FixtureRequest) -> Server:
    return cast(Server, request.getfixturevalue(request.param))


def test_the_client_and_its_server_are_vouched_for(server: Server) -> None:
    assert server.written() == "one"


@pytest.mark.parametrize("wrong", WRONG)
def test_the_client_believes_nobody_else(server: Server, wrong: str) -> None:
    told = "no TLS with" if wrong != "cert" else None
    with pytest.raises((NotDone, OSError), match=told):
        server.written(**{wrong: ""})


def test_the_driver_orders_over_tls_and_believes_nobody_else(
    server: Server, tmp_path: Path
) -> None:
    said, ca, name, cert = server.told(
        tmp_path, server.keys(), *(server.keys(**{wrong: ""}) for wrong in WRONG)
    )
    assert isinstance(said, Said) and said.taken and said.info["tls_required"] is True
    assert isinstance(ca, ShutOut) and "local issuer certificate" in ca.what
    assert isinstance(name, ShutOut) and "IP address mismatch" in name.what
    for error in (ca, name):
        assert "no TLS with" in error.what and "'client_tls'" in error.next
    assert isinstance(cert, ClusterError)


def test_without_tls_it_is_told_what_to_write(server: Server, tmp_path: Path) -> None:
    (error,) = server.told(tmp_path, {})
    assert isinstance(error, ClusterError) and "'client_tls'" in error.next
    assert ("'handshake_first'" in error.next) is server.first


def test_tls_that_begins_otherwise_is_no_reason_to_speak_without(
    server: Server, tmp_path: Path
) -> None:
    (error,) = server.told(tmp_path, {**server.keys(), "handshake_first": not server.first})
    assert isinstance(error, ShutOut) and "no TLS with" in error.what
    assert "'handshake_first'" in error.next


def test_a_server_without_tls_is_told_nothing(tmp_path: Path) -> None:
    with served(tmp_path, DEBIAN) as plain:
        (error,) = plain.told(tmp_path / "host", plain.keys())
    assert isinstance(error, ShutOut) and "no TLS with" in error.what
    assert "it does not offer any" in error.what
