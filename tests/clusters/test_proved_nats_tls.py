"""``gapless restart --prove`` of NATS whose servers speak nothing but TLS to whoever asks, orders
and writes: the driver on both ports, and the client."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from json import load
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.nats_client import Client
from tests.clusters.nats_cluster import CURRENT, NAMES, USERS, NatsServers
from tests.clusters.proofs import proved
from tests.clusters.test_nats_rolled import NatsSite
from tests.clusters.vouched import NAME, believing
from tests.unit.drivers.balancers.certificates import Certificates

pytestmark = [pytest.mark.xdist_group("proved_nats_tls"), pytest.mark.timeout(170)]


class SecureClient(Client):
    """TLS begins after the first line."""

    def __init__(self, context: ssl.SSLContext, *place: Any) -> None:
        self._context: ssl.SSLContext | None = context
        super().__init__(*place)

    def _line(self) -> list[str]:
        line = super()._line()
        if self._context:
            self._socket = self._context.wrap_socket(self._socket, server_hostname=NAME)
            self._context = None
        return line


class SecureServers(NatsServers):
    """Who connects has a certificate, but for the monitoring port."""

    def __init__(self, folder: Path, edition: str, certificates: Certificates) -> None:
        self._certificates = certificates
        self._context = ssl.create_default_context(cafile=certificates.ca)
        self._context.load_cert_chain(certificates.client)
        super().__init__(folder, edition)

    @contextmanager
    def client(self, name: str, account: str = "SHOP") -> Iterator[Client]:
        place = (self.address(name), self.client_port, *USERS[account])
        client = SecureClient(self._context, *place)
        try:
            yield client
        finally:
            client.close()

    def page(self, name: str, path: str) -> Any:
        context = ssl.create_default_context(cafile=self._certificates.ca)
        context.check_hostname = False
        url = f"https://{self.address(name)}:{self.monitor_port}{path}"
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return load(answer)

    def _text(self, name: str, port: int) -> str:
        own = f'"{self._certificates.server}"'
        pair = f'cert_file: {own}, key_file: {own}, ca_file: "{self._certificates.ca}"'
        text = super()._text(name, port)
        assert "\nhttp: " in text
        return text.replace("\nhttp: ", "\nhttps: ") + f"tls {{ {pair}, verify: true }}\n"


class SecureSite(NatsSite):
    """The same as of those without."""

    def __init__(self, folder: Path, edition: str) -> None:
        super().__init__(folder, edition)
        certificates = Certificates(folder)
        self.servers = SecureServers(folder / "data", edition, certificates)
        self._believing = believing(certificates)
        self.beside = {"prove": {"workloads": {"store": {"tls": self._believing}}}}

    def service(self) -> dict[str, Any]:
        found = super().service()
        monitor = f"https://{{address}}:{self.servers.monitor_port}"
        nats = found["cluster"]["nats"] | {"monitor": monitor}
        nats |= {"tls": self._believing, "client_tls": self._believing}
        return {
            "health": {"tcp": f"{{address}}:{self.servers.client_port}", "timeout": "30s"},
            "cluster": {"nats": nats},
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureSite]:
    made = SecureSite(tmp_path_factory.mktemp("nats"), CURRENT)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_left(site: SecureSite) -> None:
    before, meta = site.pids(), site.servers.leaders(NAMES[0])["meta"]
    proof = proved(site)
    assert proof.well(), proof.client
    assert all(site.pids()[name] != before[name] for name in NAMES)
    assert site.order()[-1] == meta, "its leader was known, and goes last"
    moves = [event.data for event in site.events() if event.type == "leaders.moved"]
    assert moves and not any(move["failed"] for move in moves), "they were told over TLS"
    print(proof.client)
