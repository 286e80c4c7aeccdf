"""Bytes to a member of a cluster and back, straight from where gapless runs."""

from __future__ import annotations

import asyncio
import ssl

from gapless.drivers.transports.base import Tls
from gapless.prove.workload import NotDone

_LONGEST = 16 << 20


async def connected(
    address: str, tls: Tls | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To ``host:port`` or the path of a socket. Raises OSError, NotDone."""
    path = address.removeprefix("unix:")
    if path.startswith("/"):
        return await asyncio.open_unix_connection(path)
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise NotDone(f"{address!r} is no address: write host:port")
    context = None if tls is None else _context(tls)
    name = tls.name if tls else None
    return await asyncio.open_connection(
        host.strip("[]"), int(port), ssl=context, server_hostname=name
    )


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


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca or None)
    if tls.cert:
        context.load_cert_chain(tls.cert, tls.key or None)
    return context
