"""kafka-python over TLS, with a fake broker behind it: who vouches for whom."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from gapless.config.cluster_kafka import KafkaConfig
from gapless.drivers.clusters.kafka_client import KafkaClient
from gapless.drivers.clusters.member_api import Silent
from gapless.drivers.clusters.password import Password
from tests.clusters import kafka_state
from tests.clusters.kafka_fake import Broker
from tests.clusters.kafka_state import State
from tests.unit.drivers.balancers.certificates import Certificates

NAME = "etcd.shop.example"
"""That of the certificate."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name leads to this machine."""
    real = socket.getaddrinfo

    def found(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == NAME else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", found)


def asked(folder: Path, certificates: Certificates, host: str, tls: dict[str, str]) -> str:
    """The cluster that a broker tells of that wants a certificate of ours."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    context.load_cert_chain(certificates.server)
    context.verify_mode = ssl.CERT_REQUIRED
    state = State(folder)
    state.create(kafka_state.three({"1": (NAME, 1), "2": (NAME, 2), "3": (NAME, 3)}, {"t": 1}))

    async def scene() -> str:
        server = await asyncio.start_server(Broker(state, "1").talk, "127.0.0.1", 0, ssl=context)
        config = KafkaConfig.model_validate({"tls": tls, "timeout": "5s"})
        async with server:
            address = f"{host}:{server.sockets[0].getsockname()[1]}"
            password = Password("stream", "", None)
            client = KafkaClient("stream", "Kafka on k1", address, config, password)
            return str((await client.look("")).metadata["cluster_id"])

    return asyncio.run(scene())


def test_both_are_vouched_for(tmp_path: Path, certificates: Certificates) -> None:
    tls = {"ca": certificates.ca, "cert": certificates.client}
    assert asked(tmp_path, certificates, NAME, tls) == "fake"


@pytest.mark.parametrize("wrong", ["another name", "nobody vouches", "no certificate of ours"])
def test_who_is_not_vouched_for_is_not_believed(
    tmp_path: Path, certificates: Certificates, wrong: str
) -> None:
    tls = {"ca": certificates.ca, "cert": certificates.client}
    host = "127.0.0.1" if wrong == "another name" else NAME
    if wrong == "nobody vouches":
        del tls["ca"]
    if wrong == "no certificate of ours":
        del tls["cert"]
    with pytest.raises(Silent, match="does not answer"):
        asked(tmp_path, certificates, host, tls)
