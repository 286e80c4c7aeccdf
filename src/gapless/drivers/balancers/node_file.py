"""A file on the host of a node that steers its balancer: read, and replaced as a whole."""

from __future__ import annotations

from gapless.clock import Clock
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.node_orders import NodeOrders
from gapless.drivers.balancers.steered_file import CHANGED, swap
from gapless.errors import TrafficError
from gapless.model import Fence, Instance

_LARGEST = 8 << 20


class NodeFile:
    """Text in UTF-8; bytes that are none stay what they are. ``again`` is the time in seconds after
    which who watches the file must have seen it: earlier the same is not written again."""

    def __init__(self, host: NodeHost, path: str, clock: Clock, *, again: float) -> None:
        self._host = host
        self._clock = clock
        self._again = again
        self._due = 0.0
        self._orders = NodeOrders(host)
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

    async def write(
        self, verb: str, old: str, new: str, instance: Instance, fence: Fence | None
    ) -> None:
        """Rename the new content over the old one. Where somebody else was faster nothing happens:
        the next look shows it, and the order is given again."""
        if old == new and self._clock.monotonic() < self._due:
            return
        before, after = (text.encode(errors="surrogateescape") for text in (old, new))
        command = swap(self.path, before, after)
        completed = await self._orders.order(verb, command, instance, fence)
        if completed.ok:
            self._due = self._clock.monotonic() + self._again
        if completed.ok or completed.status == CHANGED:
            return
        late = "it did not end in time" if completed.timed_out else f"status {completed.status}"
        raise TrafficError(
            f"{self.place} could not be written",
            where=self._host.balancer,
            evidence=completed.evidence() or late,
            next="its folder has to be writable there, with flock, sha256sum and sync at hand",
        )
