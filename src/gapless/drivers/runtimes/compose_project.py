"""A compose project as a host has it: what is written of one service, and its containers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from gapless.drivers.runtimes import compose_preflight as preflight
from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.compose_orders import Orders
from gapless.drivers.runtimes.compose_written import ComposeWritten
from gapless.drivers.runtimes.container_places import at_place
from gapless.drivers.runtimes.container_refusals import helped
from gapless.drivers.runtimes.container_source import Whole, serving
from gapless.drivers.runtimes.container_view import Container, Sight
from gapless.drivers.runtimes.paired import beside
from gapless.drivers.transports.base import Transport
from gapless.model import Command, Verdict
from gapless.supervisor.spec import SLOTS


@dataclass(frozen=True, slots=True)
class Kept:
    """What compose said, and of which files: by their path, "" where there was none."""

    digests: Mapping[str, str]
    written: ComposeWritten


_SAID: WeakKeyDictionary[Transport, dict[Hashable, Kept]] = WeakKeyDictionary()
"""Over each connection, by the question."""


class ComposeProject:
    """The same on every host of a service; its name is asked once on each.

    A project in the release is another one with each of them: what runs is judged by itself then,
    and the next copy by what the release says that it will be made of.

    compose takes longer to answer than everything else on a host, so what it said over a connection
    is kept with that, as long as the files are the same that it read; of a project that names more
    files, it is not kept."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self._names: dict[str, str] = {}

    async def whole(self, transport: Transport, slot: str = "") -> Whole:
        """As for the copy in a slot, "" for the one that serves. Raises HostFault when compose or
        the engine refuses."""
        asked = slot or SLOTS[0]
        written = await self.written(transport, asked)
        seen = await self.sight(transport)
        serves = slot or serving(seen) or asked
        if serves != asked and self.orders.differs:
            written = await self.written(transport, serves)
        return Whole(written, seen, serves)

    async def sight(self, transport: Transport) -> Sight:
        """The containers alone. Raises HostFault when the engine does not answer."""
        labels = self.orders.labels(await self.name(transport))
        with helped(self.orders):
            told = await transport.containers(self.orders.config.socket, labels)
        return at_place(view.sight(told), self.orders.place, self.orders.of)

    async def making(self, transport: Transport, slot: str, seen: Sight) -> Command:
        """By compose, as the project is now."""
        written = await self.written(transport, slot)
        other = seen.in_slots().get(beside(slot))
        return self.orders.make(written, slot, seen.generation, other)

    async def copied(self, transport: Transport, one: Container) -> Sequence[str]:
        """One that we made says so; of any other one it is taken to be what the project says
        now."""
        return () if one.slot else (await self.written(transport, SLOTS[0])).copied

    async def examine(self, transport: Transport, whole: Whole, *, alone: bool) -> list[Verdict]:
        """See ``compose_preflight``."""
        found = [*preflight.standing(self.orders, whole.seen, whole.slot)]
        if self.orders.inside is None:
            found += await self._makeable(transport, self.orders, whole.seen, whole.slot, alone)
        return found

    async def makeable(self, transport: Transport, release: str, *, alone: bool) -> list[Verdict]:
        """See ``ComesWithRelease``."""
        if self.orders.inside is None:
            return []
        orders = self.orders.staged(release) if release else self.orders
        if not await _is_there(transport, orders):
            return [preflight.no_project(orders)]
        seen = await self.sight(transport)
        return await self._makeable(transport, orders, seen, serving(seen) or SLOTS[0], alone)

    async def _makeable(
        self, transport: Transport, orders: Orders, seen: Sight, here: str, alone: bool
    ) -> list[Verdict]:
        """Of what is written of the other copy only ports are compared."""
        written = await self._read(transport, orders, here)
        differs = bool(written.ports) and orders.differs
        other = await self._read(transport, orders, beside(here)) if differs else written
        beside_it = None if alone else other
        return [*preflight.makeable(orders, seen, here, written, beside_it)]

    async def name(self, transport: Transport) -> str:
        """Raises HostFault when compose refuses."""
        given = self.orders.config.project or self._names.get(transport.host)
        return given or (await self.written(transport, SLOTS[0])).name

    async def written(self, transport: Transport, slot: str) -> ComposeWritten:
        """What the project says now, as for the copy in a slot; nothing where it comes with the
        first release. Raises HostFault when compose refuses."""
        orders = self.orders
        if orders.inside is not None and not await _is_there(transport, orders):
            return ComposeWritten.nothing(orders.config.project or "")
        written = await self._read(transport, orders, slot)
        self._names[transport.host] = written.name
        return written

    async def _read(self, transport: Transport, orders: Orders, slot: str) -> ComposeWritten:
        """Of a release, what is written in its folder is told as it is where that is live."""
        asked = orders.project(slot if orders.differs else SLOTS[0])
        said = _SAID.setdefault(transport, {})
        digests = await transport.digest(orders.files)
        question = (*asked.argv, asked.cwd, *sorted(asked.env.items()))
        kept = said.pop(question, None)
        if kept is None or kept.digests != digests:
            with helped(orders):
                told = view.read(await transport.run(asked), transport.host)
            lasting, folder = told.pop("lasting"), told.pop("folder")
            if orders.inside is not None:
                told["volumes"] = [
                    _live(one, folder, self.orders.folder) for one in told["volumes"]
                ]
            kept = Kept(digests if lasting else {}, ComposeWritten(**told))
        said[question] = kept
        return kept.written


async def _is_there(transport: Transport, orders: Orders) -> bool:
    found = await transport.digest(orders.files)
    return any(digest for path, digest in found.items() if not path.endswith("/.env"))


def _live(volume: str, folder: str, live: str) -> str:
    below = f"{folder}/"
    return f"{live}/{volume.removeprefix(below)}" if volume.startswith(below) else volume
