"""The versions of one service on its hosts, wherever they come from.

1. A release is called after its content, so the same content is the same release everywhere.
2. It is brought beside the live one and verified there (``directory_staging``).
3. It goes live by one rename of a link (``directory_linked``), or by copying over the live folder
   (``directory_in_place``).
4. Going back is going live with the one before, which is never pruned; where there was none, none
   is live again.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import PurePosixPath
from typing import Protocol

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.carriers import Carrier, Supply
from gapless.drivers.releases.directory_host import LONG, do, explained, is_folder
from gapless.drivers.releases.directory_in_place import UNFINISHED, InPlace
from gapless.drivers.releases.directory_linked import Linked
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.releases.directory_staging import Staging
from gapless.drivers.releases.directory_store import Store
from gapless.drivers.transports.base import Transport
from gapless.errors import ActionFailed, HostFault
from gapless.model import Command


class Layout(Protocol):
    """What differs between a link and copying in place."""

    runs_from_store: bool
    """Whether what is live lies among the kept versions."""

    async def current(self, transport: Transport) -> ReleaseRef | None:
        """What is live."""
        ...

    def activation(self, ref: ReleaseRef) -> tuple[Command, ...]:
        """How a version goes live."""
        ...

    def deactivation(self) -> tuple[Command, ...]:
        """How none is live again."""
        ...

    async def prepare(self, transport: Transport, ref: ReleaseRef, live: ReleaseRef | None) -> None:
        """What has to be done before ``ref`` is brought."""
        ...

    async def unprepare(self, transport: Transport, live: ReleaseRef | None) -> None:
        """Take that back."""
        ...


class Versions:
    """What every kind of release does on hosts; ``supply`` and ``carrier`` are its own."""

    def __init__(
        self, config: ReleaseConfig, service: str, places: Places, supply: Supply, carrier: Carrier
    ) -> None:
        self._keep = config.keep
        self._places = places
        self._store = store = Store(places)
        self._supply = supply
        self._staging = Staging(supply, carrier, places, store, config.owner, service)
        self._layout: Layout = InPlace(config, places, store) if config.in_place else Linked(places)

    def resolve(self, name: str = "") -> ReleaseRef:
        """The version the source means now, or the one called ``name``."""
        return self._supply.resolve(name)

    async def current(self, transport: Transport) -> ReleaseRef | None:
        """What the host has live, None when nothing."""
        return await self._layout.current(transport)

    async def stage(self, transport: Transport, ref: ReleaseRef) -> int:
        """Bring it next to the live one and verify it there; bytes sent."""
        live = await self.current(transport)
        try:
            await self._layout.prepare(transport, ref, live)
            if await self._is_staged(transport, ref, live):
                return 0
            return await self._staging.bring(transport, ref, live)
        except HostFault as fault:
            raise explained(fault, self._places.store) from fault

    async def unstage(self, transport: Transport, ref: ReleaseRef) -> None:
        """Remove a staged release that is not live, complete or not."""
        live = await self.current(transport)
        incoming = self._places.incoming(ref.name)
        await do(transport, "rm", "-rf", "--", incoming, timeout=LONG)
        if _folder_name(live) != ref.name:
            await self._store.discard(transport, ref.name)
        await self._layout.unprepare(transport, live)

    def activation(self, ref: ReleaseRef) -> tuple[Command, ...]:
        """Commands that make it live; run as one critical action."""
        return self._layout.activation(ref)

    def deactivation(self) -> tuple[Command, ...]:
        """Commands after which none is live, as before the first."""
        return self._layout.deactivation()

    async def prune(self, transport: Transport, keep: tuple[str, ...]) -> tuple[str, ...]:
        """Remove all but the newest configured, those named and the live one.

        A folder that gapless did not bring is not touched. One that cannot be removed stays, and
        is not among those returned.
        """
        live = await self.current(transport)
        versions, leftovers = await self._store.names(transport)
        kept = {name.removesuffix(UNFINISHED) for name in keep} | {_folder_name(live)}
        surplus = [name for name in versions if name not in kept][self._keep :]
        removed = []
        with contextlib.suppress(ActionFailed):
            await self._store.sweep(transport, leftovers)
        for name in surplus:
            with contextlib.suppress(ActionFailed):
                await self._store.discard(transport, name)
                removed.append(name)
        await asyncio.to_thread(self._supply.needed_by, transport.host, tuple(sorted(kept)))
        return tuple(removed)

    async def _is_staged(
        self, transport: Transport, ref: ReleaseRef, live: ReleaseRef | None
    ) -> bool:
        """Whether the version is there. What is not live and is no longer what it was brought as
        is brought again; what runs may have written into its own folder."""
        path = self._places.version(ref.name)
        if not await is_folder(transport, path):
            return False
        if self._layout.runs_from_store and live is not None and live.path == path:
            return True
        return (await transport.digest([path]))[path] == ref.digest


def _folder_name(ref: ReleaseRef | None) -> str:
    return PurePosixPath(ref.path).name if ref else ""
