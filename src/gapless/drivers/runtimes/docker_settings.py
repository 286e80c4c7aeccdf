"""What is written of a container of an image, and what there is of it on a host."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gapless.config import docker_options
from gapless.drivers.runtimes import container_preflight as preflight
from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.container_refusals import helped
from gapless.drivers.runtimes.container_source import Whole, Written, serving
from gapless.drivers.runtimes.container_view import SERVICE, SETTINGS, Container, Sight
from gapless.drivers.runtimes.docker_orders import DockerOrders
from gapless.drivers.runtimes.paired import beside
from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault
from gapless.model import Command, Verdict
from gapless.supervisor.spec import SLOTS


@dataclass(frozen=True, slots=True)
class DockerWritten(Written):
    """The hash is of image, options, command, and the files that options name."""

    hashed = SETTINGS
    hints = MappingProxyType(
        {
            "ports": "--publish '{slot:8081|8082}:8080' in options",
            "network": "--network NAME in options",
            "static": "no --ip, --ip6 or --mac-address",
        }
    )


class DockerSettings:
    """The same on every host of a service."""

    def __init__(self, orders: DockerOrders) -> None:
        self.orders = orders

    async def whole(self, transport: Transport, slot: str = "") -> Whole:
        """As for the copy in a slot, "" for the one that serves."""
        seen = await self.sight(transport)
        serves = slot or serving(seen) or SLOTS[0]
        return Whole(await self._written(transport, serves), seen, serves)

    async def sight(self, transport: Transport) -> Sight:
        """Ours, and the one that is to be adopted; another's that has one of our names is a
        stranger."""
        orders = self.orders
        socket, names = orders.config.socket, orders.names
        with helped(orders):
            told = await transport.containers(socket, orders.labels, names=names)
        seen = view.sight(told)
        ours = tuple(one for one in seen.containers if self._is_ours(one))
        strangers = tuple(one for one in seen.containers if one not in ours)
        return Sight(ours, seen.images, strangers)

    def _is_ours(self, one: Container) -> bool:
        labelled = all(one.labels.get(name) == value for name, value in self.orders.mine.items())
        return labelled or (one.name == self.orders.config.adopt and SERVICE not in one.labels)

    async def making(self, transport: Transport, slot: str, seen: Sight) -> Command:
        """As it is written now. Raises HostFault when somebody else's container has the name."""
        name = self.orders.container(slot)
        if name in (one.name for one in seen.strangers):
            what = f"there is a container {name} already, and it is not of {self.orders.name}"
            raise HostFault(what, where=transport.host)
        written = await self._written(transport, slot)
        return self.orders.create(slot, seen.generation, written.hash)

    async def copied(self, transport: Transport, one: Container) -> Sequence[str]:
        """docker copies none."""
        return ()

    async def examine(self, transport: Transport, whole: Whole, *, alone: bool) -> list[Verdict]:
        """See ``container_preflight``."""
        orders, seen, slot = self.orders, whole.seen, whole.slot
        found = [
            preflight.state(orders, seen, slot),
            preflight.copies(orders, seen, slot),
            self._owner(seen),
        ]
        if alone:
            return found
        other = await self._written(transport, beside(slot))
        return [*found, *preflight.twice(orders, whole.written, other, seen, slot)]

    async def makeable(self, transport: Transport, release: str, *, alone: bool) -> list[Verdict]:
        """All of it is written in our own file."""
        return []

    def _owner(self, seen: Sight) -> Verdict:
        if not seen.strangers:
            return preflight.owner(self.orders, seen)
        names = view.names(seen.strangers)
        answer = f"{names} is not of {self.orders.name}"
        wanted = f"docker: {{name: ANOTHER}}; or, where it is to be replaced, adopt: {names}"
        return preflight.fail("owner", self.orders.look(), answer, wanted)

    async def _written(self, transport: Transport, slot: str) -> DockerWritten:
        config, options = self.orders.config, self.orders.options(slot)
        files = self.orders.files
        digests = await transport.digest(files) if files else {}
        return DockerWritten(
            hash=self._hash(digests),
            image=config.image,
            container_name="",
            ports=[*docker_options.published(options)],
            volumes=[*docker_options.written_to(options)],
            network_mode=docker_options.network_mode(options),
            static=[*docker_options.fixed_addresses(options)],
        )

    def _hash(self, digests: Mapping[str, str]) -> str:
        """Of what is the same in both slots."""
        config = self.orders.config
        told = [config.image, config.options, config.command, sorted(digests.items())]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()
