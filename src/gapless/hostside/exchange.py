"""One question over a socket of the host: connect, send, read to the end."""

from __future__ import annotations

import socket
import time

from gapless.hostside import claims
from gapless.hostside.calls import Call
from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.store import open_store
from gapless.hostside.wire import pack_bytes, unpack_bytes

_LARGEST = 64 << 20


def exchange(call: Call) -> str:
    """The verb."""
    args = call.args
    if args["fence"]:
        store = open_store()
        with store.locked(claims.lock_name(args["fence"]["service"]), call):
            claims.admit(store, args["fence"])
    address, until = args["address"], time.monotonic() + args["timeout"]
    try:
        with _secured(connect(address, args["timeout"]), address, args.get("tls")) as connection:
            connection.sendall(unpack_bytes(args["data"]))
            return pack_bytes(_read_all(connection, until))
    except (socket.timeout, TimeoutError) as error:
        what = f"{address} did not end its answer within {args['timeout']:g} s"
        raise Fault(what, kind="deadline") from error
    except OSError as error:
        raise from_os_error(error, f"cannot talk to {address}") from error


def connect(address: str, timeout: float) -> socket.socket:
    """A connection to a unix path (``/run/x.sock``, ``unix:/run/x.sock``) or ``host:port``."""
    path = address[5:] if address.startswith("unix:") else address
    if path.startswith("/"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(path)
        except BaseException:
            connection.close()
            raise
        return connection
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise Fault(f"{address!r} is neither a path nor host:port")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=timeout)


def _secured(connection: socket.socket, address: str, tls: dict[str, str] | None) -> socket.socket:
    """The connection, over TLS where it has to be; closed when that comes to nothing."""
    if tls is None:
        return connection
    import ssl

    try:
        context = ssl.create_default_context(cafile=tls["ca"] or None)
        if tls["cert"]:
            context.load_cert_chain(tls["cert"], tls["key"] or None)
        return context.wrap_socket(connection, server_hostname=tls["name"])
    except ssl.SSLError as error:  # its errno is not the operating system's
        connection.close()
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        raise Fault(f"no TLS with {address}: {why}", evidence=str(error)) from error
    except OSError:
        connection.close()
        raise


def _read_all(connection: socket.socket, until: float) -> bytes:
    received = bytearray()
    while True:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        data = connection.recv(65536)
        received += data
        if not data:
            return bytes(received)
        if len(received) > _LARGEST:
            raise Fault(f"the answer is longer than {_LARGEST} bytes")
