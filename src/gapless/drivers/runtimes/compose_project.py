"""A compose project as a host has it: what is written of one service, and its containers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.compose_orders import Orders
from gapless.drivers.runtimes.container_view import COMPOSE, Container, Sight
from gapless.drivers.transports.base import Transport
from gapless.supervisor.spec import SLOTS


@dataclass(frozen=True, slots=True)
class Written:
    """What a project says of a service. ``hash`` is compose's own of all of it; ``copied`` are
    secrets and configs that no file holds; ``healthcheck``: it has one besides its image's."""

    name: str
    hash: str
    image: str
    build: bool
    container_name: str
    ports: Sequence[str]
    volumes: Sequence[str]
    network_mode: str
    static: Sequence[str]
    replicas: int
    copied: Sequence[str]
    healthcheck: bool


@dataclass(frozen=True, slots=True)
class Whole:
    """What is written and what there is, as for the copy in a slot."""

    written: Written
    seen: Sight
    slot: str

    @property
    def container(self) -> Container | None:
        """The one in the slot."""
        return self.seen.in_slots().get(self.slot)

    @property
    def changed(self) -> str:
        """ "no" when the container is what is written, of the image that its name means now."""
        one = self.container
        if one is None or one.labels.get(_HASH) != self.written.hash:
            return "yes"
        return "no" if self.seen.images.get(one.image_name) == one.image else "yes"

    @property
    def fingerprint(self) -> str:
        """Of what the container was made, and what is written now."""
        one = self.container
        made = (one.labels.get(_HASH, ""), one.image) if one else ("", "")
        return f":{':'.join(made)}:{self.written.hash}"


_HASH = f"{COMPOSE}config-hash"


class ComposeProject:
    """The same on every host of a service; its name is asked once on each."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self._names: dict[str, str] = {}

    async def whole(self, transport: Transport, slot: str = "") -> Whole:
        """As for the copy in a slot, "" for the one that serves. Raises HostFault when compose or
        the engine refuses."""
        found = await self._asked(transport, slot or SLOTS[0])
        serves = slot or serving(found.seen) or SLOTS[0]
        if serves != found.slot and self.orders.differs:
            return await self._asked(transport, serves)
        return replace(found, slot=serves)

    async def sight(self, transport: Transport) -> Sight:
        """The containers alone. Raises HostFault when the engine does not answer."""
        done = await transport.run(self.orders.look(await self.name(transport)))
        return view.sight(view.read(done, transport.host))

    async def name(self, transport: Transport) -> str:
        """Raises HostFault when compose refuses."""
        given = self.orders.config.project or self._names.get(transport.host)
        return given or (await self._asked(transport, SLOTS[0])).written.name

    async def _asked(self, transport: Transport, slot: str) -> Whole:
        done = await transport.run(self.orders.project(slot))
        told = view.read(done, transport.host)
        written = Written(**told["written"])
        self._names[transport.host] = written.name
        return Whole(written, view.sight(told), slot)


def serving(seen: Sight) -> str:
    """The slot that serves: of two that run the one that has run longer; "" where none is."""
    placed = seen.in_slots()
    return min(placed, key=lambda slot: _order(placed[slot]), default="")


def _order(one: Container) -> tuple[bool, str]:
    return not one.running, one.started
