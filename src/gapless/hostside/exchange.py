"""One question over a socket of the host: connect, send, read to the end.

TLS begins at once, or where ``offer`` is given when the other side's first line, said in the clear,
matches it: that line is the beginning of the answer. Before it is over nothing of ours is said.
"""

from __future__ import annotations

import socket
import time

from gapless.hostside import claims
from gapless.hostside.calls import Call
from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.store import open_store
from gapless.hostside.wire import pack_bytes, unpack_bytes

_LARGEST = 64 << 20
_LONGEST_LINE = 1 << 20


def exchange(call: Call) -> str:
    """The verb."""
    args = call.args
    if args["fence"]:
        store = open_store()
        with store.locked(claims.lock_name(args["fence"]["service"]), call):
            claims.admit(store, args["fence"])
    address, until = args["address"], time.monotonic() + args["timeout"]
    try:
        with connect(address, args["timeout"]) as plain:
            told = _offered(plain, address, args.get("tls"), until)
            with _secured(plain, address, args.get("tls")) as connection:
                connection.sendall(unpack_bytes(args["data"]))
                return pack_bytes(told + _read_all(connection, until))
    except (socket.timeout, TimeoutError) as error:
        what = f"{address} did not end its answer within {args['timeout']:g} s"
        raise Fault(what, kind="deadline") from error
    except OSError as error:
        if hasattr(error, "reason"):  # it is of ssl, whose errno is not the operating system's
            raise _no_tls(error, address) from error
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


def _offered(
    connection: socket.socket, address: str, tls: dict[str, str] | None, until: float
) -> bytes:
    """The line that offers TLS; nothing where none has to."""
    offer = (tls or {}).get("offer", "")
    if not offer:
        return b""
    import re

    line = bytearray()
    while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        data = connection.recv(1)  # what is said after it is not of this line, and not over TLS
        if not data:
            break
        line += data
    told = line.decode("utf-8", "replace")
    if not re.search(offer, told):
        why = "it does not offer any" if line else "it ended before it offered any"
        raise Fault(f"no TLS with {address}: {why}", evidence=told[:400] or "it said nothing")
    return bytes(line)


def _secured(connection: socket.socket, address: str, tls: dict[str, str] | None) -> socket.socket:
    """The connection, over TLS where it has to be."""
    if tls is None:
        return connection
    import ssl

    try:
        context = ssl.create_default_context(cafile=tls["ca"] or None)
        if tls["cert"]:
            context.load_cert_chain(tls["cert"], tls["key"] or None)
    except FileNotFoundError as error:
        files = " or ".join(filter(None, (tls["ca"], tls["cert"], tls["key"])))
        raise Fault(f"no TLS with {address}: No such file: {files}") from error
    return context.wrap_socket(connection, server_hostname=tls["name"])


def _no_tls(error: OSError, address: str) -> Fault:
    """In the words of who did not believe whom."""
    why = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
    return Fault(f"no TLS with {address}: {why}", evidence=str(error))


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
