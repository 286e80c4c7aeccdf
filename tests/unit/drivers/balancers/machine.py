"""A host of which some requests can be refused."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.drivers.transports.base import Tls
from gapless.model import Fence

from .local import Local


class Machine(Local):
    """``ports``: address as configured to where it is in truth; each host has its own."""

    def __init__(self, host: str, ports: Mapping[str, str]) -> None:
        super().__init__(host)
        self.ports = dict(ports)
        self.refuses = b"\0"
        """Requests that begin so are refused."""

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        if data.startswith(self.refuses):
            return b"HTTP/1.1 405 Not now\r\n\r\n"
        return await super().exchange(self.ports.get(address, address), data, timeout, fence, tls)
