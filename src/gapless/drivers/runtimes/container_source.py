"""What the containers of a service are made from, and what there is of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from gapless.drivers.runtimes.container_orders import ContainerOrders
from gapless.drivers.runtimes.container_view import Container, Sight, image
from gapless.drivers.transports.base import Transport
from gapless.model import Command, Verdict


@dataclass(frozen=True, slots=True)
class Written:
    """What is written of a container. ``hash`` is of all of it, and a container made from it has it
    in the label ``hashed``. ``static``: where it has an address of its choice."""

    hashed: ClassVar[str]
    hints: ClassVar[Mapping[str, str]]
    """What to do about ports, network and static."""
    hash: str
    image: str
    container_name: str
    ports: Sequence[str]
    volumes: Sequence[str]
    network_mode: str
    static: Sequence[str]

    def called(self, volume: str) -> str:
        """What the engine calls a volume."""
        return volume


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
        if one is None or one.labels.get(self.written.hashed) != self.written.hash:
            return "yes"
        return "no" if self.seen.images.get(one.image_name) == one.image else "yes"

    @property
    def next_image(self) -> str:
        """What the next container will be made of, with its id where the name meant another image
        before."""
        one, name = self.container, self.written.image
        now = self.seen.images.get(name, "")
        moved = one is not None and one.image_name == name and now not in ("", one.image)
        return image(name, now, {} if moved else self.seen.images)

    @property
    def fingerprint(self) -> str:
        """Of what the container was made, and what is written now."""
        one = self.container
        made = (one.labels.get(self.written.hashed, ""), one.image) if one else ("", "")
        return f":{':'.join(made)}:{self.written.hash}"


class Source(Protocol):
    """Knows what is written of an instance's containers; the same on every host. Raises HostFault
    when the engine, or whoever reads what is written, refuses."""

    @property
    def orders(self) -> ContainerOrders:
        """What is run on hosts."""
        ...

    async def whole(self, transport: Transport, slot: str = "") -> Whole:
        """As for the copy in a slot, "" for the one that serves."""
        ...

    async def sight(self, transport: Transport) -> Sight:
        """The containers alone."""
        ...

    async def making(self, transport: Transport, slot: str, seen: Sight) -> Command:
        """What makes the copy in a slot and starts it."""
        ...

    async def copied(self, transport: Transport, one: Container) -> Sequence[str]:
        """Files that may have been copied into a container that does not say so."""
        ...

    async def examine(self, transport: Transport, whole: Whole, *, alone: bool) -> list[Verdict]:
        """Whether a copy can be replaced; ``alone``: there are never two."""
        ...

    async def makeable(self, transport: Transport, release: str, *, alone: bool) -> list[Verdict]:
        """See ``ComesWithRelease``."""
        ...


def serving(seen: Sight) -> str:
    """The slot that serves: of two that run the one that has run longer; "" where none is."""
    placed = seen.in_slots()
    return min(placed, key=lambda slot: _order(placed[slot]), default="")


def _order(one: Container) -> tuple[bool, str]:
    return not one.running, one.started
