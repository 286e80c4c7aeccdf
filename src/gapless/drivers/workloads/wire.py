"""Bytes to a member of a cluster and back, straight from where gapless runs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from gapless.drivers.transports.base import Tls
from gapless.prove.workload import NotDone

_LONGEST = 16 << 20


async def connected(
    address: str, tls: Tls | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To ``host:port`` or the path of a socket. Raises OSError, NotDone."""
    path = address.removeprefix("unix:")
    context = None if tls is None else _context(address, tls)
    name = tls.name if tls else None
    with _believed(address):
        if path.startswith("/"):
            return await asyncio.open_unix_connection(path, ssl=context, server_hostname=name)
        host, _, port = address.rpartition(":")
        if not port.isdecimal():
            raise NotDone(f"{address!r} is no address: write host:port")
        return await asyncio.open_connection(
            host.strip("[]"), int(port), ssl=context, server_hostname=name
        )


async def secured(address: str, writer: asyncio.StreamWriter, tls: Tls) -> None:
    """What is said on that connection from now on is said over TLS. Raises OSError, NotDone."""
    with _believed(address):
        await writer.start_tls(_context(address, tls), server_hostname=tls.name)


async def exchange(address: str, data: bytes, tls: Tls | None = None) -> bytes:
    """Sends, and reads until the other side closes. Raises OSError, NotDone."""
    reader, writer = await connected(address, tls)
    try:
        writer.write(data)
        came = bytearray()
        while part := await reader.read(1 << 16):
            came += part
            if len(came) > _LONGEST:
                raise NotDone(f"{address} answers without end")
        return bytes(came)
    finally:
        writer.transport.abort()


@contextmanager
def _believed(address: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        raise NotDone(f"no TLS with {address}: {why}") from None


def _context(address: str, tls: Tls) -> ssl.SSLContext:
    with _believed(address):
        try:
            context = ssl.create_default_context(cafile=tls.ca or None)
        except FileNotFoundError:
            raise NotDone(f"no TLS with {address}: there is no file {tls.ca}") from None
        if tls.cert:
            try:
                context.load_cert_chain(tls.cert, tls.key or None)
            except FileNotFoundError:
                files = " or ".join(filter(None, (tls.cert, tls.key)))
                raise NotDone(f"no TLS with {address}: there is no file {files}") from None
    return context
