"""One question over TLS, which begins at once or when it is offered: what is believed, and what is
said before anybody is."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from gapless.hostside.calls import Call
from gapless.hostside.exchange import exchange
from gapless.hostside.faults import Fault
from gapless.hostside.wire import pack_bytes, unpack_bytes
from tests.ports import free_port
from tests.unit.drivers.balancers.certificates import Certificates

NAME = "etcd.shop.example"
OFFER = "^HELLO.* TLS"
Greet = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


class Server:
    """Greets in the clear, and answers what it is told over TLS."""

    def __init__(self, certificates: Certificates, greet: Greet) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificates.server)
        self._greet = greet
        self._socket = socket.create_server(("127.0.0.1", port := free_port()))
        self.address = f"127.0.0.1:{port}"
        self.heard = b""

    def serve(self) -> None:
        plain, _ = self._socket.accept()
        plain.settimeout(10)
        with plain, suppress(OSError):
            self._greet(plain)
            with self._context.wrap_socket(plain, server_side=True) as connection:
                self.heard = connection.recv(100)
                connection.sendall(b"WELL")

    def close(self) -> None:
        self._socket.close()


@contextmanager
def listening(certificates: Certificates, greet: Greet) -> Iterator[Server]:
    server = Server(certificates, greet)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        thread.join(20)
        server.close()


def asked(server: Server, certificates: Certificates, **changed: str) -> bytes:
    tls = {"name": NAME, "ca": certificates.ca, "cert": "", "key": "", "offer": OFFER, **changed}
    args: dict[str, Any] = {"address": server.address, "timeout": 10.0, "fence": None, "tls": tls}
    return unpack_bytes(exchange(Call(1, "exchange", {**args, "data": pack_bytes(b"SECRET")})))


def says(text: bytes) -> Greet:
    return lambda plain: plain.sendall(text)


def test_tls_begins_after_the_line_that_offers_it(certificates: Certificates) -> None:
    with listening(certificates, says(b"HELLO, I speak TLS\r\n")) as server:
        assert asked(server, certificates) == b"HELLO, I speak TLS\r\nWELL"
    assert server.heard == b"SECRET"


def test_without_an_offer_it_begins_at_once(certificates: Certificates) -> None:
    with listening(certificates, says(b"")) as server:
        assert asked(server, certificates, offer="") == b"WELL"


@pytest.mark.parametrize(
    ("greeting", "changed", "told"),
    [
        (b"HELLO\r\n", {}, "it does not offer any"),
        (b"HELLO, I speak TLS\r\nand am somebody else\r\n", {}, "WRONG_VERSION_NUMBER|RECORD"),
        (b"HELLO, I speak TLS\r\n", {"ca": ""}, "self-signed|issuer"),
        (b"HELLO, I speak TLS\r\n", {"name": "another"}, "mismatch"),
        (b"HELLO, I speak TLS\r\n", {"ca": "/nowhere/ca.pem"}, "No such file: /nowhere/ca.pem"),
        (b"HELLO, I speak TLS\r\n", {"cert": "/nowhere/c.pem"}, "or /nowhere/c.pem"),
    ],
)
def test_nothing_is_said_before_the_other_side_is_believed(
    certificates: Certificates, greeting: bytes, changed: dict[str, str], told: str
) -> None:
    with (
        listening(certificates, says(greeting)) as server,
        pytest.raises(Fault, match=f"no TLS with .*: .*({told})"),
    ):
        asked(server, certificates, **changed)
    assert server.heard == b""


def test_an_end_before_any_offer_is_told(certificates: Certificates) -> None:
    with (
        listening(certificates, lambda plain: plain.shutdown(socket.SHUT_RDWR)) as server,
        pytest.raises(Fault, match="it ended before it offered any"),
    ):
        asked(server, certificates)


def test_who_does_not_believe_us_is_told_as_such(certificates: Certificates) -> None:
    def strict(plain: socket.socket) -> None:
        plain.sendall(b"HELLO, I speak TLS\r\n")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
        context.load_cert_chain(certificates.server)
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # its refusal is part of the handshake
        context.wrap_socket(plain, server_side=True)

    with (
        listening(certificates, strict) as server,
        pytest.raises(Fault, match=r"no TLS with .*HANDSHAKE_FAILURE"),
    ):
        asked(server, certificates)
