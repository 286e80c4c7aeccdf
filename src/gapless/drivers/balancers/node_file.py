"""A file on the host of a node that steers its balancer: read, and replaced as a whole."""

from __future__ import annotations

import hashlib

from gapless.clock import Clock
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault, TrafficError
from gapless.model import Fence

_LARGEST = 8 << 20


class NodeFile:
    """Text in UTF-8; bytes that are none stay what they are. ``again`` is the time in seconds after
    which who watches the file must have seen it: earlier the same is not written again."""

    def __init__(self, host: NodeHost, path: str, clock: Clock, *, again: float) -> None:
        self._host = host
        self._clock = clock
        self._again = again
        self._due = 0.0
        self.path = path
        self.place = f"{path} on {host.label}"
        """Which file, and where, for people."""

    async def read(self) -> str:
        """Its content. Raises NoAnswer when it cannot be read, TrafficError when there is none."""
        content = await self._host.talk(
            lambda transport: transport.get(self.path, _LARGEST),
            what=f"{self.place} cannot be read",
            hint="see that it is there, and that the login may read it",
        )
        if content is None:
            raise TrafficError(
                f"there is no {self.place}",
                where=self._host.balancer,
                evidence=self.path,
                next="compare its path in gapless.yaml with the configuration of the balancer",
            )
        return content.decode(errors="surrogateescape")

    async def write(self, old: str, new: str, fence: Fence | None) -> None:
        """Rename the new content over the old one. Where somebody else was faster nothing happens:
        the next look shows it, and the order is given again."""
        if old == new and self._clock.monotonic() < self._due:
            return
        before, after = (text.encode(errors="surrogateescape") for text in (old, new))
        read = hashlib.sha256(before).hexdigest()
        done = await self._host.talk(
            lambda transport: self._replace(transport, read, after, fence),
            what=f"nobody knows whether {self.place} was written",
            hint="gapless doctor",
        )
        if done:
            self._due = self._clock.monotonic() + self._again

    async def _replace(
        self, transport: Transport, read: str, content: bytes, fence: Fence | None
    ) -> bool:
        try:
            return await transport.replace(self.path, read, content, fence)
        except HostFault as error:
            raise TrafficError(
                f"{self.place} could not be written",
                where=self._host.balancer,
                evidence="\n".join(filter(None, (str(error), error.evidence))),
                next="its folder has to be writable there",
            ) from error
